//! Runs of base64 inside a text, decoded so that their content can be searched with its own escapes undone.
//!
//! A secret that base64 encodes directly, at any offset of a longer value, is found by its needles. This is for a secret that is
//! escaped or encoded once more inside, such as that of a JSON document in base64.

use std::ops::Range;

use super::offsets::Derived;

/// The fewest characters that are decoded: nine bytes.
const FEWEST: usize = 12;
/// The length from which a blank that is no line break may part two pieces.
const LONG_LINE: usize = 40;
/// Bytes of a run in which base64 may begin anew after `/`, `+`, `-` or `_`, which URLs contain as well.
const LATEST_BEGINNING: usize = 512;
/// Between two decoded pieces.
const BETWEEN: u8 = b'|';

/// Decodes all base64 in a text that stands for at least `shortest` bytes, piece by piece; `None` where the text has none.
pub(super) fn decode(text: &[u8], shortest: usize) -> Option<Derived> {
    let fewest = FEWEST.max(shortest.saturating_mul(8).div_ceil(6));
    if text.len() < fewest {
        return None;
    }
    let mut pieces: Vec<Vec<Range<usize>>> = Vec::new();
    let mut from = 0;
    while let Some(first) = next_line(text, from) {
        from = first.end;
        let second = following_line(text, &first);
        if first.len() < fewest && second.is_none() {
            continue;
        }
        let mut lines = vec![first.clone()];
        lines.extend(second);
        while let Some(line) = lines.last().and_then(|last| following_line(text, last)) {
            lines.push(line);
        }
        from = lines.last().map_or(first.end, |last| last.end);
        if lines.iter().map(Range::len).sum::<usize>() >= fewest {
            pieces.push(lines);
            pieces.extend(
                other_beginnings(text, &first, fewest)
                    .into_iter()
                    .map(|start| std::iter::once(start..first.end).collect()),
            );
        }
    }
    if pieces.is_empty() {
        return None;
    }
    let capacity = pieces.iter().map(|lines| lines.iter().map(Range::len).sum::<usize>() + 1).sum();
    let mut derived = Derived::with_capacity(capacity);
    pieces.iter().for_each(|lines| append(text, lines, &mut derived));
    Some(derived)
}

/// The next run of base64's characters.
fn next_line(text: &[u8], from: usize) -> Option<Range<usize>> {
    let start = from + text.get(from..)?.iter().position(|byte| is_base64(*byte))?;
    Some(start..end_of_line(text, start))
}

fn end_of_line(text: &[u8], start: usize) -> usize {
    let rest = text.get(start..).unwrap_or_default();
    start + rest.iter().position(|byte| !is_base64(*byte)).unwrap_or(rest.len())
}

/// The line that continues the base64 of a line of whole groups.
fn following_line(text: &[u8], line: &Range<usize>) -> Option<Range<usize>> {
    if !line.len().is_multiple_of(4) {
        return None;
    }
    let after = text.get(line.end..)?;
    let blanks = after.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    let breaks = after.get(..blanks)?.iter().any(|byte| matches!(byte, b'\n' | b'\r'));
    if blanks == 0 || !(breaks || line.len() >= LONG_LINE) {
        return None;
    }
    let start = line.end + blanks;
    Some(start..end_of_line(text, start)).filter(|next| !next.is_empty())
}

/// Places after a delimiter of URLs at which groups begin that differ from those of the run's beginning and from each other's.
fn other_beginnings(text: &[u8], line: &Range<usize>, fewest: usize) -> Vec<usize> {
    let mut begun = [true, false, false, false];
    let mut beginnings = Vec::new();
    let run = text.get(line.clone()).unwrap_or_default();
    for (at, byte) in run.iter().enumerate().take(LATEST_BEGINNING) {
        let next = at + 1;
        if matches!(byte, b'/' | b'+' | b'-' | b'_')
            && run.len() - next >= fewest
            && let Some(begun) = begun.get_mut(next % 4)
            && !*begun
        {
            *begun = true;
            beginnings.push(line.start + next);
        }
    }
    beginnings
}

fn append(text: &[u8], lines: &[Range<usize>], derived: &mut Derived) {
    for line in lines {
        derived.base64(line.start);
        for group in text.get(line.clone()).unwrap_or_default().chunks(4) {
            let bits = group.iter().fold(0_u32, |bits, byte| (bits << 6) | u32::from(sextet(*byte)));
            let [_, bytes @ ..] = (bits << (6 * (4 - group.len()))).to_be_bytes();
            derived.text.extend_from_slice(bytes.get(..group.len() * 6 / 8).unwrap_or_default());
        }
    }
    let end = lines.last().map_or(0, |last| last.end);
    derived.escape(end, 0, &[BETWEEN]);
}

/// The value of each byte in base64, of either alphabet; 64 for other bytes.
#[expect(clippy::indexing_slicing, reason = "the compiler does it")]
const SEXTETS: [u8; 256] = {
    let mut table = [64; 256];
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut value = 0;
    while value < 64 {
        table[alphabet[value] as usize] = value as u8;
        value += 1;
    }
    table[b'-' as usize] = 62;
    table[b'_' as usize] = 63;
    table
};

fn is_base64(byte: u8) -> bool {
    SEXTETS.get(usize::from(byte)).is_some_and(|value| *value < 64)
}

fn sextet(byte: u8) -> u8 {
    SEXTETS.get(usize::from(byte)).copied().unwrap_or_default() & 63
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    use proptest::prelude::*;

    use super::*;

    fn holds(text: &str, inside: &[u8]) -> bool {
        decode(text.as_bytes(), 0).is_some_and(|derived| memchr::memmem::find(&derived.text, inside).is_some())
    }

    #[test]
    fn base64_is_found_between_other_things_and_over_lines() {
        let inside = b"what is inside of a longer line, and of the next one too";
        let encoded = STANDARD.encode(inside);
        let wrapped: Vec<&str> = encoded.as_bytes().chunks(60).map(|line| std::str::from_utf8(line).unwrap()).collect();
        for text in [
            encoded.clone(),
            format!("Authorization: Basic {encoded}\r\n"),
            format!("{{\"a\":\"{}\"}}", URL_SAFE_NO_PAD.encode(inside)),
            format!("https://api.example.com/v1/callback/{encoded}?x=y"),
            format!("https://api.example.com/call-back/{encoded}"),
            wrapped.join("\n"),
            wrapped.join("\r\n    "),
            wrapped.join(" "),
        ] {
            assert!(holds(&text, inside), "{text}");
        }
        assert!(decode(b"no base64 here: a, b", 0).is_none());
        assert!(decode(b"", 0).is_none());
    }

    proptest! {
        #[test]
        fn each_byte_comes_from_the_characters_that_hold_it(bytes in prop::collection::vec(any::<u8>(), 9..60)) {
            let text = format!("[{}]", STANDARD.encode(&bytes));
            let derived = decode(text.as_bytes(), 0).unwrap();
            prop_assert_eq!(derived.text.get(..bytes.len()), Some(bytes.as_slice()));
            for at in 0..bytes.len() {
                let source = derived.offsets.source(&(at..at + 1));
                let first = 1 + at / 3 * 4 + at % 3;
                prop_assert_eq!(source, first..first + 2);
            }
        }
    }
}
