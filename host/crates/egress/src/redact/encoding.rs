//! [`Encoding`]: encodings of a secret that undoing escapes does not find.

use base64::Engine as _;
use base64::engine::general_purpose::{GeneralPurpose, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

/// The least length of a piece of base64 that is searched for inside a longer one. Shorter ones occur by chance.
const SHORTEST_BASE64: usize = 6;

/// Bytes of a value that are encoded to get the beginning of an encoding. A multiple of three, where base64 can be cut.
const HEAD: usize = 24;

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

    /// The beginning of the encoded value: as much of [`of`](Self::of) as the index needs.
    pub(super) fn beginning_of(self, value: &str) -> Option<Zeroizing<String>> {
        match self {
            Self::Reversed => {
                let tail = value.ceil_char_boundary(value.len().saturating_sub(HEAD));
                self.of(value.get(tail..).unwrap_or(value))
            }
            _ => self.of_bytes(value.as_bytes().get(..HEAD).unwrap_or(value.as_bytes())),
        }
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
}

/// The characters that a value gives to base64 of something longer, if it begins `offset` bytes (modulo 3) into that.
///
/// Each character says 6 bits, so the first may also hold bits of what stands before, and the last of what comes after:
/// those two are left out.
fn inside_longer_base64(value: &[u8], offset: usize, engine: &impl base64::Engine) -> Option<String> {
    let mut padded = Zeroizing::new(vec![0; offset]);
    padded.extend_from_slice(value);
    let encoded = Zeroizing::new(engine.encode(padded.as_slice()));
    let inner = encoded.get((offset * 8).div_ceil(6)..padded.len() * 8 / 6)?;
    (inner.len() >= SHORTEST_BASE64).then(|| inner.to_owned())
}

/// Base32 of RFC 4648.
fn base32(value: &[u8]) -> String {
    let mut text = String::with_capacity((value.len() * 8).div_ceil(5));
    for group in value.chunks(5) {
        let bits = group.iter().fold(0_u64, |bits, byte| (bits << 8) | u64::from(*byte)) << (8 * (5 - group.len()));
        for digit in 0..(group.len() * 8).div_ceil(5) {
            let five = (bits >> (35 - 5 * digit)) & 31;
            text.push(char::from(match u8::try_from(five).unwrap_or_default() {
                letter @ 0..=25 => b'A' + letter,
                number => b'2' + (number - 26),
            }));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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
                let (all, beginning) = (encoding.of(&value), encoding.beginning_of(&value));
                let start = |text: Option<&Zeroizing<String>>| text.map(|text| text.chars().take(BEGINNING).collect::<String>());
                prop_assert_eq!(start(all.as_ref()), start(beginning.as_ref()), "{:?}", encoding);
            }
        }
    }
}
