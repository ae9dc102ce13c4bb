//! [`Spelling`]: the ways in which a server may say a secret again.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{GeneralPurpose, STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use percent_encoding::{AsciiSet, utf8_percent_encode};
use zeroize::Zeroizing;

use super::encode::{COMPONENT, SEGMENT, STRICT};

/// The least length of a piece of base64 that is searched for inside a longer one. Shorter ones occur by chance.
const SHORTEST_BASE64: usize = 6;

/// Of a value so much is spelled to see how a spelling begins. A multiple of three, at which base64 can be cut.
const HEAD: usize = 24;

/// How much of a spelling is its beginning.
pub(super) const BEGINNING: usize = 4;

/// A way to write a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spelling {
    Itself,
    Percent(Reserved, HexCase, Space),
    Json(Json),
    Html(Quote),
    Base64(Alphabet, Padding),
    /// In base64 of something longer, in which it begins so many bytes (modulo 3) after the beginning.
    InBase64(Alphabet, usize),
    Hex(HexCase),
    /// A server that takes a value for a header's name says it in lower case.
    LowerCase,
    Reversed,
}

/// What percent-encoding leaves as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reserved {
    Strict,
    Segment,
    Component,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HexCase {
    Lower,
    Upper,
}

/// How a space is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Space {
    Percent,
    Plus,
}

/// Which serializer wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Json {
    Plain,
    /// With `/` escaped, as PHP does.
    Slashes,
    Ascii(HexCase),
    /// So that it can stand in HTML, as Go and Rails do.
    ForHtml,
    DotNet,
}

/// How HTML writes `"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quote {
    Named,
    Numbered,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Alphabet {
    Standard,
    Url,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Padding {
    Padded,
    Bare,
}

/// Those that differ from each other for any value.
const ALWAYS: [Spelling; 15] = [
    Spelling::Itself,
    Spelling::Base64(Alphabet::Standard, Padding::Padded),
    Spelling::Base64(Alphabet::Standard, Padding::Bare),
    Spelling::Base64(Alphabet::Url, Padding::Padded),
    Spelling::Base64(Alphabet::Url, Padding::Bare),
    Spelling::InBase64(Alphabet::Standard, 0),
    Spelling::InBase64(Alphabet::Url, 0),
    Spelling::InBase64(Alphabet::Standard, 1),
    Spelling::InBase64(Alphabet::Url, 1),
    Spelling::InBase64(Alphabet::Standard, 2),
    Spelling::InBase64(Alphabet::Url, 2),
    Spelling::Hex(HexCase::Lower),
    Spelling::Hex(HexCase::Upper),
    Spelling::LowerCase,
    Spelling::Reversed,
];

/// Those in which single characters stand otherwise.
const ESCAPING: [Spelling; 20] = [
    Spelling::Percent(Reserved::Strict, HexCase::Upper, Space::Percent),
    Spelling::Percent(Reserved::Strict, HexCase::Upper, Space::Plus),
    Spelling::Percent(Reserved::Strict, HexCase::Lower, Space::Percent),
    Spelling::Percent(Reserved::Strict, HexCase::Lower, Space::Plus),
    Spelling::Percent(Reserved::Segment, HexCase::Upper, Space::Percent),
    Spelling::Percent(Reserved::Segment, HexCase::Upper, Space::Plus),
    Spelling::Percent(Reserved::Segment, HexCase::Lower, Space::Percent),
    Spelling::Percent(Reserved::Segment, HexCase::Lower, Space::Plus),
    Spelling::Percent(Reserved::Component, HexCase::Upper, Space::Percent),
    Spelling::Percent(Reserved::Component, HexCase::Upper, Space::Plus),
    Spelling::Percent(Reserved::Component, HexCase::Lower, Space::Percent),
    Spelling::Percent(Reserved::Component, HexCase::Lower, Space::Plus),
    Spelling::Json(Json::Plain),
    Spelling::Json(Json::Slashes),
    Spelling::Json(Json::Ascii(HexCase::Lower)),
    Spelling::Json(Json::Ascii(HexCase::Upper)),
    Spelling::Json(Json::ForHtml),
    Spelling::Json(Json::DotNet),
    Spelling::Html(Quote::Named),
    Spelling::Html(Quote::Numbered),
];

impl Spelling {
    /// All that a value has to be searched for in.
    pub(super) fn all_of(value: &str) -> impl Iterator<Item = Self> {
        let escaping = if value.bytes().all(is_always_itself) { [].iter() } else { ESCAPING.iter() };
        ALWAYS.iter().chain(escaping).copied()
    }

    /// A value, written so. None where what is left of it would occur by chance.
    ///
    /// None of them is shorter than the value.
    pub(super) fn of(self, value: &str) -> Option<Zeroizing<String>> {
        let text = match self {
            Self::Itself => value.to_owned(),
            Self::Percent(reserved, case, space) => {
                let encoded = Zeroizing::new(percent(value, reserved.set()));
                let encoded = match case {
                    HexCase::Upper => encoded,
                    HexCase::Lower => Zeroizing::new(lower_hex(&encoded)),
                };
                match space {
                    Space::Percent => return Some(encoded),
                    Space::Plus => encoded.replace("%20", "+"),
                }
            }
            Self::Json(Json::DotNet) => json_of_dotnet(value),
            Self::Json(json) => {
                let escaped = Zeroizing::new(json_escaped(value));
                match json {
                    Json::Plain | Json::DotNet => return Some(escaped),
                    Json::Slashes => escaped.replace('/', "\\/"),
                    Json::Ascii(case) => json_ascii(&escaped, case),
                    Json::ForHtml => json_for_html(&escaped),
                }
            }
            Self::Html(Quote::Named) => html_escaped(value),
            Self::Html(Quote::Numbered) => Zeroizing::new(html_escaped(value)).replace("&quot;", "&#34;"),
            Self::LowerCase => value.to_ascii_lowercase(),
            Self::Reversed => value.chars().rev().collect(),
            Self::Base64(..) | Self::InBase64(..) | Self::Hex(_) => return self.of_bytes(value.as_bytes()),
        };
        Some(Zeroizing::new(text))
    }

    /// How a value begins, written so: the first four bytes of what [`of`](Self::of) gives, without writing all of it.
    pub(super) fn beginning_of(self, value: &str) -> Option<[u8; BEGINNING]> {
        let spelled = match self {
            Self::Base64(..) | Self::InBase64(..) | Self::Hex(_) => {
                self.of_bytes(value.as_bytes().get(..HEAD).unwrap_or(value.as_bytes()))
            }
            Self::Reversed => {
                let tail = value.ceil_char_boundary(value.len().saturating_sub(HEAD));
                self.of(value.get(tail..).unwrap_or(value))
            }
            _ => self.of(value.get(..value.floor_char_boundary(HEAD)).unwrap_or(value)),
        };
        spelled?.as_bytes().first_chunk().copied()
    }

    fn of_bytes(self, value: &[u8]) -> Option<Zeroizing<String>> {
        let text = match self {
            Self::Base64(alphabet, padding) => alphabet.engine(padding).encode(value),
            Self::InBase64(alphabet, offset) => inside_longer_base64(value, offset, alphabet.engine(Padding::Bare))?,
            Self::Hex(HexCase::Lower) => hex::encode(value),
            Self::Hex(HexCase::Upper) => hex::encode_upper(value),
            _ => return None,
        };
        Some(Zeroizing::new(text))
    }
}

impl Reserved {
    fn set(self) -> &'static AsciiSet {
        match self {
            Self::Strict => STRICT,
            Self::Segment => SEGMENT,
            Self::Component => COMPONENT,
        }
    }
}

impl Alphabet {
    fn engine(self, padding: Padding) -> &'static GeneralPurpose {
        match (self, padding) {
            (Self::Standard, Padding::Padded) => &STANDARD,
            (Self::Standard, Padding::Bare) => &STANDARD_NO_PAD,
            (Self::Url, Padding::Padded) => &URL_SAFE,
            (Self::Url, Padding::Bare) => &URL_SAFE_NO_PAD,
        }
    }
}

/// Whether no spelling of text writes this character otherwise.
fn is_always_itself(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

pub(super) fn percent(value: &str, set: &'static AsciiSet) -> String {
    utf8_percent_encode(value, set).to_string()
}

/// `%2F` to `%2f`, and nothing else.
pub(super) fn lower_hex(encoded: &str) -> String {
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
pub(super) fn json_escaped(value: &str) -> String {
    let quoted = Zeroizing::new(serde_json::Value::from(value).to_string());
    quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or_default().to_owned()
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

pub(super) fn html_escaped(value: &str) -> String {
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
fn inside_longer_base64(value: &[u8], offset: usize, engine: &impl base64::Engine) -> Option<String> {
    let mut padded = Zeroizing::new(vec![0; offset]);
    padded.extend_from_slice(value);
    let encoded = Zeroizing::new(engine.encode(padded.as_slice()));
    let inner = encoded.get((offset * 8).div_ceil(6)..padded.len() * 8 / 6)?;
    (inner.len() >= SHORTEST_BASE64).then(|| inner.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_spelling_begins_as_it_is_said_to_and_is_no_shorter_than_the_value(value in "\\PC{4,80}") {
            for spelling in ALWAYS.iter().chain(&ESCAPING) {
                let spelled = spelling.of(&value);
                let beginning = spelled.as_ref().and_then(|spelled| spelled.as_bytes().first_chunk().copied());
                prop_assert_eq!(spelling.beginning_of(&value), beginning, "{:?}", spelling);
                prop_assert!(spelled.is_none_or(|spelled| spelled.len() >= value.len()), "{:?}", spelling);
            }
        }

        #[test]
        fn what_is_always_itself_is_so_in_every_spelling_that_escapes(value in "[a-zA-Z0-9._~-]{4,40}") {
            for spelling in ESCAPING {
                prop_assert_eq!(&**spelling.of(&value).unwrap(), &value);
            }
        }
    }
}
