//! Taking secrets out of what a server said, in every spelling in which it may echo them.
//!
//! Needles that can be in a text are searched one by one and the places found are united before they are replaced. An automaton over all of
//! them would find leftmost matches that do not overlap, and so leave the tail of a secret that begins inside another;
//! it would also keep copies of the secrets in memory that is not wiped.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use memchr::memmem;
use percent_encoding::{AsciiSet, utf8_percent_encode};
use zeroize::Zeroizing;

use super::encode::{COMPONENT, SEGMENT, STRICT};
use super::needles::{Needles, Place};

/// What stands in a secret's place.
pub(super) const MASK: &str = "***";

/// A value shorter than this is replaced only where it is the whole of a quoted string or of the text. Replaced anywhere,
/// a value such as `1` or `no` would tear every answer apart, and protect nothing: so short a value can be guessed.
const SHORTEST_ANYWHERE: usize = 4;

/// The least length of a piece of base64 that is searched for inside a longer one. Shorter ones occur by chance.
const SHORTEST_BASE64: usize = 6;

/// The spellings of all known secrets.
#[derive(Default)]
pub(super) struct Redactor {
    needles: Needles,
}

impl Redactor {
    /// Adds every spelling of a value.
    pub(super) fn add(&mut self, value: &str) {
        self.add_spellings(value);
        // What a header carries loses the spaces around it.
        if value.trim() != value {
            self.add_spellings(value.trim());
        }
    }

    fn add_spellings(&mut self, value: &str) {
        if value.len() < SHORTEST_ANYWHERE {
            return self.needles.push(Zeroizing::new(value.as_bytes().to_vec()), Place::WholeString);
        }
        let anywhere = |text: String| Zeroizing::new(text.into_bytes());
        let mut spellings = vec![anywhere(value.to_owned())];
        if !value.bytes().all(is_always_itself) {
            self.add_escaped(value);
        }
        for engine in [&STANDARD, &STANDARD_NO_PAD, &URL_SAFE, &URL_SAFE_NO_PAD] {
            spellings.push(anywhere(engine.encode(value)));
        }
        spellings.push(anywhere(hex::encode(value)));
        spellings.push(anywhere(hex::encode_upper(value)));
        // A server that takes a value for a header's name says it in lower case.
        spellings.push(anywhere(value.to_ascii_lowercase()));
        spellings.push(anywhere(value.chars().rev().collect()));
        for offset in 0..3 {
            for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
                if let Some(inner) = inside_longer_base64(value, offset, engine) {
                    spellings.push(anywhere(inner));
                }
            }
        }
        for bytes in spellings {
            self.needles.push(bytes, Place::Anywhere);
        }
    }

    /// Adds the spellings in which single characters stand otherwise.
    fn add_escaped(&mut self, value: &str) {
        let anywhere = |text: String| Zeroizing::new(text.into_bytes());
        let mut spellings = Vec::new();
        for set in [STRICT, SEGMENT, COMPONENT] {
            let encoded = Zeroizing::new(percent(value, set));
            spellings.push(anywhere(encoded.replace("%20", "+")));
            spellings.push(anywhere(lower_hex(&encoded)));
            spellings.push(anywhere(lower_hex(&encoded).replace("%20", "+")));
            spellings.push(anywhere(encoded.to_string()));
        }
        let escaped = Zeroizing::new(json_escaped(value));
        spellings.push(anywhere(escaped.replace('/', "\\/")));
        spellings.push(anywhere(json_ascii(&escaped, HexCase::Lower)));
        spellings.push(anywhere(json_ascii(&escaped, HexCase::Upper)));
        spellings.push(anywhere(json_for_html(&escaped)));
        spellings.push(anywhere(json_of_dotnet(value)));
        spellings.push(anywhere(escaped.to_string()));
        spellings.push(anywhere(html_escaped(value)));
        spellings.push(anywhere(html_escaped(value).replace("&quot;", "&#34;")));
        for bytes in spellings {
            self.needles.push(bytes, Place::Anywhere);
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
            let finder = memmem::Finder::new(needle.bytes.as_slice());
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

/// Whether no spelling of text writes this character otherwise.
fn is_always_itself(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

fn is_whole_string(text: &[u8], place: &Range<usize>) -> bool {
    let before = place.start.checked_sub(1).and_then(|at| text.get(at));
    match (before, text.get(place.end)) {
        (None, None) => true,
        (Some(before), Some(after)) => before == after && matches!(before, b'"' | b'\''),
        _ => false,
    }
}

fn percent(value: &str, set: &'static AsciiSet) -> String {
    utf8_percent_encode(value, set).to_string()
}

/// `%2F` to `%2f`, and nothing else.
fn lower_hex(encoded: &str) -> String {
    let mut digits_left = 0_u8;
    let lower = |c: char| {
        if c == '%' {
            digits_left = 2;
            return c;
        }
        let is_digit = digits_left > 0;
        digits_left = digits_left.saturating_sub(1);
        if is_digit { c.to_ascii_lowercase() } else { c }
    };
    encoded.chars().map(lower).collect()
}

/// The inside of the JSON string that says this value.
fn json_escaped(value: &str) -> String {
    let quoted = Zeroizing::new(serde_json::Value::from(value).to_string());
    quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or_default().to_owned()
}

#[derive(Clone, Copy)]
enum HexCase {
    Lower,
    Upper,
}

/// The same in ASCII alone, as many serializers write it.
fn json_ascii(escaped: &str, case: HexCase) -> String {
    let mut ascii = String::with_capacity(escaped.len());
    let mut units = [0; 2];
    for c in escaped.chars() {
        if c.is_ascii() {
            ascii.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut units) {
            // Writing to a string cannot fail.
            let _ = match case {
                HexCase::Lower => write!(ascii, "\\u{unit:04x}"),
                HexCase::Upper => write!(ascii, "\\u{unit:04X}"),
            };
        }
    }
    ascii
}

/// As Go and Rails write it, so that it can stand in HTML (`encoding/json`, `ActiveSupport::JSON`).
fn json_for_html(escaped: &str) -> String {
    escaped.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

/// As .NET writes it (`JavaScriptEncoder.Default`): ASCII alone, and of that not the characters that mean something in HTML.
fn json_of_dotnet(value: &str) -> String {
    let mut json = String::with_capacity(value.len());
    let mut units = [0; 2];
    for c in value.chars() {
        match c {
            '\\' => json.push_str("\\\\"),
            '\n' => json.push_str("\\n"),
            '\r' => json.push_str("\\r"),
            '\t' => json.push_str("\\t"),
            '"' | '&' | '\'' | '+' | '<' | '>' | '`' => _ = write!(json, "\\u{:04X}", u32::from(c)),
            ' '..='~' => json.push(c),
            other => {
                for unit in other.encode_utf16(&mut units) {
                    // Writing to a string cannot fail.
                    let _ = write!(json, "\\u{unit:04X}");
                }
            }
        }
    }
    json
}

fn html_escaped(value: &str) -> String {
    let mut html = String::with_capacity(value.len());
    for c in value.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            other => html.push(other),
        }
    }
    html
}

/// The characters that a value gives to base64 of something longer, if it begins `offset` bytes (modulo 3) into that.
///
/// Each character says 6 bits, so the first may also hold bits of what stands before, and the last of what comes after:
/// those two are left out.
fn inside_longer_base64(value: &str, offset: usize, engine: &impl base64::Engine) -> Option<String> {
    let mut padded = Zeroizing::new(vec![0; offset]);
    padded.extend_from_slice(value.as_bytes());
    let encoded = Zeroizing::new(engine.encode(padded.as_slice()));
    let inner = encoded.get((offset * 8).div_ceil(6)..padded.len() * 8 / 6)?;
    (inner.len() >= SHORTEST_BASE64).then(|| inner.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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
