//! One step of undoing escapes: all escapes of a text at once, each by what it stands for.

use super::escape::{self, QuotedPrintable};
use super::offsets::Derived;

/// Layers of escapes that are undone, such as a URL in JSON in JSON.
pub(super) const MOST_DECODES: usize = 5;

/// The text with its escapes undone, those of all languages alike; `None` where it has none.
pub(super) fn decode(text: &[u8], quoted: QuotedPrintable) -> Option<Derived> {
    let (mut at, mut escape) = next(text, 0, quoted)?;
    // Nothing that is written is longer than what it stands for.
    let mut derived = Derived::with_capacity(text.len());
    let mut copied = 0;
    loop {
        derived.copy(copied, text.get(copied..at).unwrap_or_default());
        derived.escape(at, escape.length, escape.bytes());
        copied = at + escape.length;
        match next(text, copied, quoted) {
            Some(found) => (at, escape) = found,
            None => break,
        }
    }
    derived.copy(copied, text.get(copied..).unwrap_or_default());
    Some(derived)
}

/// The text in one line, blanks at the beginnings of its lines left out; `None` where no line break parts an escape.
pub(super) fn joined(text: &[u8]) -> Option<Derived> {
    if !escape::is_parted(text) {
        return None;
    }
    let mut derived = Derived::with_capacity(text.len());
    let mut at = 0;
    for line in text.split(|byte| matches!(byte, b'\n' | b'\r')) {
        let blanks = if at == 0 { 0 } else { line.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count() };
        derived.copy(at + blanks, line.get(blanks..).unwrap_or_default());
        at += line.len() + 1;
    }
    Some(derived)
}

/// The next escape from `from` on, and where it begins.
fn next(text: &[u8], from: usize, quoted: QuotedPrintable) -> Option<(usize, escape::Escape)> {
    let mut at = from;
    loop {
        let rest = text.get(at..)?;
        let begin = rest.iter().position(|byte| escape::can_begin(*byte))?;
        at += begin;
        match escape::read(rest.get(begin..)?, quoted) {
            Some(escape) => return Some((at, escape)),
            None => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decoded(text: &str) -> Option<String> {
        decode(text.as_bytes(), QuotedPrintable::Kept).map(|derived| String::from_utf8(derived.text.to_vec()).unwrap())
    }

    #[test]
    fn all_escapes_of_a_text_are_undone_at_once() {
        assert_eq!(decoded(r#"{"a":"x\u003d%2F&amp;\\n"}"#).unwrap(), r#"{"a":"x=/&\n"}"#);
        assert_eq!(decoded("nothing"), None);
        assert_eq!(decoded(""), None);
    }

    #[test]
    fn a_text_whose_line_breaks_part_its_escapes_is_read_in_one_line() {
        for text in ["a%3\n  Db", "a%\r\n3Db", "a&#x3\nD;b", "a\\u00\n3db", "a&am\np;b"] {
            let derived = joined(text.as_bytes()).unwrap_or_else(|| panic!("{text}"));
            assert!(!derived.text.contains(&b'\n') && derived.text.starts_with(b"a") && derived.text.ends_with(b"b"));
            assert_eq!(derived.offsets.source(&(0..derived.text.len())), 0..text.len());
        }
        for text in ["a%3D\nb", "a\nb", "{\n  \"a\": 1\n}", "x & y;\nb", ""] {
            assert!(joined(text.as_bytes()).is_none(), "{text}");
        }
    }

    #[test]
    fn what_was_decoded_is_known_by_where_it_came_from() {
        let text = "a%2Fb&amp;c";
        let derived = decode(text.as_bytes(), QuotedPrintable::Kept).unwrap();
        assert_eq!(derived.text.as_slice(), b"a/b&c");
        for (range, source) in
            [(0..1, "a"), (0..2, "a%2F"), (1..2, "%2F"), (1..4, "%2Fb&amp;"), (3..5, "&amp;c"), (4..5, "c")]
        {
            assert_eq!(&text[derived.offsets.source(&range)], source);
        }
    }

    proptest! {
        #[test]
        fn nothing_grows_and_every_byte_comes_from_somewhere(text in r"[\\%&=u0-9a-f#;x{}nl' ö\x00]{0,60}") {
            for quoted in [QuotedPrintable::Kept, QuotedPrintable::Decoded] {
                let Some(derived) = decode(text.as_bytes(), quoted) else { continue };
                prop_assert!(derived.text.len() < text.len());
                let mut end = 0;
                for at in 0..derived.text.len() {
                    let source = derived.offsets.source(&(at..at + 1));
                    prop_assert!(source.start < source.end && source.end <= text.len() && source.end >= end);
                    end = source.end;
                }
            }
        }
    }
}
