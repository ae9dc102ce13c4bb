//! Keyed fingerprints: of request bodies, and of compiled code.

use sha2::{Digest as _, Sha256};

use super::derive::{Key, expand, mac, mac_matches};
use super::error::VaultError;
use super::ring::Vault;
use keyferry_types::ids::OrgId;

/// SHA-256 of a name that a caller chose, in hex. It is stored in place of the name, so that a secret sent as a name by mistake
/// is never stored. It is not keyed: a name has to be found again after keys were rotated and destroyed.
pub fn digest_name(purpose: &str, name: &str) -> String {
    let mut hash = Sha256::new();
    for part in ["keyferry/v1/name|", purpose, "|", name] {
        hash.update(part.as_bytes());
    }
    hex::encode(hash.finalize())
}

impl Vault {
    /// HMAC-SHA256 of `data` under a key of the organisation for this purpose. A reader of the store can neither
    /// recover what was fingerprinted nor test guesses of it.
    ///
    /// It comes from the organisation's oldest root, so that it stays the same when a newer one is added.
    pub fn fingerprint(&self, org: &OrgId, purpose: &str, data: &[u8]) -> Result<[u8; 32], VaultError> {
        let root = self.oldest(org)?;
        let key: Key = expand(&root, None, &[b"keyferry/v1/fingerprint|", purpose.as_bytes()])?;
        mac(&key, &[data])
    }

    /// HMAC-SHA256 of compiled code under a key that hangs on the key-encryption key. Compiled code runs as it is: a
    /// cache file is loaded only if the one who wrote it held that key.
    ///
    /// # Errors
    /// `NoCodeKey` before a key service has [unwrapped it](Self::open_code_key).
    pub fn cache_mac(&self, data: &[u8]) -> Result<[u8; 32], VaultError> {
        mac(self.code_key().ok_or(VaultError::NoCodeKey)?, &[data])
    }

    /// Whether `tag` is the [`cache_mac`](Self::cache_mac) of `data`; compared in constant time.
    pub fn verify_cache_mac(&self, data: &[u8], tag: &[u8]) -> bool {
        self.code_key().is_some_and(|key| mac_matches(key, &[data], tag))
    }
}

#[cfg(test)]
mod tests {
    use super::digest_name;
    use crate::ring::tests::with_root;
    use crate::{KeyEncryptionKey, KeyId, Vault, VaultError};

    fn vault() -> Vault {
        Vault::new(KeyEncryptionKey::from_bytes(&[5; 32]).unwrap())
    }

    #[test]
    fn a_fingerprint_depends_on_organisation_purpose_and_data() {
        let vault = vault();
        let orgs = ["acme".parse().unwrap(), "umbrella".parse().unwrap()];
        assert!(matches!(vault.fingerprint(&orgs[0], "p", b"d"), Err(VaultError::NoRoot { .. })));
        for org in &orgs {
            with_root(&vault, org, KeyId::FIRST);
        }
        let base = vault.fingerprint(&orgs[0], "idempotency", b"body").unwrap();
        assert_eq!(base, vault.fingerprint(&orgs[0], "idempotency", b"body").unwrap());
        assert_ne!(base, vault.fingerprint(&orgs[1], "idempotency", b"body").unwrap());
        assert_ne!(base, vault.fingerprint(&orgs[0], "other", b"body").unwrap());
        assert_ne!(base, vault.fingerprint(&orgs[0], "idempotency", b"bodY").unwrap());
    }

    #[test]
    fn a_blinded_name_depends_on_purpose_and_name_and_shows_neither() {
        let name = digest_name("idempotency", "s3cr3t");
        assert_eq!(name, digest_name("idempotency", "s3cr3t"));
        assert_ne!(name, digest_name("other", "s3cr3t"));
        assert_ne!(name, digest_name("idempotency", "s3cr3T"));
        assert_eq!(name.len(), 64);
    }

    #[test]
    fn a_fingerprint_survives_a_rotation() {
        let vault = vault();
        let org = "acme".parse().unwrap();
        with_root(&vault, &org, KeyId::FIRST);
        let before = vault.fingerprint(&org, "p", b"d").unwrap();
        with_root(&vault, &org, KeyId::new(2));
        assert_eq!(before, vault.fingerprint(&org, "p", b"d").unwrap());
    }

    #[test]
    fn cached_code_is_vouched_for_by_the_key_that_wrote_it_only() {
        let (ours, theirs) = (vault(), Vault::new(KeyEncryptionKey::from_bytes(&[6; 32]).unwrap()));
        let tag = ours.cache_mac(b"code").unwrap();
        assert!(ours.verify_cache_mac(b"code", &tag));
        assert!(!ours.verify_cache_mac(b"c0de", &tag));
        assert!(!theirs.verify_cache_mac(b"code", &tag));
    }
}
