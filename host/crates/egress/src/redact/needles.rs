//! [`Needles`]: the forms of the secrets that a text can contain.
//!
//! A secret has about ten forms, and few texts contain one of them. Encoding all of them and preparing a search for each costs far
//! more than one pass over a text that looks for their first bytes; only forms whose first bytes occur are encoded and searched
//! for. Nor is a copy of the secret kept in each form.

use keyferry_types::secret::SharedSecret;
use keyferry_types::zeroizing::Zeroizing;
use memchr::memmem;

use super::decode::{MOST_DECODES, decode};
use super::encoding::Encoding;
use super::escape::QuotedPrintable;
use super::index::{Index, SecretEncoding};
use super::normalize::{is_dropped, normalize, normalized};

/// A value shorter than this is replaced only where it is the whole of a quoted string or of the text. Replaced anywhere,
/// a value such as `1` or `no` would tear every answer apart, and protect nothing: so short a value can be guessed.
const SHORTEST_ANYWHERE: usize = 4;
/// Case, blanks and quotes do not count for a value of which at least this much is left without them ...
const SHORTEST_NORMALIZED: usize = 8;
/// ... and which has something in it that is no letter, or at least this much. A word such as `sandbox` or `password` is thus
/// replaced as it is written and in lower case alone.
const LONGEST_WORD: usize = 15;
/// Least length of the base64 between the lines of a PEM block that is a needle of its own.
const SHORTEST_PEM_BODY: usize = 32;

/// One form of one secret, to be searched for.
pub(super) struct Needle {
    pub(super) bytes: Zeroizing<Vec<u8>>,
    /// Bytes of the secret before and after the needle that normalization removes.
    pub(super) head: Zeroizing<Vec<u8>>,
    pub(super) tail: Zeroizing<Vec<u8>>,
    /// The most `=` that may come after it.
    pub(super) padding: usize,
    /// Whether double quotes may be in it. Where the secret has none, nothing puts one there, and one that is there parts two strings
    /// of a JSON document.
    pub(super) quotes: bool,
}

/// All secrets, with an index of how their forms begin.
#[derive(Default)]
pub(super) struct Needles {
    secrets: Vec<Known>,
    /// Needles that are searched for byte for byte.
    pub(super) exact: Index,
    /// Needles that are searched for in a normalized text.
    pub(super) normalized: Index,
    /// No text with fewer bytes contains a secret in a form that is searched for in every reading.
    shortest: Option<usize>,
}

struct Known {
    value: SharedSecret,
    /// What undoing the value's own escapes makes of it.
    others: Vec<Zeroizing<Vec<u8>>>,
    mode: MatchMode,
}

/// How a value is matched in a text: only as a whole string, byte for byte, or normalized.
#[derive(Clone, Copy, PartialEq, Eq)]
enum MatchMode {
    WholeString,
    Exact,
    Normalized,
}

impl Needles {
    /// Adds a value in every encoding, unless it is empty or there.
    pub(super) fn add(&mut self, secret: SharedSecret) {
        let value = secret.expose();
        if value.is_empty() || self.secrets.iter().any(|known| known.value.expose() == value) {
            return;
        }
        let mode = match_mode(value);
        let others = other_forms(value, mode);
        let index = match mode {
            MatchMode::WholeString => return self.secrets.push(Known { value: secret, others, mode }),
            MatchMode::Exact => &mut self.exact,
            MatchMode::Normalized => &mut self.normalized,
        };
        let number = self.secrets.len();
        let forms = || std::iter::once(value.as_bytes()).chain(others.iter().map(|form| form.as_slice()));
        for (at, form) in forms().enumerate() {
            let written = searched(form, mode);
            // A character takes one byte at least, in any reading. No encoding is shorter than the value.
            let least = written.iter().filter(|byte| !is_continuation(**byte)).count();
            self.shortest = Some(self.shortest.map_or(least, |shortest| shortest.min(least)));
            if let Some(beginning) = written.first_chunk() {
                index.add(*beginning, number, SecretEncoding::Form(at));
            }
        }
        for encoding in Encoding::ALL {
            if let Some(beginning) = encoding.beginning_of(value, mode == MatchMode::Normalized) {
                index.add(beginning, number, SecretEncoding::Encoded(encoding));
            }
        }
        index.sort();
        self.secrets.push(Known { value: secret, others, mode });
    }

    /// No text of fewer bytes contains a secret, apart from those that are replaced as whole strings.
    pub(super) fn shortest(&self) -> usize {
        self.shortest.unwrap_or(usize::MAX)
    }

    /// Values that are replaced only as a whole quoted string or as the whole text.
    pub(super) fn whole_strings(&self) -> impl Iterator<Item = &str> {
        self.secrets.iter().filter(|known| known.mode == MatchMode::WholeString).map(|known| known.value.expose())
    }

    /// Whether there is no secret.
    pub(super) fn is_empty(&self) -> bool {
        self.secrets.is_empty()
    }

    /// The needles of an index that a text can contain: all that it does contain, and few others.
    pub(super) fn possible_in(&self, index: &Index, text: &[u8]) -> Vec<Needle> {
        let mut possible: Vec<Needle> = Vec::new();
        for beginning in index.begun_in(text) {
            if let Some(needle) = self.needle(beginning.secret, beginning.encoding)
                && needle.bytes.len() <= text.len()
                && !possible.iter().any(|known| *known.bytes == *needle.bytes && known.padding >= needle.padding)
            {
                possible.push(needle);
            }
        }
        possible
    }

    fn needle(&self, secret: usize, encoding: SecretEncoding) -> Option<Needle> {
        let known = self.secrets.get(secret)?;
        match encoding {
            SecretEncoding::Form(at) => {
                let form = match at.checked_sub(1) {
                    None => known.value.expose().as_bytes(),
                    Some(other) => known.others.get(other)?,
                };
                let (head, tail) = match known.mode {
                    MatchMode::Normalized => dropped(form),
                    _ => (&[][..], &[][..]),
                };
                Some(Needle {
                    bytes: searched(form, known.mode),
                    head: Zeroizing::new(head.to_vec()),
                    tail: Zeroizing::new(tail.to_vec()),
                    padding: 0,
                    quotes: form.contains(&b'"'),
                })
            }
            SecretEncoding::Encoded(encoding) => Some(Needle {
                bytes: searched(encoding.of(known.value.expose())?.as_bytes(), known.mode),
                head: Zeroizing::default(),
                tail: Zeroizing::default(),
                padding: encoding.padding(known.value.expose()),
                quotes: encoding == Encoding::Reversed && known.value.expose().contains('"'),
            }),
        }
    }
}

fn match_mode(value: &str) -> MatchMode {
    if value.len() < SHORTEST_ANYWHERE {
        return MatchMode::WholeString;
    }
    let (mut left, mut letters) = (0, true);
    for c in value.chars().filter_map(normalized) {
        left += c.len_utf8();
        letters &= c.is_alphabetic();
    }
    if left < SHORTEST_NORMALIZED || (letters && left <= LONGEST_WORD) {
        MatchMode::Exact
    } else {
        MatchMode::Normalized
    }
}

/// The bytes to search for in the given mode.
fn searched(bytes: &[u8], mode: MatchMode) -> Zeroizing<Vec<u8>> {
    match mode {
        MatchMode::Normalized => normalize(bytes),
        MatchMode::Exact | MatchMode::WholeString => Zeroizing::new(bytes.to_vec()),
    }
}

/// What a value becomes where its own escapes are undone with those of the text, or where form encoding writes its spaces as
/// `+`.
fn other_forms(value: &str, mode: MatchMode) -> Vec<Zeroizing<Vec<u8>>> {
    let mut forms = Forms { value: value.as_bytes(), mode, others: Vec::new() };
    if mode == MatchMode::Exact {
        // A server that takes a value for a header's name says it in lower case.
        forms.add(Zeroizing::new(value.to_ascii_lowercase()).as_bytes());
    }
    for quoted in [QuotedPrintable::Kept, QuotedPrintable::Decoded] {
        let Some(mut derived) = decode(value.as_bytes(), quoted) else { continue };
        for _ in 1..MOST_DECODES {
            let Some(next) = decode(&derived.text, quoted) else { break };
            derived = next;
        }
        forms.add(&derived.text);
    }
    let with_plus = |form: &[u8]| -> Zeroizing<Vec<u8>> {
        Zeroizing::new(form.iter().map(|byte| if *byte == b' ' { b'+' } else { *byte }).collect())
    };
    let spaced: Vec<_> = forms.all().filter(|form| form.trim_ascii().contains(&b' ')).map(with_plus).collect();
    spaced.iter().for_each(|form| forms.add(form));
    if mode == MatchMode::Normalized {
        let bodies: Vec<_> = forms.all().flat_map(pem_bodies).collect();
        bodies.iter().for_each(|body| forms.add(body));
    }
    if mode == MatchMode::Normalized && value.chars().any(|c| u32::from(c) > 0xFF) {
        // Where both bytes of a unit count, leaving out the zeros does not do.
        for order in [u16::to_le_bytes, u16::to_be_bytes] {
            let mut wide = Zeroizing::new(Vec::with_capacity(2 * value.len()));
            value.encode_utf16().for_each(|unit| wide.extend_from_slice(&order(unit)));
            forms.add(&wide);
        }
    }
    forms.others
}

struct Forms<'v> {
    value: &'v [u8],
    mode: MatchMode,
    others: Vec<Zeroizing<Vec<u8>>>,
}

impl Forms<'_> {
    fn all(&self) -> impl Iterator<Item = &[u8]> {
        std::iter::once(self.value).chain(self.others.iter().map(|form| form.as_slice()))
    }

    /// Adds a form, unless it is there, or what is left of it is found everywhere.
    fn add(&mut self, form: &[u8]) {
        if self.all().any(|known| known == form) {
            return;
        }
        let shortest = match self.mode {
            MatchMode::Normalized => SHORTEST_NORMALIZED,
            MatchMode::Exact | MatchMode::WholeString => SHORTEST_ANYWHERE,
        };
        let bytes = searched(form, self.mode);
        if bytes.len() >= shortest && !self.all().any(|known| *searched(known, self.mode) == *bytes) {
            self.others.push(Zeroizing::new(form.to_vec()));
        }
    }
}

/// Whether a byte continues a character in UTF-8.
fn is_continuation(byte: u8) -> bool {
    byte & 0xC0 == 0x80
}

/// The content of PEM blocks without their first and last lines: echoed alone, it is still the key.
fn pem_bodies(text: &[u8]) -> Vec<Zeroizing<Vec<u8>>> {
    let mut bodies = Vec::new();
    let mut rest = text;
    while let Some(begin) = memmem::find(rest, b"-----BEGIN ") {
        let label = rest.get(begin + 11..).unwrap_or_default();
        let Some(start) = memmem::find(label, b"-----") else { break };
        let body = label.get(start + 5..).unwrap_or_default();
        let Some(end) = memmem::find(body, b"-----END ") else { break };
        let inner = body.get(..end).unwrap_or_default();
        if normalize(inner).len() >= SHORTEST_PEM_BODY {
            bodies.push(Zeroizing::new(inner.trim_ascii().to_vec()));
        }
        rest = body.get(end..).unwrap_or_default();
    }
    bodies
}

/// The beginning and the end of a value that normalization removes.
fn dropped(form: &[u8]) -> (&[u8], &[u8]) {
    let start = form.iter().take_while(|byte| is_dropped(**byte)).count();
    let end = form.len() - form.iter().rev().take_while(|byte| is_dropped(**byte)).count();
    (form.get(..start).unwrap_or_default(), form.get(end..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use keyferry_types::secret::Secret;

    use super::*;

    fn possible(secrets: &[&str], text: &str) -> Vec<String> {
        let mut needles = Needles::default();
        for secret in secrets {
            needles.add(SharedSecret::new(Secret::new(*secret)));
        }
        let normalized = normalize(text.as_bytes());
        let mut found = needles.possible_in(&needles.normalized, &normalized);
        found.extend(needles.possible_in(&needles.exact, text.as_bytes()));
        let mut found: Vec<_> = found.iter().map(|n| String::from_utf8(n.bytes.to_vec()).unwrap()).collect();
        found.sort();
        found
    }

    #[test]
    fn what_begins_otherwise_is_not_searched_for() {
        let secrets = ["sk_live_one1", "sk_live_two2", "other", "no"];
        assert_eq!(possible(&secrets, "nothing of the kind"), Vec::<String>::new());
        assert_eq!(
            possible(&secrets, "in SK_live_three there is one that begins so"),
            ["sk_live_one1", "sk_live_two2"]
        );
        assert_eq!(possible(&secrets, "other"), ["other"]);
        assert_eq!(possible(&secrets, "OTHER"), Vec::<String>::new());
        assert_eq!(possible(&secrets, "othe"), Vec::<String>::new());
        assert_eq!(possible(&secrets, ""), Vec::<String>::new());
        assert_eq!(possible(&secrets, "rehto"), ["rehto"]);
    }

    #[test]
    fn case_counts_for_words_and_for_what_is_short() {
        for (value, mode) in [
            ("no", MatchMode::WholeString),
            ("test", MatchMode::Exact),
            ("s3cr3t", MatchMode::Exact),
            ("password", MatchMode::Exact),
            ("Sandbox Account", MatchMode::Exact),
            ("s3cr3t-value", MatchMode::Normalized),
            ("abcdefghijklmnop", MatchMode::Normalized),
            ("\"\"\"\"\"\"\"\"\"\"\"\"", MatchMode::Exact),
        ] {
            assert!(match_mode(value) == mode, "{value}");
        }
    }

    #[test]
    fn a_value_has_another_form_for_each_other_meaning_and_hardly_ever_one() {
        for (value, count) in [
            ("sk_live_0123456789", 0),
            ("with a space 0123", 1),
            ("abc%2Fdef&amp;0123", 1),
            ("abc=3Ddef0123456", 1),
            ("-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n-----END KEY-----\n", 2),
        ] {
            assert_eq!(other_forms(value, MatchMode::Normalized).len(), count, "{value}");
        }
    }
}
