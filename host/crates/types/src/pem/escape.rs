//! The escapes that JSON, shells, URLs and markup put into a key: [`unescaped`].

use zeroize::Zeroizing;

/// Bytes of the longest reference to a character: `&equals;`, `&#x0000A;`.
const LONGEST_REFERENCE: usize = 10;

/// Names of characters that a key in PEM can hold, or that stand between its parts.
const NAMES: [(&str, char); 8] = [
    ("plus", '+'),
    ("sol", '/'),
    ("equals", '='),
    ("quot", '"'),
    ("apos", '\''),
    ("nbsp", ' '),
    ("NewLine", '\n'),
    ("dash", '-'),
];

/// The text with the escapes of JSON, shells, URLs, HTML and XML decoded. A key contains no backslash, percent sign, ampersand or
/// angle bracket, so any number of them is an escape.
pub(super) fn unescaped(text: &str) -> Zeroizing<String> {
    let is_form = text.contains("BEGIN+");
    let mut out = Zeroizing::new(String::with_capacity(text.len()));
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
        let (escaped, length) = match c {
            '\\' => {
                // An unknown escape, or the backslash of a shell's line continuation, is left out.
                rest = rest.trim_start_matches('\\');
                match backslashed(rest) {
                    Some(found) => found,
                    None => continue,
                }
            }
            '%' => rest.get(..2).and_then(code_point).map_or(('%', 0), |c| (c, 2)),
            '&' => reference(rest).unwrap_or(('&', 0)),
            '<' => line_break(rest).map_or(('<', 0), |length| ('\n', length)),
            '+' if is_form => (' ', 0),
            c => (c, 0),
        };
        out.push(escaped);
        rest = rest.get(length..).unwrap_or_default();
    }
    out
}

/// The character that stands behind backslashes, and its bytes there.
fn backslashed(rest: &str) -> Option<(char, usize)> {
    match rest.chars().next()? {
        'n' | 'r' => Some(('\n', 1)),
        't' => Some((' ', 1)),
        c @ ('/' | '"' | '\'' | '=' | '+' | '\n' | '\r') => Some((c, 1)),
        'u' => Some((rest.get(1..5).and_then(code_point)?, 5)),
        'x' => Some((rest.get(1..3).and_then(code_point)?, 3)),
        _ => None,
    }
}

/// The character that a reference names behind its `&`, and its bytes there with the `;`.
fn reference(rest: &str) -> Option<(char, usize)> {
    let end = rest.bytes().take(LONGEST_REFERENCE).position(|b| b == b';')?;
    let name = rest.get(..end)?;
    let c = match name.strip_prefix('#') {
        Some(number) => match number.strip_prefix(['x', 'X']) {
            Some(hex) => code_point(hex)?,
            None => char::from_u32(number.parse().ok()?)?,
        },
        None => NAMES.iter().find(|(known, _)| *known == name)?.1,
    };
    Some((c, end + 1))
}

/// The bytes of `br>`, `br/>` or `br />` behind a `<`.
fn line_break(rest: &str) -> Option<usize> {
    let tag = rest.get(..rest.bytes().take(6).position(|b| b == b'>')?)?;
    let name = tag.trim_end_matches(['/', ' ']);
    name.eq_ignore_ascii_case("br").then_some(tag.len() + 1)
}

fn code_point(hex: &str) -> Option<char> {
    let is_hex = !hex.is_empty() && hex.bytes().all(|b| b.is_ascii_hexdigit());
    if is_hex { char::from_u32(u32::from_str_radix(hex, 16).ok()?) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_decoded_and_what_is_none_stays() {
        for (text, plain) in [
            ("a\\nb", "a\nb"),
            ("a\\\\nb", "a\nb"),
            ("a\\u002bb\\x2Fc", "a+b/c"),
            ("a\\zb", "azb"),
            ("a%0Ab%2b%zz%", "a\nb+%zz%"),
            ("BEGIN+X+Y", "BEGIN X Y"),
            ("a+b", "a+b"),
            ("a&#10;b&#xA;c&#x0000D;d", "a\nb\nc\rd"),
            ("a&plus;&sol;&equals;&quot;", "a+/=\""),
            ("a&b;&#;&#x;&#99999999;&", "a&b;&#;&#x;&#99999999;&"),
            ("a<br>b<BR/>c<br />d", "a\nb\nc\nd"),
            ("a<b>c<", "a<b>c<"),
            ("é\\né", "é\né"),
            ("\\", ""),
        ] {
            assert_eq!(unescaped(text).as_str(), plain, "{text}");
        }
    }
}
