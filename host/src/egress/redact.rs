//! Taking secrets out of what a server said, in every spelling in which it may echo them.
//!
//! Those spellings that a text can hold are searched for one by one, and the places found are united before they are replaced. An
//! automaton over all of them would find leftmost matches that do not overlap, and so leave the tail of a secret that begins
//! inside another; it would also keep thirty copies of each secret.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memmem;

use super::needles::{Needles, Place};

/// What stands in a secret's place.
pub(super) const MASK: &str = "***";

/// The spellings of all known secrets.
#[derive(Default)]
pub(super) struct Redactor {
    needles: Needles,
}

impl Redactor {
    /// Makes a value known in every spelling.
    pub(super) fn add(&mut self, value: &str) {
        self.needles.add(value);
        // What a header carries loses the spaces around it.
        if value.trim() != value {
            self.needles.add(value.trim());
        }
    }

    /// The text with every secret in it replaced.
    pub(super) fn redact<'t>(&self, text: &'t [u8]) -> Cow<'t, [u8]> {
        let places = self.places(text);
        if places.is_empty() {
            return Cow::Borrowed(text);
        }
        let mut clean = Vec::with_capacity(text.len());
        let mut end = 0;
        for place in places {
            clean.extend_from_slice(text.get(end..place.start).unwrap_or_default());
            clean.extend_from_slice(MASK.as_bytes());
            end = place.end;
        }
        clean.extend_from_slice(text.get(end..).unwrap_or_default());
        Cow::Owned(clean)
    }

    /// As [`redact`](Self::redact), for text. Needles are whole characters, so the rest stays text.
    pub(super) fn redact_text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match self.redact(text.as_bytes()) {
            Cow::Borrowed(_) => Cow::Borrowed(text),
            Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
        }
    }

    /// Where secrets stand, in order, united where they overlap or touch.
    pub(super) fn places(&self, text: &[u8]) -> Vec<Range<usize>> {
        let mut places: Vec<Range<usize>> = Vec::new();
        for needle in self.needles.possible_in(text) {
            let length = needle.bytes.len();
            let finder = memmem::Finder::new(needle.bytes.as_bytes());
            let mut from = 0;
            while let Some(found) = text.get(from..).and_then(|rest| finder.find(rest)) {
                let place = from + found..from + found + length;
                // One step on, not past the match: a value can overlap itself.
                from = place.start + 1;
                if needle.place == Place::Anywhere || is_whole_string(text, &place) {
                    places.push(place);
                }
            }
        }
        places.sort_unstable_by_key(|place| (place.start, place.end));
        let mut united: Vec<Range<usize>> = Vec::with_capacity(places.len());
        for place in places {
            match united.last_mut() {
                Some(last) if place.start <= last.end => last.end = last.end.max(place.end),
                _ => united.push(place),
            }
        }
        united
    }
}

fn is_whole_string(text: &[u8], place: &Range<usize>) -> bool {
    let before = place.start.checked_sub(1).and_then(|at| text.get(at));
    match (before, text.get(place.end)) {
        (None, None) => true,
        (Some(before), Some(after)) => before == after && matches!(before, b'"' | b'\''),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
    use proptest::prelude::*;

    use super::*;
    use crate::egress::encode::{COMPONENT, STRICT};
    use crate::egress::spelling::{html_escaped, json_escaped, lower_hex, percent};

    fn redactor(values: &[&str]) -> Redactor {
        let mut redactor = Redactor::default();
        for value in values {
            redactor.add(value);
        }
        redactor
    }

    #[test]
    fn a_secret_goes_in_every_spelling() {
        let secret = "p@ss w/örd\"+1%&'<x>";
        let redactor = redactor(&[secret]);
        for (echo, clean) in [
            ("p@ss w/örd\"+1%&'<x>", "***"),
            ("p%40ss%20w%2F%C3%B6rd%22%2B1%25%26%27%3Cx%3E", "***"),
            ("p%40ss%20w%2f%c3%b6rd%22%2b1%25%26%27%3cx%3e", "***"),
            ("p%40ss+w%2F%C3%B6rd%22%2B1%25%26%27%3Cx%3E", "***"),
            ("p%40ss+w%2f%c3%b6rd%22%2b1%25%26%27%3cx%3e", "***"),
            ("p%40ss%20w%2F%C3%B6rd%22%2B1%25%26'%3Cx%3E", "***"),
            ("/p@ss%20w%2F%C3%B6rd%22+1%25&'%3Cx%3E/me", "/***/me"),
            (r#"{"a":"p@ss w/örd\"+1%&'<x>"}"#, r#"{"a":"***"}"#),
            (r#"{"a":"p@ss w\/örd\"+1%&'<x>"}"#, r#"{"a":"***"}"#),
            (r#"{"a":"p@ss w/\u00f6rd\"+1%&'<x>"}"#, r#"{"a":"***"}"#),
            (r#"{"a":"p@ss w/\u00F6rd\"+1%&'<x>"}"#, r#"{"a":"***"}"#),
            (r#"{"a":"p@ss w/örd\"+1%\u0026'\u003cx\u003e"}"#, r#"{"a":"***"}"#),
            (r#"{"a":"p@ss w/\u00F6rd\u0022\u002B1%\u0026\u0027\u003Cx\u003E"}"#, r#"{"a":"***"}"#),
            ("<b>p@ss w/örd&#34;+1%&amp;&#39;&lt;x&gt;</b>", "<b>***</b>"),
            ("<b>p@ss w/örd&quot;+1%&amp;&#39;&lt;x&gt;</b>", "<b>***</b>"),
        ] {
            assert_eq!(redactor.redact_text(echo), clean, "{echo}");
        }
        for engine in [&STANDARD, &STANDARD_NO_PAD, &URL_SAFE, &URL_SAFE_NO_PAD] {
            assert_eq!(redactor.redact_text(&format!("[{}]", engine.encode(secret))), "[***]");
        }
        for echo in
            [hex::encode(secret), hex::encode_upper(secret), secret.chars().rev().collect(), secret.to_lowercase()]
        {
            assert_eq!(redactor.redact_text(&format!("[{echo}]")), "[***]");
        }
    }

    #[test]
    fn text_without_a_secret_stays_as_it_is() {
        let redactor = redactor(&["s3cr3t-value"]);
        for text in ["", "nothing", "s3cr3t", "S3CR3T-VALUE", "s3cr3t-valu"] {
            assert_eq!(redactor.redact_text(text), text);
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_searched_too() {
        assert_eq!(*redactor(&["s3cr3t"]).redact(b"\xff\x00s3cr3t\xfe"), *b"\xff\x00***\xfe");
    }

    #[test]
    fn overlapping_secrets_leave_no_tail() {
        let redactor = redactor(&["abcdef", "defghi", "aaaa"]);
        assert_eq!(redactor.redact_text("[abcdefghi]"), "[***]");
        assert_eq!(redactor.redact_text("[aaaaaa]"), "[***]");
        assert_eq!(redactor.redact_text("[abcdef-defghi]"), "[***-***]");
    }

    #[test]
    fn a_very_short_secret_goes_only_where_it_is_a_whole_string() {
        let redactor = redactor(&["no"]);
        assert_eq!(
            redactor.redact_text(r#"{"no":1,"a":"no","b":"none","c":"not no"}"#),
            r#"{"***":1,"a":"***","b":"none","c":"not no"}"#
        );
        assert_eq!(redactor.redact_text("no"), "***");
        assert_eq!(redactor.redact_text("no such thing"), "no such thing");
    }

    #[test]
    fn an_empty_secret_hides_nothing() {
        assert_eq!(redactor(&[""]).redact_text("abc"), "abc");
    }

    #[test]
    fn spaces_around_a_secret_may_be_lost_on_the_way() {
        assert_eq!(redactor(&[" s3cr3t\n"]).redact_text("[s3cr3t]"), "[***]");
    }

    proptest! {
        #[test]
        fn no_spelling_of_a_secret_survives(secret in "\\PC{6,40}", before in "[a-z]{0,5}", after in "[a-z]{0,5}") {
            let redactor = redactor(&[&secret]);
            let inside = format!("{before}{secret}{after}");
            for echo in [
                inside.clone(),
                percent(&inside, STRICT),
                percent(&inside, COMPONENT),
                lower_hex(&percent(&inside, STRICT)),
                json_escaped(&inside),
                html_escaped(&inside),
            ] {
                let clean = redactor.redact_text(&echo);
                prop_assert!(clean.contains(MASK), "{echo} gave {clean}");
                prop_assert!(!clean.contains(&secret) || MASK.contains(&secret));
            }
            // In base64 of something longer at most the characters at the two seams are left.
            for engine in [&STANDARD, &URL_SAFE] {
                let encoded = engine.encode(&inside);
                let clean = redactor.redact_text(&encoded);
                prop_assert!(clean.contains(MASK), "{encoded} gave {clean}");
                let seams = before.len().div_ceil(3) * 4 + after.len().div_ceil(3) * 4 + 2 * 4;
                prop_assert!(clean.len() <= MASK.len() + seams, "{encoded} gave {clean}");
            }
        }
    }
}
