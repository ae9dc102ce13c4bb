//! A key-encryption key of 32 bytes that this process holds itself.

use std::fmt;

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

use super::derive::{Key, expand, expand_into, mac};
use super::error::VaultError;
use super::locked::LockedKey;

/// A key that is here. Wiped when dropped; shown only as its fingerprint.
pub(super) struct LocalKey {
    wrap: LockedKey,
    cache: LockedKey,
    fingerprint: String,
}

/// Padded or not: people copy keys from many tools.
const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);

impl LocalKey {
    /// Takes 32 bytes over and derives what they are used for: one key wraps roots, another authenticates compiled code.
    pub(super) fn from_bytes(bytes: &[u8; 32]) -> Result<Self, VaultError> {
        let derived = |info: &[u8]| LockedKey::write(|key| expand_into(bytes, None, &[info], key));
        let wrap = derived(b"keyferry/v1/kek/wrap")?;
        let cache = derived(b"keyferry/v1/kek/compiled-code")?;
        let named: Key = expand(bytes, None, &[b"keyferry/v1/kek/fingerprint"])?;
        let print = mac(&named, &[b"fingerprint"])?;
        // 64 bits tell keys apart, and say nothing about them.
        let fingerprint = hex::encode(print.get(..8).unwrap_or_default());
        Ok(Self { wrap, cache, fingerprint })
    }

    /// Reads 64 hex digits, or base64 of 32 bytes (standard or URL-safe, padded or not). Surrounding white space is ignored.
    ///
    /// `origin` says where the text came from, for the error.
    pub(super) fn parse(text: &str, origin: &str) -> Result<Self, VaultError> {
        let not = |problem| VaultError::NotAKey { origin: origin.to_owned(), problem };
        let text = text.trim();
        if text.is_empty() {
            return Err(not("it is empty"));
        }
        let mut key: Key = Zeroizing::new([0; 32]);
        if text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
            hex::decode_to_slice(text, key.as_mut_slice()).map_err(|_| not("it is not hex"))?;
        } else {
            let alphabet = if text.contains(['-', '_']) { URL_SAFE } else { STANDARD };
            let mut buffer = Zeroizing::new([0_u8; 64]);
            let length = GeneralPurpose::new(&alphabet, LENIENT)
                .decode_slice(text, buffer.as_mut_slice())
                .map_err(|_| not("it is neither 64 hex digits nor base64 of 32 bytes"))?;
            match buffer.get(..length) {
                Some(bytes) if bytes.len() == key.len() => key.copy_from_slice(bytes),
                _ => return Err(not("it does not decode to 32 bytes")),
            }
        }
        if key.windows(2).all(|pair| pair.first() == pair.last()) {
            return Err(not("all its bytes are the same"));
        }
        Self::from_bytes(&key)
    }

    /// 16 hex digits that tell this key from others and reveal nothing of it.
    pub(super) fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    pub(super) fn wrap_key(&self) -> &LockedKey {
        &self.wrap
    }

    pub(super) fn cache_key(&self) -> &LockedKey {
        &self.cache
    }
}

impl fmt::Debug for LocalKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalKey({})", self.fingerprint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_key_reads_alike_in_each_notation() {
        let bytes: Vec<u8> = (0..32).map(|n| n * 7 + 3).collect();
        let hex = hex::encode(&bytes);
        let standard = base64::engine::general_purpose::STANDARD.encode(&bytes);
        let url = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&bytes);
        let prints: Vec<String> = [hex.clone(), hex.to_uppercase(), format!("  {standard}\n"), url]
            .iter()
            .map(|text| LocalKey::parse(text, "test").unwrap().fingerprint().to_owned())
            .collect();
        assert!(prints.iter().all(|print| print == &prints[0] && print.len() == 16), "{prints:?}");
    }

    #[test]
    fn refuses_what_is_no_key() {
        let short = base64::engine::general_purpose::STANDARD.encode([1_u8, 2, 3]);
        let long = base64::engine::general_purpose::STANDARD.encode((0..33).collect::<Vec<u8>>());
        for text in ["", " \n", "changeme", &"0".repeat(64), &"0".repeat(63), &short, &long, &"A".repeat(4_000)] {
            let error = LocalKey::parse(text, "the variable K").unwrap_err().to_string();
            assert!(error.contains("the variable K"), "{error}");
            assert!(text.trim().len() < 8 || !error.contains(text.trim()), "the error repeats the key: {error}");
        }
    }

    #[test]
    fn its_debug_form_is_its_fingerprint() {
        let key = LocalKey::from_bytes(&[9; 32]).unwrap();
        assert_eq!(format!("{key:?}"), format!("LocalKey({})", key.fingerprint()));
    }
}
