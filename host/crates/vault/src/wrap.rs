//! An organisation's root under a local key-encryption key.

use aes_gcm::aead::AeadInOut as _;
use aes_gcm::{Aes256Gcm, KeyInit as _, Nonce};
use serde::{Deserialize, Serialize};

use super::context::push;
use super::derive::random;
use super::error::VaultError;
use super::key_id::KeyId;
use super::local::LocalKey;
use super::locked::LockedKey;
use keyferry_types::ids::OrgId;

/// A root as it is stored: useless without the key-encryption key that wrapped it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrappedRoot {
    /// Id of the root within its organisation.
    pub key_id: KeyId,
    /// The key-encryption key that wrapped it, as [`KeyEncryptionKey::id`](super::KeyEncryptionKey::id) names it.
    pub kek_id: String,
    /// By a local key: `version u8 = 1 | suite u8 = 1 | nonce 12 | sealed root 32 | tag 16`. By a key service: what it gave.
    pub wrapped: Vec<u8>,
}

const HEAD: [u8; 2] = [1, 1];
const NONCE: usize = 12;

/// Wraps a root by the key-encryption key, bound to organisation and key id.
pub(super) fn wrap(kek: &LocalKey, org: &OrgId, key_id: KeyId, root: &[u8; 32]) -> Result<Vec<u8>, VaultError> {
    let nonce = random::<NONCE>()?;
    let mut sealed = zeroize::Zeroizing::new(Vec::with_capacity(48));
    sealed.extend_from_slice(root.as_slice());
    cipher(kek)?
        .encrypt_in_place(&Nonce::from(*nonce), &associated(kek.fingerprint(), org, key_id), &mut *sealed)
        .map_err(|_| VaultError::Cipher)?;
    Ok([HEAD.as_slice(), nonce.as_slice(), sealed.as_slice()].concat())
}

/// Unwraps a stored root that names this key.
pub(super) fn unwrap(kek: &LocalKey, org: &OrgId, root: &WrappedRoot) -> Result<LockedKey, VaultError> {
    let key_id = root.key_id;
    let damaged = || VaultError::RootDamaged { org: org.clone(), key_id };
    let rest = root.wrapped.strip_prefix(&HEAD).ok_or_else(damaged)?;
    let (nonce, sealed) = rest.split_first_chunk::<NONCE>().ok_or_else(damaged)?;
    let mut plain = zeroize::Zeroizing::new(sealed.to_vec());
    cipher(kek)?
        .decrypt_in_place(&Nonce::from(*nonce), &associated(&root.kek_id, org, key_id), &mut *plain)
        .map_err(|_| damaged())?;
    LockedKey::write(|key| {
        if plain.len() != key.len() {
            return Err(damaged());
        }
        key.copy_from_slice(&plain);
        Ok(())
    })
}

fn cipher(kek: &LocalKey) -> Result<Aes256Gcm, VaultError> {
    Aes256Gcm::new_from_slice(kek.wrap_key().as_slice()).map_err(|_| VaultError::Cipher)
}

fn associated(kek_id: &str, org: &OrgId, key_id: KeyId) -> Vec<u8> {
    let mut data = Vec::with_capacity(128);
    push(&mut data, b"keyferry root");
    push(&mut data, &HEAD);
    push(&mut data, kek_id.as_bytes());
    push(&mut data, org.as_str().as_bytes());
    push(&mut data, &key_id.get().to_be_bytes());
    data
}
