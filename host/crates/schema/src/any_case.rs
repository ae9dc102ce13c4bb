//! Patterns that ignore case, for readers of another dialect of regular expressions: [`spelled_out`].

/// A pattern that begins with `(?i)` without it, each letter in both cases: `(?i)^[a-z]+\.Example$` becomes
/// `^[a-zA-Z]+\.[eE][xX][aA][mM][pP][lL][eE]$`. JSON Schema's dialect (ECMA-262) has no such switch. Any other pattern stays as
/// it is, and so does one with further groups of the kind `(?i:...)` or `(?P<...>...)`.
pub(super) fn spelled_out(pattern: &str) -> String {
    let Some(rest) = pattern.strip_prefix("(?i)") else { return pattern.to_owned() };
    if rest.replace("(?:", "").contains("(?") {
        return pattern.to_owned();
    }
    let mut text = String::with_capacity(rest.len() * 2);
    let mut chars = rest.chars().peekable();
    let mut is_in_class = false;
    while let Some(char) = chars.next() {
        match char {
            '\\' => {
                text.push(char);
                text.extend(chars.next());
                continue;
            }
            '[' => is_in_class = true,
            ']' => is_in_class = false,
            _ => {}
        }
        let end = if is_in_class && chars.peek() == Some(&'-') {
            let mut ahead = chars.clone();
            ahead.next();
            ahead.next().filter(|end| !matches!(end, ']' | '\\'))
        } else {
            None
        };
        if let Some(end) = end {
            chars.next();
            chars.next();
            text.extend([char, '-', end]);
            if let (Some(start), Some(end)) = (other_case(char), other_case(end)) {
                text.extend([start, '-', end]);
            }
            continue;
        }
        match other_case(char) {
            Some(other) if is_in_class => text.extend([char, other]),
            Some(other) => text.extend(['[', char, other, ']']),
            None => text.push(char),
        }
    }
    text
}

/// The letter in the other case.
fn other_case(char: char) -> Option<char> {
    match char {
        'a'..='z' => Some(char.to_ascii_uppercase()),
        'A'..='Z' => Some(char.to_ascii_lowercase()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use regex::Regex;

    use super::*;

    #[test]
    fn a_pattern_without_the_switch_matches_what_it_matched_with_it() {
        let patterns = [
            r"(?i)^(https?://)?[a-z0-9][a-z0-9-]{0,62}(/?|\.myshopify\.com\.?(:443)?([/?#].*)?)$",
            r"(?i)^[^\s/a]+\.Example$",
            r"(?i)^(?:\d{2}|x-[A-F_]+|[a.b-])\s?$",
        ];
        let texts = [
            "acme",
            "ACME-1",
            "Acme.MyShopify.COM",
            "HTTPS://acme.myshopify.com./Admin?x",
            "acme.example",
            "-acme",
            "b.eXAMPLE",
            "A.example",
            "42",
            "X-aF_",
            "x-ag",
            "-",
            "B ",
            "",
        ];
        for pattern in patterns {
            let (with, without) = (Regex::new(pattern).unwrap(), spelled_out(pattern));
            assert!(!without.contains("(?i"), "{without}");
            let without = Regex::new(&without).unwrap();
            for text in texts {
                assert_eq!(with.is_match(text), without.is_match(text), "{pattern} {text:?} {without}");
            }
        }
    }

    #[test]
    fn what_cannot_be_spelled_out_stays_as_it_is() {
        for pattern in ["^[a-z]+$", "a(?i)b", "(?i)a(?i:b)", "(?i)(?P<x>a)", ""] {
            assert_eq!(spelled_out(pattern), pattern);
        }
    }
}
