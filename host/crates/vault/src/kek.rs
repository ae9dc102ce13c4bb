//! The key-encryption key, which wraps every organisation's root.

use std::fmt;
use std::sync::Arc;

use subtle::ConstantTimeEq as _;

use super::error::VaultError;
use super::key_id::KeyId;
use super::key_service_error::KeyServiceError;
use super::local::LocalKey;
use super::locked::LockedKey;
use super::remote::{EncryptionContext, RemoteKey};
use super::wrap::{self, WrappedRoot};
use keyferry_types::ids::OrgId;

/// The key that wraps all roots. Its `Debug` form shows its id only.
pub struct KeyEncryptionKey(pub(super) Kind);

/// Location of the key.
pub(super) enum Kind {
    /// A key in the memory of this process.
    Local(LocalKey),
    /// In a key service, which wraps and unwraps for us and never gives it out.
    Remote(RemoteKey),
}

/// A root that was just made. It is on no key ring yet: store it first.
pub struct NewRoot {
    /// The wrapped root, to be stored.
    pub wrapped: WrappedRoot,
    pub(super) key: Arc<LockedKey>,
}

impl fmt::Debug for NewRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NewRoot({})", self.wrapped.key_id)
    }
}

impl KeyEncryptionKey {
    /// A local key of these bytes.
    ///
    /// # Errors
    /// `Cipher`, which is a defect.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, VaultError> {
        LocalKey::from_bytes(bytes).map(Self::from)
    }

    /// Id of the key in stored roots: 16 hex digits that reveal nothing for a local key, the ARN of a key of AWS KMS,
    /// `transit:MOUNT/KEY` for one of a transit engine.
    ///
    /// # Errors
    /// `KeyService` where only the service knows it (a key given by its alias), and does not tell.
    pub async fn id(&self) -> Result<String, VaultError> {
        match &self.0 {
            Kind::Local(key) => Ok(key.fingerprint().to_owned()),
            Kind::Remote(key) => Ok(key.id().await?),
        }
    }

    /// The key as it was configured, for people.
    pub fn shown(&self) -> &str {
        match &self.0 {
            Kind::Local(key) => key.fingerprint(),
            Kind::Remote(key) => key.shown(),
        }
    }

    pub(super) fn remote(&self) -> Option<&RemoteKey> {
        match &self.0 {
            Kind::Local(_) => None,
            Kind::Remote(key) => Some(key),
        }
    }

    /// Makes a random root and wraps it.
    pub(super) async fn create(&self, org: &OrgId, key_id: KeyId) -> Result<NewRoot, VaultError> {
        let key = LockedKey::write(|root| getrandom::fill(root))?;
        let wrapped = self.wrap(org, key_id, &key).await?;
        Ok(NewRoot { wrapped, key: Arc::new(key) })
    }

    async fn wrap(&self, org: &OrgId, key_id: KeyId, key: &[u8; 32]) -> Result<WrappedRoot, VaultError> {
        let (kek_id, wrapped) = match &self.0 {
            Kind::Local(kek) => (kek.fingerprint().to_owned(), wrap::wrap(kek, org, key_id, key)?),
            Kind::Remote(kek) => {
                let wrapped = kek.wrap(&EncryptionContext::Root { org, key_id }, key).await?;
                (wrapped.kek_id, wrapped.bytes)
            }
        };
        Ok(WrappedRoot { key_id, kek_id, wrapped })
    }

    /// Unwraps a stored root.
    pub(super) async fn unwrap(&self, org: &OrgId, root: &WrappedRoot) -> Result<LockedKey, VaultError> {
        let (key_id, id) = (root.key_id, self.id().await?);
        if root.kek_id != id {
            return Err(VaultError::WrongKey { org: org.clone(), key_id, needed: root.kek_id.clone(), given: id });
        }
        match &self.0 {
            Kind::Local(kek) => wrap::unwrap(kek, org, root),
            Kind::Remote(kek) => match kek.unwrap(&EncryptionContext::Root { org, key_id }, &root.wrapped).await {
                Err(KeyServiceError { fault, .. }) if fault.is_about_what_was_given() => {
                    Err(VaultError::RootDamaged { org: org.clone(), key_id })
                }
                unwrapped => Ok(unwrapped?),
            },
        }
    }

    /// The same root, wrapped by another key as well. That the other key opens what it wrapped is tried before it is
    /// believed.
    ///
    /// # Errors
    /// If this key does not open the root, or the other one does not wrap it.
    pub async fn rewrap(&self, to: &Self, org: &OrgId, root: &WrappedRoot) -> Result<WrappedRoot, VaultError> {
        let key = self.unwrap(org, root).await?;
        let rewrapped = to.wrap(org, root.key_id, &key).await?;
        let opened = to.unwrap(org, &rewrapped).await?;
        if !bool::from(opened.as_slice().ct_eq(key.as_slice())) {
            return Err(VaultError::RootDamaged { org: org.clone(), key_id: root.key_id });
        }
        Ok(rewrapped)
    }

    /// Whether this key opens a root.
    ///
    /// # Errors
    /// If it does not.
    pub async fn check(&self, org: &OrgId, root: &WrappedRoot) -> Result<(), VaultError> {
        self.unwrap(org, root).await.map(drop)
    }
}

impl From<LocalKey> for KeyEncryptionKey {
    fn from(key: LocalKey) -> Self {
        Self(Kind::Local(key))
    }
}

impl From<RemoteKey> for KeyEncryptionKey {
    fn from(key: RemoteKey) -> Self {
        Self(Kind::Remote(key))
    }
}

impl fmt::Debug for KeyEncryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyEncryptionKey({})", self.shown())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kek(byte: u8) -> KeyEncryptionKey {
        KeyEncryptionKey::from_bytes(&[byte; 32]).unwrap()
    }

    #[tokio::test]
    async fn a_rewrapped_root_is_the_same_root_under_either_key() {
        let (old, new, org) = (kek(1), kek(2), "acme".parse().unwrap());
        let root = old.create(&org, KeyId::FIRST).await.unwrap();
        let rewrapped = old.rewrap(&new, &org, &root.wrapped).await.unwrap();
        assert_eq!((rewrapped.key_id, rewrapped.kek_id.clone()), (KeyId::FIRST, new.id().await.unwrap()));
        assert_eq!(new.unwrap(&org, &rewrapped).await.unwrap().as_slice(), root.key.as_slice());
        assert_eq!(old.unwrap(&org, &root.wrapped).await.unwrap().as_slice(), root.key.as_slice());
        new.check(&org, &rewrapped).await.unwrap();
        assert!(matches!(new.check(&org, &root.wrapped).await, Err(VaultError::WrongKey { .. })));
        assert!(matches!(new.rewrap(&old, &org, &root.wrapped).await, Err(VaultError::WrongKey { .. })));
    }

    #[test]
    fn nothing_of_a_key_is_shown() {
        let key = kek(9);
        assert_eq!(format!("{key:?}"), format!("KeyEncryptionKey({})", key.shown()));
        assert_eq!(key.shown().len(), 16);
    }
}
