//! Hints: the piece at one end of a secret that a plugin is shown, such as a key's `xoxb-`.
//!
//! The host enforces the bounds at each call, whatever the pattern says: a match is shown if it touches the beginning or the end of
//! the value, has at most 12 characters, and is at most a third of the value. Anything else is not shown at all, since a piece of a
//! prefix could be read as another prefix.

use regex::Regex;
use regex_syntax::hir::{Class, Hir, HirKind, Look};

use keyferry_types::secret::Secret;

/// Characters of a match that is shown at most.
pub const HINT_CHARS: usize = 12;
/// A match is shown if the value is at least this many times as long.
const VALUE_TO_HINT: usize = 3;
/// Information that the match of a hint can carry, in bits. The kinds of keys that apps tell apart need fewer: `-[a-z]{2}[0-9]{1,4}$`
/// of Mailchimp's data centres has 23. Four characters of a random key have 24.
const KIND_BITS: f64 = 32.0;

/// The end of a value that a hint shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HintEnd {
    /// Every match begins where the value begins.
    Beginning,
    /// Every match ends where the value ends.
    End,
}

/// Faults of a hint's pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HintFault {
    /// It can match anywhere.
    #[error(
        "its hint can match in the middle of the value: begin each alternative with `^` or end each with `$`, without `(?m)`"
    )]
    Unanchored,
    /// It can match more than is ever shown.
    #[error("its hint can match more than {HINT_CHARS} characters, and such a match is not shown")]
    TooLong,
    /// It matches nearly anything.
    #[error("its hint matches nearly any text: name the letters that tell one kind of key from another")]
    TooFree,
}

/// A hint's pattern, compiled.
#[derive(Debug)]
pub struct Hint {
    regex: Regex,
    end: Result<HintEnd, HintFault>,
    greed: Option<HintFault>,
}

impl Hint {
    /// Judges a pattern that has been compiled.
    pub(super) fn new(regex: Regex) -> Self {
        let hir = regex_syntax::parse(regex.as_str()).ok();
        let end = match hir.as_ref().map(Hir::properties) {
            Some(properties) if properties.look_set_prefix().contains(Look::Start) => Ok(HintEnd::Beginning),
            Some(properties) if properties.look_set_suffix().contains(Look::End) => Ok(HintEnd::End),
            _ => Err(HintFault::Unanchored),
        };
        let size = hir.as_ref().map(size);
        let greed = match size {
            Some(Size { chars: Some(chars), .. }) if chars > HINT_CHARS => Some(HintFault::TooLong),
            Some(Size { chars: Some(_), bits }) if bits > KIND_BITS => Some(HintFault::TooFree),
            Some(Size { chars: Some(_), .. }) => None,
            _ => Some(HintFault::TooLong),
        };
        Self { regex, end, greed }
    }

    /// The end of the value that it shows, or why it shows nothing.
    pub fn end(&self) -> Result<HintEnd, HintFault> {
        self.end
    }

    /// The first thing that is wrong with it.
    pub fn fault(&self) -> Option<HintFault> {
        self.end.err().or(self.greed)
    }

    /// The part of a value that a plugin is shown.
    pub(super) fn of(&self, value: &Secret) -> Option<String> {
        self.end.ok()?;
        let found = self.regex.find(value.expose())?;
        let shown = found.as_str().chars().count();
        let is_within = shown <= HINT_CHARS && shown.saturating_mul(VALUE_TO_HINT) <= value.expose().chars().count();
        (is_within && shown > 0).then(|| found.as_str().to_owned())
    }
}

/// The size of the set of texts that a pattern matches.
#[derive(Debug, Clone, Copy)]
struct Size {
    /// Characters of the longest match; `None` without a bound.
    chars: Option<usize>,
    /// The logarithm of the number of texts that it matches, to base 2.
    bits: f64,
}

fn size(hir: &Hir) -> Size {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Size { chars: Some(0), bits: 0.0 },
        // A literal that is not UTF-8 does not compile in a pattern for text.
        HirKind::Literal(literal) => {
            Size { chars: Some(String::from_utf8_lossy(&literal.0).chars().count()), bits: 0.0 }
        }
        HirKind::Class(class) => Size { chars: Some(1), bits: members(class).max(1.0).log2() },
        HirKind::Capture(capture) => size(&capture.sub),
        HirKind::Repetition(repetition) => {
            let one = size(&repetition.sub);
            let turns = repetition.max.and_then(|max| usize::try_from(max).ok());
            match turns.and_then(|turns| Some((turns, one.chars?.checked_mul(turns)?))) {
                Some((turns, chars)) => Size {
                    chars: Some(chars),
                    // One of the numbers of turns, each with its own texts; the longest has the most.
                    bits: one.bits * turns as f64 + f64::from(repetition.min != repetition.max.unwrap_or(u32::MAX)),
                },
                None if one.chars == Some(0) => Size { chars: Some(0), bits: 0.0 },
                None => Size { chars: None, bits: f64::INFINITY },
            }
        }
        HirKind::Concat(parts) => parts.iter().map(size).fold(Size { chars: Some(0), bits: 0.0 }, |sum, part| Size {
            chars: sum.chars.zip(part.chars).and_then(|(a, b)| a.checked_add(b)),
            bits: sum.bits + part.bits,
        }),
        HirKind::Alternation(branches) => {
            let sizes: Vec<Size> = branches.iter().map(size).collect();
            let chars = sizes.iter().map(|size| size.chars).collect::<Option<Vec<_>>>();
            Size {
                chars: chars.and_then(|chars| chars.into_iter().max()),
                bits: sizes.iter().map(|size| size.bits.exp2()).sum::<f64>().log2(),
            }
        }
    }
}

fn members(class: &Class) -> f64 {
    match class {
        Class::Unicode(class) => {
            class.ranges().iter().map(|range| f64::from(u32::from(range.end()) - u32::from(range.start()) + 1)).sum()
        }
        Class::Bytes(class) => {
            class.ranges().iter().map(|range| f64::from(range.end()) - f64::from(range.start()) + 1.0).sum()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hint(pattern: &str) -> Hint {
        Hint::new(Regex::new(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}")))
    }

    #[test]
    fn a_hint_that_can_match_in_the_middle_is_told_from_one_that_cannot() {
        for pattern in [
            "abc",
            "xox[bp]-",
            "-us[0-9]",
            "^a|.*",
            "^a|b",
            "a|b$",
            "(?m)^a",
            "(?m)a$",
            "(?:^)?abc",
            "(?:^|x)abc",
            "a(?:$|b)",
            ".{0,12}",
            "(?s).{16}",
            "(?mi)^sk_",
            r"\bsk_",
            "(?:^abc)?",
            "(?:^a)*b",
            "a$|^b",
            "",
        ] {
            assert_eq!(hint(pattern).end(), Err(HintFault::Unanchored), "{pattern}");
            assert_eq!(hint(pattern).of(&Secret::new("abc-sk_xoxb-us1-abc-0123456789-0123456789")), None, "{pattern}");
        }
        for (pattern, end) in [
            ("^xox[bp]-", HintEnd::Beginning),
            ("^(sk|rk)_(test|live)_", HintEnd::Beginning),
            ("^a|^b", HintEnd::Beginning),
            (r"\Apat-", HintEnd::Beginning),
            ("(?i)^(?:sk_)", HintEnd::Beginning),
            ("(?s)^.{3}", HintEnd::Beginning),
            ("-[a-z]{2}[0-9]{1,4}$", HintEnd::End),
            (r"-us1\z", HintEnd::End),
            ("a$|b$", HintEnd::End),
            ("^a$", HintEnd::Beginning),
        ] {
            assert_eq!(hint(pattern).end(), Ok(end), "{pattern}");
        }
    }

    #[test]
    fn a_hint_that_shows_more_than_a_kind_is_told_from_one_that_does_not() {
        for (pattern, fault) in [
            ("(?s)^.{16}", HintFault::TooLong),
            ("^sk_.*", HintFault::TooLong),
            ("-us[0-9]+$", HintFault::TooLong),
            ("^[a-z]{0,13}", HintFault::TooLong),
            ("^(?:abcdefg){2}", HintFault::TooLong),
            ("^abc|^abcdefghijklm", HintFault::TooLong),
            ("^.{0,12}", HintFault::TooFree),
            ("^[a-z0-9]{8}", HintFault::TooFree),
            ("^sk_[0-9a-f]{9}", HintFault::TooFree),
            ("(?s).{2}$", HintFault::TooFree),
        ] {
            assert_eq!(hint(pattern).fault(), Some(fault), "{pattern}");
        }
        for pattern in [
            "^xox[bp]-",
            "^(xoxe\\.)?xox[a-z]-",
            "^(sk|rk)_(test|live)_",
            "^(gh[opsu]|github_pat)_",
            "^pat-[a-z]{2}[0-9]-",
            "-[a-z]{2}[0-9]{1,4}$",
            "^(ntn|secret)_",
            "^pat",
            "(?i)^sk-",
            "^(?:pat-(?:na|eu)[0-9]-)",
        ] {
            assert_eq!(hint(pattern).fault(), None, "{pattern}");
        }
    }

    #[test]
    fn at_most_twelve_characters_and_a_third_of_the_value_are_shown_whatever_the_pattern_says() {
        let long = "x".repeat(60);
        for (pattern, value, shown) in [
            ("^xox[bp]-", "xoxb-0123456789", Some("xoxb-")),
            ("^xox[bp]-", "xoxb-012345678", None),
            ("^(sk|rk)_(test|live)_", "sk_live_0123456789abcdef", Some("sk_live_")),
            ("^(gh[opsu]|github_pat)_", "github_pat_0123456789012345678901", Some("github_pat_")),
            ("-[a-z]{2}[0-9]{1,4}$", "0123456789abcdef0123456789abcdef-us21", Some("-us21")),
            ("(?s)^.{16}", "correct horse battery staple correct horse battery staple", None),
            ("(?s)^.*", long.as_str(), None),
            ("^x{0,12}", long.as_str(), Some("xxxxxxxxxxxx")),
            ("^é{3}", "ééé456789", Some("ééé")),
            ("^é{3}", "ééé45678", None),
            ("^x*", "y", None),
        ] {
            assert_eq!(hint(pattern).of(&Secret::new(value)).as_deref(), shown, "{pattern} of {value}");
        }
    }
}
