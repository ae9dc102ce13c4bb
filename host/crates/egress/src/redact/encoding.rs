//! [`Encoding`]: encodings of a secret that undoing escapes does not find.

use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::{GeneralPurpose, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use keyferry_types::zeroizing::Zeroizing;

use super::normalize::normalized;

/// The least length of a piece of base64 that is searched for inside a longer one. Shorter ones occur by chance.
const SHORTEST_BASE64: usize = 6;

/// Length in bytes of the part of an encoding that counts as its beginning.
pub(super) const BEGINNING: usize = 4;

/// A way to write a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// Base64 without padding.
    Base64(Alphabet),
    /// Within base64 of a longer text, where the value begins at this offset, modulo 3 bytes.
    InBase64(Alphabet, usize),
    Hex(HexCase),
    /// Base32 without padding.
    Base32,
    Reversed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HexCase {
    Lower,
    Upper,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Alphabet {
    Standard,
    Url,
}

impl Encoding {
    pub(super) const ALL: [Self; 12] = [
        Self::Base64(Alphabet::Standard),
        Self::Base64(Alphabet::Url),
        Self::InBase64(Alphabet::Standard, 0),
        Self::InBase64(Alphabet::Url, 0),
        Self::InBase64(Alphabet::Standard, 1),
        Self::InBase64(Alphabet::Url, 1),
        Self::InBase64(Alphabet::Standard, 2),
        Self::InBase64(Alphabet::Url, 2),
        Self::Hex(HexCase::Lower),
        Self::Hex(HexCase::Upper),
        Self::Base32,
        Self::Reversed,
    ];

    /// The encoded value; `None` if it is so short that it would occur by chance.
    pub(super) fn of(self, value: &str) -> Option<Zeroizing<String>> {
        match self {
            Self::Reversed => Some(Zeroizing::new(value.chars().rev().collect())),
            _ => self.of_bytes(value.as_bytes()),
        }
    }

    /// The first bytes of [`of`](Self::of), normalized where that is asked for. Nothing is encoded beyond them.
    pub(super) fn beginning_of(self, value: &str, is_normalized: bool) -> Option<[u8; BEGINNING]> {
        let first = u32::from_be_bytes(*value.as_bytes().first_chunk()?);
        let (skipped, width, digit): (usize, usize, fn(u8) -> u8) = match self {
            Self::Base64(alphabet) => (0, 6, alphabet.digit()),
            Self::InBase64(alphabet, offset) => {
                let inner = inside(value.len(), offset);
                if inner.len() < SHORTEST_BASE64 {
                    return None;
                }
                (inner.start * 6 - offset * 8, 6, alphabet.digit())
            }
            Self::Hex(case) => (0, 4, case.digit()),
            Self::Base32 => (0, 5, base32_digit),
            Self::Reversed => return reversed_beginning(value, is_normalized),
        };
        Some(std::array::from_fn(|at| {
            let bits = (first << (skipped + width * at)) >> (32 - width);
            let digit = digit(u8::try_from(bits).unwrap_or_default());
            if is_normalized { digit.to_ascii_lowercase() } else { digit }
        }))
    }

    /// Maximum number of `=` after the encoded value.
    pub(super) fn padding(self, value: &str) -> usize {
        match self {
            Self::Base64(_) => (3 - value.len() % 3) % 3,
            Self::Base32 => (8 - (value.len() * 8).div_ceil(5) % 8) % 8,
            _ => 0,
        }
    }

    fn of_bytes(self, value: &[u8]) -> Option<Zeroizing<String>> {
        let text = match self {
            Self::Base64(alphabet) => alphabet.engine().encode(value),
            Self::InBase64(alphabet, offset) => inside_longer_base64(value, offset, alphabet.engine())?,
            Self::Hex(HexCase::Lower) => hex::encode(value),
            Self::Hex(HexCase::Upper) => hex::encode_upper(value),
            Self::Base32 => base32(value),
            Self::Reversed => return None,
        };
        Some(Zeroizing::new(text))
    }
}

impl Alphabet {
    fn engine(self) -> &'static GeneralPurpose {
        match self {
            Self::Standard => &STANDARD_NO_PAD,
            Self::Url => &URL_SAFE_NO_PAD,
        }
    }

    fn digit(self) -> fn(u8) -> u8 {
        match self {
            Self::Standard => |sextet| base64_digit(sextet, b'+', b'/'),
            Self::Url => |sextet| base64_digit(sextet, b'-', b'_'),
        }
    }
}

impl HexCase {
    fn digit(self) -> fn(u8) -> u8 {
        match self {
            Self::Lower => |nibble| if nibble < 10 { b'0' + nibble } else { b'a' + (nibble - 10) },
            Self::Upper => |nibble| if nibble < 10 { b'0' + nibble } else { b'A' + (nibble - 10) },
        }
    }
}

fn base64_digit(sextet: u8, plus: u8, slash: u8) -> u8 {
    match sextet {
        0..=25 => b'A' + sextet,
        26..=51 => b'a' + (sextet - 26),
        52..=61 => b'0' + (sextet - 52),
        62 => plus,
        _ => slash,
    }
}

fn base32_digit(five: u8) -> u8 {
    match five {
        0..=25 => b'A' + five,
        _ => b'2' + (five - 26),
    }
}

fn reversed_beginning(value: &str, is_normalized: bool) -> Option<[u8; BEGINNING]> {
    let chars = value.chars().rev();
    let mut bytes = chars.filter_map(|c| if is_normalized { normalized(c) } else { Some(c) }).flat_map(|c| {
        let mut bytes = [0; 4];
        let length = c.encode_utf8(&mut bytes).len();
        bytes.into_iter().take(length)
    });
    let mut beginning = [0; BEGINNING];
    for slot in &mut beginning {
        *slot = bytes.next()?;
    }
    Some(beginning)
}

/// The range of the characters that a value of some length gives to base64 of something longer, if it begins `offset` bytes
/// (modulo 3) into that.
///
/// Each character says 6 bits, so the first may also hold bits of what stands before, and the last of what comes after:
/// those two are left out.
fn inside(length: usize, offset: usize) -> Range<usize> {
    (offset * 8).div_ceil(6)..(offset + length) * 8 / 6
}

/// The characters of a value [`inside`] longer base64.
fn inside_longer_base64(value: &[u8], offset: usize, engine: &impl base64::Engine) -> Option<String> {
    let mut padded = Zeroizing::new(vec![0; offset]);
    padded.extend_from_slice(value);
    let encoded = Zeroizing::new(engine.encode(padded.as_slice()));
    let inner = encoded.get(inside(value.len(), offset))?;
    (inner.len() >= SHORTEST_BASE64).then(|| inner.to_owned())
}

/// Base32 of RFC 4648.
fn base32(value: &[u8]) -> String {
    let mut text = String::with_capacity((value.len() * 8).div_ceil(5));
    for group in value.chunks(5) {
        let bits = group.iter().fold(0_u64, |bits, byte| (bits << 8) | u64::from(*byte)) << (8 * (5 - group.len()));
        for digit in 0..(group.len() * 8).div_ceil(5) {
            let five = (bits >> (35 - 5 * digit)) & 31;
            text.push(char::from(base32_digit(u8::try_from(five).unwrap_or_default())));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::normalize::normalize;
    use super::*;

    #[test]
    fn base32_is_that_of_the_standard() {
        for (value, text) in [
            ("f", "MY"),
            ("fo", "MZXQ"),
            ("foo", "MZXW6"),
            ("foob", "MZXW6YQ"),
            ("fooba", "MZXW6YTB"),
            ("foobar", "MZXW6YTBOI"),
        ] {
            assert_eq!(&**Encoding::Base32.of(value).unwrap(), text);
        }
        assert_eq!(["f", "fo", "foo", "foob", "fooba"].map(|value| Encoding::Base32.padding(value)), [6, 4, 3, 1, 0]);
    }

    proptest! {
        #[test]
        fn an_encoding_begins_as_it_is_said_to(value in "\\PC{4,80}") {
            for encoding in Encoding::ALL {
                let Some(whole) = encoding.of(&value) else {
                    prop_assert_eq!(encoding.beginning_of(&value, false), None, "{:?}", encoding);
                    continue;
                };
                prop_assert_eq!(encoding.beginning_of(&value, false), whole.as_bytes().first_chunk().copied(), "{:?}", encoding);
                let left = normalize(whole.as_bytes());
                prop_assert_eq!(encoding.beginning_of(&value, true), left.first_chunk().copied(), "{:?}", encoding);
            }
        }
    }
}
