//! Reading one escape of any programming language, of a URL, of HTML or of a mail, without knowing which it is.

use super::entities;

/// Whether `=3D` is read as quoted-printable. In `token=abcdef` it is not what it looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum QuotedPrintable {
    Kept,
    Decoded,
}

/// An escape that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Escape {
    /// Bytes that it takes up.
    pub(super) length: usize,
    bytes: [u8; 4],
    count: usize,
}

impl Escape {
    /// The text that the escape represents.
    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.count).unwrap_or_default()
    }

    fn nothing(length: usize) -> Self {
        Self { length, bytes: [0; 4], count: 0 }
    }

    fn byte(length: usize, byte: u8) -> Self {
        Self { length, bytes: [byte, 0, 0, 0], count: 1 }
    }

    fn char(length: usize, c: char) -> Self {
        let mut bytes = [0; 4];
        let count = c.encode_utf8(&mut bytes).len();
        Self { length, bytes, count }
    }

    fn code_point(length: usize, value: u32) -> Option<Self> {
        char::from_u32(value).map(|c| Self::char(length, c))
    }
}

/// The bytes with which an escape can begin.
#[expect(clippy::indexing_slicing, reason = "the compiler does it")]
const BEGIN: [bool; 256] = {
    let mut table = [false; 256];
    let bytes = b"\\%&=<'?\0";
    let mut at = 0;
    while at < bytes.len() {
        table[bytes[at] as usize] = true;
        at += 1;
    }
    table
};

/// More than what a line break leaves of an escape in its line.
const LONGEST_PARTED: usize = 10;

/// Whether an escape can begin with this byte.
pub(super) fn can_begin(byte: u8) -> bool {
    BEGIN.get(usize::from(byte)).copied().unwrap_or_default()
}

/// The escape that a text begins with.
pub(super) fn read(text: &[u8], quoted: QuotedPrintable) -> Option<Escape> {
    match text.first()? {
        b'\\' => backslash(text),
        b'%' => percent(text),
        b'&' => entity(text),
        b'=' => quoted_printable(text, quoted),
        b'<' => line_break(text),
        b'\'' => shell_quote(text),
        b'?' => encoded_words(text),
        // ASCII in UTF-16 is ASCII with these between.
        0 => Some(Escape::nothing(1)),
        _ => None,
    }
}

/// Whether some `=` of a text may be that of quoted-printable.
pub(super) fn may_be_quoted_printable(text: &[u8]) -> bool {
    memchr::memchr_iter(b'=', text).any(|at| text.get(at + 1..at + 3).and_then(mail_byte).is_some())
}

/// JSON, JavaScript, C, Go, Python, PHP, Ruby, Rust, Java and shells.
fn backslash(text: &[u8]) -> Option<Escape> {
    match *text.get(1)? {
        b'u' => utf16(text, b"\\u"),
        b'U' => Escape::code_point(10, hex(text.get(2..10)?)?),
        b'x' if text.get(2) == Some(&b'{') => braced(text, 3),
        b'x' => Some(Escape::byte(4, u8::try_from(hex(text.get(2..4)?)?).ok()?)),
        b'0'..=b'7' => octal(text),
        b'n' => Some(Escape::byte(2, b'\n')),
        b'r' => Some(Escape::byte(2, b'\r')),
        b't' => Some(Escape::byte(2, b'\t')),
        b'a' | b'b' | b'e' | b'f' | b'v' => Some(Escape::byte(2, 0x1b)),
        b'\n' => Some(Escape::nothing(2)),
        b'\r' => Some(Escape::nothing(if text.get(2) == Some(&b'\n') { 3 } else { 2 })),
        // What parts two characters of an escape comes after that was written, and is undone before it.
        b'=' | b'<' if parts(text.get(1..)?) => None,
        escaped if escaped == b' ' || escaped.is_ascii_punctuation() => Some(Escape::byte(2, escaped)),
        _ => None,
    }
}

/// Whether a text begins with a line break that was put into it.
fn parts(text: &[u8]) -> bool {
    quoted_printable(text, QuotedPrintable::Kept).or_else(|| line_break(text)).is_some()
}

/// `\u003d`, `\u{3d}`, `%u003d`, also as a pair of surrogates.
fn utf16(text: &[u8], prefix: &[u8; 2]) -> Option<Escape> {
    if text.get(2) == Some(&b'{') {
        return braced(text, 3);
    }
    // Java takes any number of `u`.
    let extra = text.get(2..)?.iter().take_while(|byte| **byte == b'u').count();
    let start = 2 + extra;
    let unit = hex(text.get(start..start + 4)?)?;
    let after = text.get(start + 4..).unwrap_or_default();
    if let (0xD800..=0xDBFF, Some(low)) = (unit, after.strip_prefix(prefix).and_then(|low| hex(low.get(..4)?)))
        && (0xDC00..=0xDFFF).contains(&low)
    {
        return Escape::code_point(start + 10, 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00));
    }
    Escape::code_point(start + 4, unit)
}

/// `{3d}`, the digits of which begin at `start`.
fn braced(text: &[u8], start: usize) -> Option<Escape> {
    let rest = text.get(start..)?;
    let count = rest.iter().take(9).position(|byte| *byte == b'}')?;
    Escape::code_point(start + count + 1, hex(rest.get(..count)?)?)
}

fn octal(text: &[u8]) -> Option<Escape> {
    let digits = text.get(1..)?.iter().take(3).take_while(|byte| matches!(byte, b'0'..=b'7'));
    let mut value = 0;
    let mut count = 0;
    for digit in digits {
        let next = value * 8 + u32::from(digit - b'0');
        if next > 0xFF {
            break;
        }
        (value, count) = (next, count + 1);
    }
    Some(Escape::byte(1 + count, u8::try_from(value).ok()?))
}

/// `%3D` of URLs and forms, `%u003D` of JavaScript's `escape`.
fn percent(text: &[u8]) -> Option<Escape> {
    match text.get(1)? {
        b'u' => utf16(text, b"%u"),
        _ => Some(Escape::byte(3, u8::try_from(hex(text.get(1..3)?)?).ok()?)),
    }
}

/// `&#61;`, `&#x3D;`, `&equals;`, also without the semicolon.
fn entity(text: &[u8]) -> Option<Escape> {
    if text.get(1) != Some(&b'#') {
        let (length, value) = entities::named(text.get(1..)?)?;
        return Some(Escape::char(1 + length, value));
    }
    let (radix, start) = match text.get(2)? {
        b'x' | b'X' => (16, 3),
        _ => (10, 2),
    };
    let rest = text.get(start..)?;
    let zeros = rest.iter().take_while(|byte| **byte == b'0').count();
    let digits = rest.get(zeros..)?;
    let count = digits.iter().take(8).take_while(|byte| char::from(**byte).is_digit(radix)).count();
    if zeros + count == 0 {
        return None;
    }
    let value = |count: usize| {
        digits
            .iter()
            .take(count)
            .try_fold(0_u32, |value, byte| Some(value * radix + char::from(*byte).to_digit(radix)?))
    };
    if digits.get(count) == Some(&b';') {
        return Escape::code_point(start + zeros + count + 1, value(count)?);
    }
    // Without its end, what comes next may be a digit that does not belong to it: ASCII is the likely reading.
    let most = match value(3) {
        Some(100..=127) if radix == 10 => 3,
        _ => 2,
    };
    let count = count.min(most);
    Escape::code_point(start + zeros + count, value(count)?)
}

/// A soft line break, or `=3D`.
fn quoted_printable(text: &[u8], quoted: QuotedPrintable) -> Option<Escape> {
    let rest = text.strip_prefix(b"=")?;
    let blanks = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    match rest.get(blanks..)? {
        [b'\r', b'\n', ..] => return Some(Escape::nothing(blanks + 3)),
        [b'\n' | b'\r', ..] => return Some(Escape::nothing(blanks + 2)),
        _ => {}
    }
    match quoted {
        QuotedPrintable::Kept => None,
        QuotedPrintable::Decoded => Some(Escape::byte(3, mail_byte(rest.get(..2)?)?)),
    }
}

/// The byte that two digits of quoted-printable stand for. Both are of one case, unlike the beginning of most values after `=`.
fn mail_byte(digits: &[u8]) -> Option<u8> {
    let mixed = digits.iter().any(u8::is_ascii_uppercase) && digits.iter().any(u8::is_ascii_lowercase);
    if mixed { None } else { u8::try_from(hex(digits)?).ok() }
}

/// Where one encoded word of a mail's header (RFC 2047) ends and the next begins: `?=`, a blank, `=?utf-8?b?`.
fn encoded_words(text: &[u8]) -> Option<Escape> {
    let rest = text.strip_prefix(b"?=")?;
    let blanks = rest.iter().take(80).take_while(|byte| byte.is_ascii_whitespace()).count();
    let word = rest.get(blanks..)?.strip_prefix(b"=?")?;
    let charset = word.iter().take(40).position(|byte| *byte == b'?')?;
    match word.get(charset + 1..charset + 3)? {
        [b'b' | b'B' | b'q' | b'Q', b'?'] if blanks > 0 => Some(Escape::nothing(2 + blanks + 2 + charset + 3)),
        _ => None,
    }
}

/// Whether a line break parts some escape of a text, or two of one character: `%3`, a line break, `D`.
pub(super) fn is_parted(text: &[u8]) -> bool {
    memchr::memchr2_iter(b'\n', b'\r', text).any(|at| {
        let before = text.get(at.saturating_sub(LONGEST_PARTED)..at).unwrap_or_default();
        let Some(begin) = before.iter().rposition(|byte| matches!(byte, b'\\' | b'%' | b'&' | b'=')) else {
            return false;
        };
        let begun = before.get(begin + 1..).unwrap_or_default();
        let rest = begun.strip_prefix(b"#").unwrap_or(begun);
        match before.get(begin) {
            Some(b'%') => {
                let (digits, all) = begun.strip_prefix(b"u").map_or((begun, 2), |digits| (digits, 4));
                digits.len() < all && digits.iter().all(u8::is_ascii_hexdigit) || is_partial(begun)
            }
            Some(b'=') => is_partial(begun),
            Some(b'&') => !begun.ends_with(b";") && rest.iter().all(u8::is_ascii_alphanumeric),
            _ => begun.iter().all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b'u' | b'x' | b'U' | b'\\')),
        }
    })
}

/// Whether these digits are a byte of a character that has more.
fn is_partial(digits: &[u8]) -> bool {
    digits.len() == 2 && hex(digits).is_some_and(|byte| byte >= 0x80)
}

/// A line break of HTML, where a text was broken into lines.
fn line_break(text: &[u8]) -> Option<Escape> {
    const BREAKS: [&[u8]; 6] = [b"<br>", b"<br/>", b"<br />", b"<wbr>", b"<wbr/>", b"<wbr />"];
    let is_it = |tag: &&&[u8]| text.get(..tag.len()).is_some_and(|start| start.eq_ignore_ascii_case(tag));
    BREAKS.iter().find(is_it).map(|tag| Escape::nothing(tag.len()))
}

/// A quote inside a quoted word of a shell: `'\''` and `'"'"'`.
fn shell_quote(text: &[u8]) -> Option<Escape> {
    let quotes: [&[u8]; 2] = [b"'\\''", b"'\"'\"'"];
    quotes.iter().find(|quote| text.starts_with(quote)).map(|quote| Escape::byte(quote.len(), b'\''))
}

/// The value of these digits; `None` if there are no digits, or a character is not hexadecimal.
fn hex(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() || digits.len() > 8 {
        return None;
    }
    digits.iter().try_fold(0_u32, |value, digit| Some((value << 4) | char::from(*digit).to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_of_all_languages_are_read() {
        for (text, meaning) in [
            ("\\u003d", "="),
            ("\\u003D", "="),
            ("\\uuu003d", "="),
            ("\\u{3d}", "="),
            ("\\u{1F600}", "😀"),
            ("\\ud83d\\ude00", "😀"),
            ("\\U0001F600", "😀"),
            ("\\x3d", "="),
            ("\\x{3d}", "="),
            ("\\75", "="),
            ("\\075", "="),
            ("\\n", "\n"),
            ("\\/", "/"),
            ("\\\\", "\\"),
            ("\\\"", "\""),
            ("\\#", "#"),
            ("\\ ", " "),
            ("\\\r\n", ""),
            ("%3d", "="),
            ("%u003D", "="),
            ("%uD83D%uDE00", "😀"),
            ("&#61;", "="),
            ("&#061;", "="),
            ("&#x3D;", "="),
            ("&#X003d;", "="),
            ("&#61", "="),
            ("&#x3D", "="),
            ("&#124", "|"),
            ("&equals;", "="),
            ("&apos;", "'"),
            ("&AMP;", "&"),
            ("&amp", "&"),
            ("&ouml;", "ö"),
            ("=\r\n", ""),
            ("= \n", ""),
            ("<BR />", ""),
            ("'\\''", "'"),
            ("'\"'\"'", "'"),
            ("\0", ""),
            ("?=\r\n =?utf-8?b?", ""),
        ] {
            let escape = read(text.as_bytes(), QuotedPrintable::Kept).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((escape.bytes(), escape.length), (meaning.as_bytes(), text.len()), "{text}");
        }
        assert_eq!(read(b"=3D", QuotedPrintable::Kept), None);
        assert_eq!(read(b"=3D", QuotedPrintable::Decoded), Some(Escape::byte(3, b'=')));
    }

    #[test]
    fn an_entity_without_its_end_takes_no_digit_that_follows() {
        for (text, length, meaning) in
            [("&#61abc", 4, "="), ("&#x3Dabc", 5, "="), ("&#3912", 4, "'"), ("&amplify", 4, "&")]
        {
            let escape = read(text.as_bytes(), QuotedPrintable::Kept).unwrap();
            assert_eq!((escape.length, escape.bytes()), (length, meaning.as_bytes()), "{text}");
        }
    }

    #[test]
    fn what_only_begins_like_an_escape_is_none() {
        for text in [
            "",
            "a",
            "\\",
            "\\u",
            "\\u00",
            "\\u00g0",
            "\\ud83d",
            "\\x",
            "\\xg0",
            "\\q",
            "\\u{",
            "\\u{110000}",
            "%",
            "%4",
            "%zz",
            "%u00",
            "&",
            "&#",
            "&#;",
            "&#x;",
            "&nothing;",
            "& amp;",
            "=",
            "=a",
            "<b>",
            "<",
            "'",
            "\\U99999999",
        ] {
            assert_eq!(read(text.as_bytes(), QuotedPrintable::Kept), None, "{text}");
        }
    }
}
