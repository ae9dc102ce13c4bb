//! Lists of byte values, as languages print them: `[115, 107, 95]`, `[115 107 95]`, `0x73, 0x6b, 0x5f`.

use super::offsets::Derived;

/// The fewest numbers that are read as text.
const FEWEST: usize = 8;
/// Blanks between two numbers at most: a line break and its indentation.
const MOST_BLANKS: usize = 64;
/// Between two decoded pieces.
const BETWEEN: u8 = b'|';

/// A number that can be a byte.
struct Number {
    at: usize,
    length: usize,
    byte: u8,
}

/// Decodes the lists of at least `shortest` byte values in a text, piece by piece; `None` where the text has none.
pub(super) fn decode(text: &[u8], shortest: usize) -> Option<Derived> {
    let fewest = FEWEST.max(shortest);
    // Each takes a digit and a separator, but for the last.
    if text.len() < fewest.saturating_mul(2) - 1 {
        return None;
    }
    let mut derived: Option<Derived> = None;
    let mut at = 0;
    while let Some(digit) = text.get(at..).and_then(|rest| rest.iter().position(u8::is_ascii_digit)) {
        at += digit;
        let is_negative = at.checked_sub(1).and_then(|before| text.get(before)) == Some(&b'-');
        let list = list_at(text, if is_negative { at - 1 } else { at });
        at = match list.last() {
            Some(last) => last.at + last.length,
            None => at + digits(text, at, 10).0,
        };
        if list.len() < fewest {
            continue;
        }
        let derived = derived.get_or_insert_with(|| Derived::with_capacity(text.len()));
        for number in &list {
            derived.escape(number.at, number.length, &[number.byte]);
        }
        derived.escape(at, 0, &[BETWEEN]);
    }
    derived
}

/// The numbers of a list that begins here, each after blanks or one comma.
fn list_at(text: &[u8], start: usize) -> Vec<Number> {
    let mut list = Vec::new();
    let mut next = Some(start);
    while let Some(number) = next.and_then(|at| number(text, at)) {
        let end = number.at + number.length;
        let blanks = |from: usize| {
            let rest = text.get(from..).unwrap_or_default().iter().take(MOST_BLANKS);
            rest.take_while(|byte| byte.is_ascii_whitespace()).count()
        };
        let before = blanks(end);
        let comma = usize::from(text.get(end + before) == Some(&b','));
        let gap = before + comma + if comma > 0 { blanks(end + before + 1) } else { 0 };
        next = (gap > 0).then_some(end + gap);
        list.push(number);
    }
    list
}

/// The number that stands here: 0 to 255, as Java has them -128 to 127, or in hexadecimal.
fn number(text: &[u8], at: usize) -> Option<Number> {
    let is_negative = text.get(at) == Some(&b'-');
    let start = at + usize::from(is_negative);
    let is_hex = matches!(text.get(start..start + 2)?, b"0x" | b"0X") && !is_negative;
    let (prefix, radix) = if is_hex { (2, 16) } else { (0, 10) };
    let (count, value) = digits(text, start + prefix, radix);
    let end = start + prefix + count;
    let goes_on = text.get(end).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'.');
    if count == 0 || goes_on {
        return None;
    }
    let byte = match (is_negative, value?) {
        (false, value) => u8::try_from(value).ok()?,
        (true, value @ 1..=128) => u8::try_from(256 - value).ok()?,
        (true, _) => return None,
    };
    Some(Number { at, length: end - at, byte })
}

/// Number of digits at a position, and their value if it is small.
fn digits(text: &[u8], at: usize, radix: u32) -> (usize, Option<u32>) {
    let digits = text.get(at..).unwrap_or_default().iter().map_while(|byte| char::from(*byte).to_digit(radix));
    digits.fold((0, Some(0)), |(count, value), digit| {
        (count + 1, value.filter(|value| *value < 0x1000).map(|value: u32| value * radix + digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_bytes_are_read_in_the_ways_of_all_languages() {
        let inside = "k\u{e9}y=0123".as_bytes();
        let written = |one: &dyn Fn(u8) -> String, between: &str| {
            inside.iter().map(|byte| one(*byte)).collect::<Vec<_>>().join(between)
        };
        for text in [
            written(&|byte| byte.to_string(), ","),
            written(&|byte| byte.to_string(), ", "),
            written(&|byte| byte.to_string(), " "),
            written(&|byte| byte.to_string(), ",\n    "),
            written(&|byte| i8::from_ne_bytes([byte]).to_string(), ", "),
            written(&|byte| format!("0x{byte:02x}"), ", "),
            written(&|byte| format!("0X{byte:X}"), ","),
        ] {
            let whole = format!("[{text}]");
            let derived = decode(whole.as_bytes(), 0).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(derived.text.strip_suffix(b"|"), Some(inside), "{text}");
            assert_eq!(derived.offsets.source(&(0..inside.len())), 1..whole.len() - 1, "{text}");
        }
        for text in [
            "",
            "1, 2, 3",
            "1.2, 3.4, 5.6, 7.8, 9.1, 2.3, 4.5, 6.7, 8.9",
            "1,2,3,4,5,6,7,256",
            "2026-11-29 12:00:00",
            "a1, a2, a3, a4, a5, a6, a7, a8, a9",
            "12345678901234567890",
        ] {
            assert!(decode(text.as_bytes(), 0).is_none(), "{text}");
        }
    }
}
