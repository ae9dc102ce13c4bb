//! The two derivations that the vault is built of: HKDF-SHA256 and HMAC-SHA256.

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::error::VaultError;

/// A 256-bit key, wiped when dropped.
pub(super) type Key = Zeroizing<[u8; 32]>;

/// HKDF-SHA256 (RFC 5869) of `key` to `N` bytes, `info` being the parts one after the other.
pub(super) fn expand<const N: usize>(
    key: &[u8; 32],
    salt: Option<&[u8]>,
    info: &[&[u8]],
) -> Result<Zeroizing<[u8; N]>, VaultError> {
    let mut out = Zeroizing::new([0; N]);
    expand_into(key, salt, info, out.as_mut_slice())?;
    Ok(out)
}

/// The same, to where the result is to stay.
pub(super) fn expand_into(
    key: &[u8; 32],
    salt: Option<&[u8]>,
    info: &[&[u8]],
    out: &mut [u8],
) -> Result<(), VaultError> {
    Hkdf::<Sha256>::new(salt, key).expand_multi_info(info, out).map_err(|_| VaultError::Cipher)
}

/// HMAC-SHA256 of the parts one after the other.
pub(super) fn mac(key: &[u8; 32], parts: &[&[u8]]) -> Result<[u8; 32], VaultError> {
    Ok(keyed(key, parts)?.finalize().into_bytes().into())
}

/// Whether `tag` is the HMAC-SHA256 of the parts; compared in constant time.
pub(super) fn mac_matches(key: &[u8; 32], parts: &[&[u8]], tag: &[u8]) -> bool {
    keyed(key, parts).is_ok_and(|mac| mac.verify_slice(tag).is_ok())
}

fn keyed(key: &[u8; 32], parts: &[&[u8]]) -> Result<Hmac<Sha256>, VaultError> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|_| VaultError::Cipher)?;
    for part in parts {
        mac.update(part);
    }
    Ok(mac)
}

/// `N` unpredictable bytes from the operating system.
pub(super) fn random<const N: usize>() -> Result<Zeroizing<[u8; N]>, VaultError> {
    let mut bytes = Zeroizing::new([0; N]);
    getrandom::fill(bytes.as_mut_slice())?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hkdf_gives_the_octets_that_another_implementation_gives() {
        // Computed with Python: hmac/hashlib, RFC 5869 extract and expand, ikm = 0b * 32, salt = 00..0c, info = f0..f9.
        let salt: Vec<u8> = (0..=0x0c).collect();
        let info: Vec<u8> = (0xf0..=0xf9).collect();
        let out: Zeroizing<[u8; 64]> = expand(&[0x0b; 32], Some(&salt), &[&info[..3], &info[3..]]).unwrap();
        assert_eq!(
            hex::encode(out.as_slice()),
            "d4100799f26a09615a72af3e58fa3841a2ff20d5ace3fb392e562e207fe6b718\
             581eea4341652d405fe58fa950358b43bf480030865992a9a5a0e66526bc3f91"
        );
    }

    #[test]
    fn a_mac_verifies_only_what_it_was_made_of() {
        let tag = mac(&[1; 32], &[b"ab", b"c"]).unwrap();
        assert!(mac_matches(&[1; 32], &[b"abc"], &tag));
        assert!(!mac_matches(&[2; 32], &[b"abc"], &tag));
        assert!(!mac_matches(&[1; 32], &[b"abd"], &tag));
        assert!(!mac_matches(&[1; 32], &[b"abc"], &tag[..31]));
    }
}
