//! Quotes of any kind around a value, and blanks around those.

use keyferry_types::invisible::is_invisible;

/// The name of a typographic quote. Keys contain none; word processors substitute them for straight ones.
pub(super) fn curly_quote(c: char) -> Option<&'static str> {
    Some(match c {
        '\u{2018}' => "left single quotation mark",
        '\u{2019}' => "right single quotation mark",
        '\u{201A}' => "single low-9 quotation mark",
        '\u{201B}' => "single high-reversed-9 quotation mark",
        '\u{201C}' => "left double quotation mark",
        '\u{201D}' => "right double quotation mark",
        '\u{201E}' => "double low-9 quotation mark",
        '\u{201F}' => "double high-reversed-9 quotation mark",
        _ => return None,
    })
}

/// Whether a character is white space or cannot be seen.
pub(super) fn is_blank(c: char) -> bool {
    c.is_whitespace() || (is_invisible(c) && !c.is_control())
}

/// The kind of quote that a character is. Straight and curly ones of a kind are one kind: word processors mix them.
#[derive(PartialEq, Eq, Clone, Copy)]
enum Quote {
    Single,
    Double,
}

fn quote(c: char) -> Option<Quote> {
    match c {
        '"' | '\u{201C}'..='\u{201F}' | '\u{AB}' | '\u{BB}' | '\u{FF02}' => Some(Quote::Double),
        '\'' | '`' | '\u{2018}'..='\u{201B}' | '\u{2039}' | '\u{203A}' | '\u{FF07}' => Some(Quote::Single),
        _ => None,
    }
}

/// The text inside pairs of quotes, if they enclose the whole text and no other quote of their kind stands further in:
/// `"a" "b"` is two values, and stays.
pub(super) fn unquoted(text: &str) -> Option<&str> {
    // As JSON has it that is in JSON.
    let escaped = text.strip_prefix("\\\"").and_then(|rest| rest.strip_suffix("\\\""));
    if let Some(inner) = escaped.filter(|inner| !inner.contains('"')) {
        return Some(inner);
    }
    quote(text.chars().next()?)?;
    // The end of a line of JSON or of a program.
    let ended = text.strip_suffix([',', ';']).map(|rest| rest.trim_end_matches(is_blank));
    let enclosed = ended.unwrap_or(text);
    let core = enclosed.trim_matches(|c| quote(c).is_some() || is_blank(c));
    let inside = |kind| core.chars().any(|c| quote(c) == Some(kind));
    let (has_single, has_double) = (inside(Quote::Single), inside(Quote::Double));
    let mut left = enclosed;
    while let Some(inner) = pair(left) {
        let (kind, inner) = inner;
        if (kind == Quote::Single && has_single) || (kind == Quote::Double && has_double) {
            break;
        }
        left = inner.trim_matches(is_blank);
    }
    (left.len() < enclosed.len()).then_some(left)
}

/// The kind of the quotes at both ends, and what is between them.
fn pair(text: &str) -> Option<(Quote, &str)> {
    let (first, last) = (text.chars().next()?, text.chars().next_back()?);
    let inner = text.get(first.len_utf8()..text.len().checked_sub(last.len_utf8())?)?;
    quote(first).filter(|kind| quote(last) == Some(*kind)).map(|kind| (kind, inner))
}
