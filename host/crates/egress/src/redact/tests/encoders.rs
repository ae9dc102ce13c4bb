//! Encoders that encode each character alone, so that the encoding of a part is in the encoding of the whole.

use std::fmt::Write as _;

use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};

/// `encodeURIComponent` of JavaScript.
const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*');
/// `quote` of Python keeps the slash.
const SLASHES: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');
/// Encodes almost nothing.
const FEW: &AsciiSet = &CONTROLS.add(b'\\').add(b' ').add(b'%').add(b'"').add(b'<').add(b'>');

/// One encoder.
#[derive(Debug)]
pub(super) struct Encoder {
    pub(super) name: &'static str,
    pub(super) encode: fn(&str) -> String,
}

const fn encoder(name: &'static str, encode: fn(&str) -> String) -> Encoder {
    Encoder { name, encode }
}

pub(super) const ALL: &[Encoder] = &[
    encoder("as it is", str::to_owned),
    encoder("percent, strict", |text| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()),
    encoder("percent, component", |text| utf8_percent_encode(text, COMPONENT).to_string()),
    encoder("percent, slashes", |text| utf8_percent_encode(text, SLASHES).to_string()),
    encoder("percent, few", |text| utf8_percent_encode(text, FEW).to_string()),
    encoder("percent, lower case", |text| bytes(text, |byte| format!("%{byte:02x}"))),
    encoder("form", |text| utf8_percent_encode(text, COMPONENT).to_string().replace("%20", "+")),
    encoder("JavaScript escape", |text| units(text, is_word, |unit| format!("%u{unit:04X}"))),
    encoder("JSON", json),
    encoder("JSON, slashes", |text| json(text).replace('/', "\\/")),
    encoder("JSON, all escaped", |text| units(text, |_| false, |unit| format!("\\u{unit:04x}"))),
    encoder("JSON, symbols escaped", |text| units(text, is_word, |unit| format!("\\u{unit:04X}"))),
    encoder("hexadecimal escapes", |text| bytes(text, |byte| format!("\\x{byte:02x}"))),
    encoder("octal escapes", |text| bytes(text, |byte| format!("\\{byte:03o}"))),
    encoder("braced escapes", |text| chars(text, |c| format!("\\u{{{:x}}}", u32::from(c)))),
    encoder("long escapes", |text| chars(text, |c| format!("\\U{:08X}", u32::from(c)))),
    encoder("HTML, decimal", |text| chars(text, |c| format!("&#{};", u32::from(c)))),
    encoder("HTML, padded", |text| chars(text, |c| format!("&#{:05};", u32::from(c)))),
    encoder("HTML, hexadecimal", |text| chars(text, |c| format!("&#x{:X};", u32::from(c)))),
    encoder("HTML, named", html),
    encoder("backslashes", |text| chars(text, |c| if is_symbol(c) { format!("\\{c}") } else { c.to_string() })),
    encoder("quoted-printable", |text| bytes(text, |byte| format!("={byte:02X}"))),
    encoder("quoted-printable, short lines", |text| parted(text, "=\r\n")),
    encoder("UTF-16", |text| parted(text, "\0")),
];

/// Encoders that only work first in a chain: they would break an escape of another encoder, or change its case.
pub(super) const FIRST: &[Encoder] = &[
    encoder("upper case", str::to_ascii_uppercase),
    encoder("lower case", str::to_ascii_lowercase),
    encoder("short lines", |text| parted(text, "\r\n\t")),
    encoder("word breaks", |text| parted(text, "<wbr>")),
    encoder("zero width", |text| parted(text, "\u{200b}")),
];

fn is_symbol(c: char) -> bool {
    c.is_ascii_punctuation() || c == ' '
}

/// With something between its characters.
fn parted(text: &str, between: &str) -> String {
    text.chars().map(String::from).collect::<Vec<_>>().join(between)
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric()
}

fn chars(text: &str, write: impl Fn(char) -> String) -> String {
    text.chars().map(write).collect()
}

fn bytes(text: &str, write: impl Fn(u8) -> String) -> String {
    text.bytes().map(write).collect()
}

fn units(text: &str, keep: impl Fn(char) -> bool, write: impl Fn(u16) -> String) -> String {
    text.chars().fold(String::new(), |mut all, c| {
        if keep(c) {
            all.push(c);
        } else {
            c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| all.push_str(&write(*unit)));
        }
        all
    })
}

fn json(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

fn html(text: &str) -> String {
    text.chars().fold(String::new(), |mut all, c| {
        match c {
            '&' => all.push_str("&amp;"),
            '<' => all.push_str("&lt;"),
            '>' => all.push_str("&gt;"),
            '"' => all.push_str("&quot;"),
            '\'' => all.push_str("&apos;"),
            '=' => all.push_str("&equals;"),
            '/' => all.push_str("&sol;"),
            '+' => all.push_str("&plus;"),
            'é' => all.push_str("&eacute;"),
            c if c.is_ascii() => all.push(c),
            c => _ = write!(all, "&#{};", u32::from(c)),
        }
        all
    })
}
