//! A text without case, blanks, line breaks, invisible characters, quotes and backslashes.
//!
//! Each character is treated alone, so that the normalized form of a secret is found in the normalized form of any text
//! around it.

use keyferry_types::zeroizing::Zeroizing;

use super::offsets::Offsets;

/// The normalized form of each byte of ASCII; 0 for a byte that is removed.
#[expect(clippy::indexing_slicing, reason = "the compiler does it")]
const ASCII: [u8; 128] = {
    let mut table = [0; 128];
    let mut byte = 0_u8;
    while byte < 128 {
        if byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'' | b'\\') {
            table[byte as usize] = byte.to_ascii_lowercase();
        }
        byte += 1;
    }
    table
};

/// The normalized form of a text.
pub(super) fn normalize(text: &[u8]) -> Zeroizing<Vec<u8>> {
    normalize_into(text, |_, _, _| {})
}

/// The source in a text of each byte of its normalized form.
pub(super) fn offsets(text: &[u8]) -> Offsets {
    let mut offsets = Offsets::default();
    normalize_into(text, |at, source, char_length| match char_length {
        None => offsets.copied(at, source),
        Some(length) => offsets.escaped(at, source, length),
    });
    offsets
}

/// The normalized form of a character; `None` if it is removed.
pub(super) fn normalized(c: char) -> Option<char> {
    match ASCII.get(c as usize) {
        Some(0) => None,
        Some(left) => Some(char::from(*left)),
        None => counts(c).then(|| lower(c)),
    }
}

fn lower(c: char) -> char {
    c.to_lowercase().next().unwrap_or(c)
}

/// The normalized form of a byte of ASCII, 0 where it is removed; `None` for other bytes.
pub(super) fn normalized_ascii(byte: u8) -> Option<u8> {
    ASCII.get(usize::from(byte)).copied()
}

/// Whether normalization removes this byte of ASCII.
pub(super) fn is_dropped(byte: u8) -> bool {
    ASCII.get(usize::from(byte)).is_some_and(|left| *left == 0)
}

fn normalize_into(text: &[u8], mut kept: impl FnMut(usize, usize, Option<usize>)) -> Zeroizing<Vec<u8>> {
    // A byte that is no UTF-8 becomes two, and some characters have a longer lower case.
    let beyond = if text.is_ascii() { 0 } else { text.iter().filter(|byte| !byte.is_ascii()).count() };
    let mut left = Zeroizing::new(vec![0; text.len() + beyond + 1]);
    let (mut at, mut source) = (0, 0);
    while let Some(byte) = text.get(source) {
        if let Some(lower) = ASCII.get(usize::from(*byte)) {
            // Written in any case, and overwritten by the next where it does not count: this is faster than to decide.
            if let Some(slot) = left.get_mut(at) {
                *slot = *lower;
            }
            if *lower != 0 {
                kept(at, source, None);
            }
            at += usize::from(*lower != 0);
            source += 1;
            continue;
        }
        let (c, length) = next_char(text.get(source..).unwrap_or_default());
        if counts(c) {
            kept(at, source, Some(length));
            let mut bytes = [0; 4];
            let bytes = lower(c).encode_utf8(&mut bytes).as_bytes();
            if let Some(slots) = left.get_mut(at..at + bytes.len()) {
                slots.copy_from_slice(bytes);
            }
            at += bytes.len();
        }
        source += length;
    }
    left.truncate(at);
    left
}

/// The character that a text begins with. What is no UTF-8 is read as Latin-1.
fn next_char(text: &[u8]) -> (char, usize) {
    let first = text.first().copied().unwrap_or_default();
    let length = match first {
        0xC2..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xF4 => 4,
        _ => 1,
    };
    let c = text.get(..length).and_then(|bytes| std::str::from_utf8(bytes).ok()).and_then(|text| text.chars().next());
    c.map_or((char::from(first), 1), |c| (c, length))
}

fn counts(c: char) -> bool {
    let is_invisible = matches!(
        c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
    );
    !(is_invisible || c.is_whitespace())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn case_blanks_and_quotes_do_not_count() {
        for (text, left) in
            [("Abc-1 2\r\n\t3\"'\\", "abc-123"), ("ÖL\u{a0}x\u{200b}y\u{feff}", "ölxy"), ("a\0b\u{1b}", "ab"), ("", "")]
        {
            assert_eq!(normalize(text.as_bytes()).as_slice(), left.as_bytes(), "{text:?}");
        }
        assert_eq!(normalize(b"w\xf6rd").as_slice(), "wörd".as_bytes());
    }

    proptest! {
        #[test]
        fn what_is_left_of_a_part_is_in_what_is_left_of_the_whole(
            before in any::<Vec<u8>>(), part in "\\PC{0,20}", after in "\\PC{0,20}",
        ) {
            let whole = [before.as_slice(), part.as_bytes(), after.as_bytes()].concat();
            let (left, part) = (normalize(&whole), normalize(part.as_bytes()));
            prop_assert!(left.len() <= 2 * whole.len());
            prop_assert!(part.is_empty() || memchr::memmem::find(&left, &part).is_some());
            let offsets = offsets(&whole);
            for at in 0..left.len() {
                let source = offsets.source(&(at..at + 1));
                prop_assert!(source.start < source.end && source.end <= whole.len());
            }
        }
    }
}
