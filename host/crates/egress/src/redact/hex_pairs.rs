//! Hexadecimal pairs with separators, as tools print bytes: `73-6B-5F`, `73:6b:5f`.

use super::offsets::Derived;

/// The fewest pairs that are decoded.
const FEWEST: usize = 8;
/// Between two decoded pieces.
const BETWEEN: u8 = b'|';

/// Decodes hexadecimal pairs with one separator between them, such as `73-6B-5F`, also over lines, where they stand for at least
/// `shortest` bytes; `None` where the text has none.
pub(super) fn decode(text: &[u8], shortest: usize) -> Option<Derived> {
    let fewest = FEWEST.max(shortest);
    // Each takes a separator, but for the last.
    if text.len() < fewest.saturating_mul(3) - 1 {
        return None;
    }
    let mut derived: Option<Derived> = None;
    let mut at = 0;
    // Where separators are seldom, they are found faster than digits.
    let is_separator = |byte: &u8| matches!(byte, b'-' | b':' | b' ' | b',');
    while let Some(separator) = text.get(at + 2..).and_then(|rest| rest.iter().position(is_separator)) {
        at += separator;
        let pairs = pairs_at(text, at);
        let Some(last) = pairs.last().filter(|_| pairs.len() >= fewest) else {
            at += 1;
            continue;
        };
        let derived = derived.get_or_insert_with(|| Derived::with_capacity(text.len()));
        for source in &pairs {
            derived.escape(*source, 2, &[pair(text, *source).unwrap_or_default()]);
        }
        at = last + 2;
        derived.escape(at, 0, &[BETWEEN]);
    }
    derived
}

/// Positions of the pairs from `start` on, each after the same separator and blanks.
fn pairs_at(text: &[u8], start: usize) -> Vec<usize> {
    let mut pairs = Vec::new();
    let Some(separator) = text.get(start + 2).filter(|_| pair(text, start).is_some()) else { return pairs };
    let mut next = Some(start);
    while let Some(at) = next.filter(|at| pair(text, *at).is_some()) {
        pairs.push(at);
        let gap = text.get(at + 2..).unwrap_or_default();
        let separators = usize::from(gap.first() == Some(separator));
        let blanks = gap.iter().skip(separators).take_while(|byte| byte.is_ascii_whitespace()).count();
        next = (separators + blanks > 0).then_some(at + 2 + separators + blanks);
    }
    pairs
}

fn pair(text: &[u8], at: usize) -> Option<u8> {
    let digit = |at: usize| text.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    u8::try_from(digit(at)? * 16 + digit(at + 1)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_found_with_each_separator_and_over_lines() {
        let inside = b"what is inside of a longer line, and of the next one too";
        let pairs: Vec<String> = inside.iter().map(|byte| format!("{byte:02X}")).collect();
        for separator in ["-", ":", " ", ", ", ":\n  "] {
            let text = format!("x {} y", pairs.join(separator));
            let derived = decode(text.as_bytes(), 0).unwrap();
            assert_eq!(derived.text.strip_suffix(b"|"), Some(&inside[..]), "{text}");
            assert_eq!(derived.offsets.source(&(0..inside.len())), 2..text.len() - 2, "{text}");
        }
        assert!(decode(b"2026-11-29 12:00:00, de:ad:be:ef", 0).is_none());
    }
}
