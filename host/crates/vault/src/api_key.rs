//! API keys: 256 random bits that are shown once and kept as a hash.

use std::fmt;
use std::str::FromStr;

use keyferry_types::zeroizing::Zeroizing;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::derive::random;
use super::error::VaultError;
use keyferry_types::ids::Environment;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const PREFIX: usize = 3;
/// 62^43 is the first power of 62 past 2^256.
const BODY: usize = 43;
/// 62^6 is the first power of 62 past 2^32.
const CHECKSUM: usize = 6;
const LENGTH: usize = PREFIX + BODY + CHECKSUM;
/// Number of characters of a key that may be shown: its prefix and four more.
const SHOWN: usize = 7;

/// A key of the shape `tk_` (test) or `pk_` (production), 43 base62 characters, and a CRC-32 of all that in 6 more.
///
/// The checksum lets a typing error, or a string that is no key at all, be refused before anything is looked up; it also
/// lets tools that search for leaked keys be sure. Wiped when dropped; `Debug` shows the first seven characters.
pub struct ApiKey {
    text: Zeroizing<String>,
    environment: Environment,
}

/// Text that is not an API key. The error does not say which part is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not an API key: API keys begin with `tk_` or `pk_` and have {LENGTH} characters")]
pub struct MalformedApiKey;

impl ApiKey {
    /// A new random key. Show it once and store its [`hash`](Self::hash).
    pub fn generate(environment: Environment) -> Result<Self, VaultError> {
        let mut number = random::<32>()?;
        let mut text = Zeroizing::new(String::with_capacity(LENGTH));
        text.push_str(prefix(environment));
        for _ in 0..BODY {
            text.push(digit(divide(&mut number)));
        }
        let sum = checksum(text.as_bytes());
        text.extend(sum.iter().map(|byte| char::from(*byte)));
        Ok(Self { text, environment })
    }

    /// The environment that the key selects.
    pub fn environment(&self) -> Environment {
        self.environment
    }

    /// SHA-256 of the whole key, for the store. A slow hash would add nothing to 256 random bits.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.text.as_bytes()).into()
    }

    /// Whether this is the key of that hash; compared in constant time.
    pub fn hash_matches(&self, stored: &[u8; 32]) -> bool {
        self.hash().ct_eq(stored).into()
    }

    /// The first seven characters, by which people tell keys apart: `tk_4fT9`.
    pub fn shown(&self) -> &str {
        self.text.get(..SHOWN).unwrap_or_default()
    }

    /// The key itself, to be shown once to the one who asked for it.
    pub fn expose(&self) -> &str {
        &self.text
    }
}

impl FromStr for ApiKey {
    type Err = MalformedApiKey;

    /// Takes the same steps for each text of the right length, wherever it is wrong.
    fn from_str(text: &str) -> Result<Self, MalformedApiKey> {
        let bytes: &[u8; LENGTH] = text.as_bytes().try_into().map_err(|_| MalformedApiKey)?;
        let (signed, sum) = bytes.split_at(LENGTH - CHECKSUM);
        let (head, body) = signed.split_at(PREFIX);
        let test = head.ct_eq(prefix(Environment::Test).as_bytes());
        let production = head.ct_eq(prefix(Environment::Production).as_bytes());
        let strange = body.iter().fold(0_u8, |strange, byte| strange | u8::from(!byte.is_ascii_alphanumeric()));
        let good = (test | production) & strange.ct_eq(&0) & sum.ct_eq(&checksum(signed));
        if !bool::from(good) {
            return Err(MalformedApiKey);
        }
        let environment = if bool::from(test) { Environment::Test } else { Environment::Production };
        Ok(Self { text: Zeroizing::new(text.to_owned()), environment })
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}***", self.shown())
    }
}

fn prefix(environment: Environment) -> &'static str {
    match environment {
        Environment::Test => "tk_",
        Environment::Production => "pk_",
    }
}

fn digit(value: u32) -> char {
    ALPHABET.get(value as usize).map_or('0', |byte| char::from(*byte))
}

/// Divides the big-endian number by 62 in place and returns the remainder.
fn divide(number: &mut [u8; 32]) -> u32 {
    number.iter_mut().fold(0_u32, |remainder, byte| {
        let value = (remainder << 8) | u32::from(*byte);
        *byte = (value / 62) as u8;
        value % 62
    })
}

fn checksum(text: &[u8]) -> [u8; CHECKSUM] {
    let mut sum = crc32fast::hash(text);
    std::array::from_fn(|_| {
        let value = sum % 62;
        sum /= 62;
        digit(value) as u8
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_new_key_parses_and_keeps_its_environment_and_hash() {
        for (environment, prefix) in [(Environment::Test, "tk_"), (Environment::Production, "pk_")] {
            let key = ApiKey::generate(environment).unwrap();
            assert!(key.expose().starts_with(prefix) && key.expose().len() == 52, "{}", key.expose());
            let read: ApiKey = key.expose().parse().unwrap();
            assert_eq!(read.environment(), environment);
            assert!(read.hash_matches(&key.hash()));
            assert!(!read.hash_matches(&ApiKey::generate(environment).unwrap().hash()));
        }
    }

    #[test]
    fn shows_seven_characters_and_no_more() {
        let key = ApiKey::generate(Environment::Test).unwrap();
        assert_eq!(format!("{key:?}"), format!("{}***", &key.expose()[..7]));
        assert_eq!(key.shown(), &key.expose()[..7]);
    }

    #[test]
    fn any_change_of_one_character_is_refused() {
        let key = ApiKey::generate(Environment::Production).unwrap();
        for place in 0..key.expose().len() {
            for other in "aZ0_-. \u{e9}".chars() {
                let changed: String =
                    key.expose().chars().enumerate().map(|(i, c)| if i == place { other } else { c }).collect();
                assert_eq!(changed.parse::<ApiKey>().is_ok(), changed == key.expose(), "{changed}");
            }
        }
    }

    #[test]
    fn refuses_what_is_no_key() {
        let key = ApiKey::generate(Environment::Test).unwrap();
        let cases = [
            String::new(),
            "tk_".to_owned(),
            format!("{} ", key.expose()),
            key.expose()[1..].to_owned(),
            "x".repeat(52),
        ];
        for text in cases {
            assert_eq!(text.parse::<ApiKey>().err(), Some(MalformedApiKey), "{text:?}");
        }
    }

    #[test]
    fn the_body_is_the_number_in_base_62() {
        let mut number = [0; 32];
        number[30] = 1;
        assert_eq!([divide(&mut number), divide(&mut number), divide(&mut number)], [8, 4, 0]);
    }

    proptest! {
        #[test]
        fn any_text_is_a_key_or_refused(text in ".{0,60}") {
            let _ = text.parse::<ApiKey>();
        }
    }
}
