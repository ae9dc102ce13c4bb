//! The key ring: unwrapped roots by organisation, in memory only.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use super::locked::LockedKey;
use super::{KeyEncryptionKey, KeyId, VaultError, WrappedRoot, wrap};
use crate::ids::OrgId;

/// Seals and opens. Shared by all threads.
pub struct Vault {
    kek: KeyEncryptionKey,
    roots: RwLock<HashMap<OrgId, BTreeMap<KeyId, Arc<LockedKey>>>>,
}

impl Vault {
    /// A vault whose key ring is empty: roots are made by [`create_root`](Self::create_root), kept by a store and brought
    /// in by [`unlock_root`](Self::unlock_root).
    pub fn new(kek: KeyEncryptionKey) -> Self {
        Self { kek, roots: RwLock::default() }
    }

    /// Makes a new random root, wrapped by the key-encryption key and bound to organisation and key id.
    ///
    /// It does not go onto the ring: store it, then unlock what the store kept. Two who make an organisation's first root
    /// at once would otherwise seal under one that is nowhere stored.
    pub fn create_root(&self, org: &OrgId, key_id: KeyId) -> Result<WrappedRoot, VaultError> {
        wrap::create(&self.kek, org, key_id)
    }

    /// Puts a stored root onto the ring. Unlock all of an organisation's roots: the newest one seals, the oldest one
    /// makes fingerprints, and each may be needed for opening.
    ///
    /// # Errors
    /// [`VaultError::WrongKey`] names the fingerprint of the key that is needed and of the one that is here.
    /// [`VaultError::RootDamaged`] where it does not unwrap.
    pub fn unlock_root(&self, org: &OrgId, root: &WrappedRoot) -> Result<(), VaultError> {
        let key = wrap::unwrap(&self.kek, org, root)?;
        let mut roots = self.roots.write().unwrap_or_else(PoisonError::into_inner);
        roots.entry(org.clone()).or_default().insert(root.key_id, Arc::new(key));
        Ok(())
    }

    /// Takes a root off the ring: nothing is opened with it any more.
    pub fn lock_root(&self, org: &OrgId, key_id: KeyId) {
        let mut roots = self.roots.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(of_org) = roots.get_mut(org) {
            of_org.remove(&key_id);
        }
    }

    /// Whether at least one of the organisation's roots is on the ring.
    pub fn is_unlocked(&self, org: &OrgId) -> bool {
        self.ring().contains_key(org)
    }

    /// Fingerprint of the key-encryption key, as [`WrappedRoot::kek_id`] has it.
    pub fn kek_fingerprint(&self) -> &str {
        self.kek.fingerprint()
    }

    pub(super) fn kek(&self) -> &KeyEncryptionKey {
        &self.kek
    }

    pub(super) fn newest(&self, org: &OrgId) -> Result<(KeyId, Arc<LockedKey>), VaultError> {
        let ring = self.ring();
        let newest = ring.get(org).and_then(BTreeMap::last_key_value);
        newest.map(|(id, key)| (*id, Arc::clone(key))).ok_or_else(|| VaultError::NoRoot { org: org.clone() })
    }

    pub(super) fn oldest(&self, org: &OrgId) -> Result<Arc<LockedKey>, VaultError> {
        let ring = self.ring();
        let oldest = ring.get(org).and_then(BTreeMap::first_key_value);
        oldest.map(|(_, key)| Arc::clone(key)).ok_or_else(|| VaultError::NoRoot { org: org.clone() })
    }

    pub(super) fn root(&self, org: &OrgId, key_id: KeyId) -> Result<Arc<LockedKey>, VaultError> {
        let ring = self.ring();
        let keys = ring.get(org).ok_or_else(|| VaultError::NoRoot { org: org.clone() })?;
        keys.get(&key_id).map(Arc::clone).ok_or_else(|| VaultError::UnknownRoot { org: org.clone(), key_id })
    }

    // A panic elsewhere cannot leave the map half changed: a poisoned lock is as good as any.
    fn ring(&self) -> RwLockReadGuard<'_, HashMap<OrgId, BTreeMap<KeyId, Arc<LockedKey>>>> {
        self.roots.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Vault({})", self.kek.fingerprint())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vault(byte: u8) -> Vault {
        Vault::new(KeyEncryptionKey::from_bytes(&[byte; 32]).unwrap())
    }

    #[test]
    fn a_root_unlocks_for_its_organisation_key_id_and_key_only() {
        let (org, other): (OrgId, OrgId) = ("acme".parse().unwrap(), "umbrella".parse().unwrap());
        let ours = vault(1);
        let root = ours.create_root(&org, KeyId::FIRST).unwrap();
        assert!(!ours.is_unlocked(&org), "a root that nobody has stored is on the ring");
        ours.unlock_root(&org, &root).unwrap();
        assert!(ours.is_unlocked(&org) && !ours.is_unlocked(&other));

        assert!(matches!(ours.unlock_root(&other, &root), Err(VaultError::RootDamaged { .. })));
        let renumbered = WrappedRoot { key_id: KeyId::new(2), ..root.clone() };
        assert!(matches!(ours.unlock_root(&org, &renumbered), Err(VaultError::RootDamaged { .. })));

        let theirs = vault(2);
        let error = theirs.unlock_root(&org, &root).unwrap_err().to_string();
        assert!(error.contains(ours.kek_fingerprint()) && error.contains(theirs.kek_fingerprint()), "{error}");
        let relabelled = WrappedRoot { kek_id: theirs.kek_fingerprint().to_owned(), ..root };
        assert!(matches!(theirs.unlock_root(&org, &relabelled), Err(VaultError::RootDamaged { .. })));
    }

    #[test]
    fn a_root_with_any_bit_changed_does_not_unwrap() {
        let org: OrgId = "acme".parse().unwrap();
        let vault = vault(1);
        let root = vault.create_root(&org, KeyId::FIRST).unwrap();
        for bit in 0..root.wrapped.len() * 8 {
            let mut changed = root.clone();
            changed.wrapped[bit / 8] ^= 1 << (bit % 8);
            assert!(vault.unlock_root(&org, &changed).is_err(), "bit {bit}");
        }
        for length in 0..root.wrapped.len() {
            let cut = WrappedRoot { wrapped: root.wrapped[..length].to_vec(), ..root.clone() };
            assert!(vault.unlock_root(&org, &cut).is_err(), "cut to {length}");
        }
    }

    #[test]
    fn roots_are_random() {
        let org: OrgId = "acme".parse().unwrap();
        let vault = vault(1);
        let keys: Vec<LockedKey> = (0..2)
            .map(|_| wrap::unwrap(&vault.kek, &org, &vault.create_root(&org, KeyId::FIRST).unwrap()).unwrap())
            .collect();
        assert_ne!(keys[0].as_slice(), keys[1].as_slice());
        assert_ne!(keys[0].as_slice(), [0; 32]);
    }
}
