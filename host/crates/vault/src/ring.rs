//! The key ring: unwrapped roots by organisation, in memory only.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, RwLock};

use super::error::VaultError;
use super::kek::Kind;
use super::kek::{KeyEncryptionKey, NewRoot};
use super::key_id::KeyId;
use super::locked::LockedKey;
use super::remote::KeyServiceState;
use super::wrap::WrappedRoot;
use keyferry_types::ids::OrgId;

/// Seals and opens. Shared by all threads.
pub struct Vault {
    kek: KeyEncryptionKey,
    /// The key that seals compiled code, if the key-encryption key is in a service; set when the service has unwrapped it.
    pub(super) code_key: OnceLock<LockedKey>,
    roots: RwLock<HashMap<OrgId, BTreeMap<KeyId, Arc<LockedKey>>>>,
    /// The organisations that are being unlocked, or could not be.
    unlocking: Mutex<HashMap<OrgId, Arc<Turn>>>,
}

/// Lock that one caller at a time holds to unlock an organisation; it contains the time and error of the last failure.
type Turn = tokio::sync::Mutex<Option<(Instant, Arc<VaultError>)>>;

/// Pause before a root that does not open is tried again. A key service that fails has a pause of its own.
const PAUSE: Duration = Duration::from_secs(10);

impl Vault {
    /// A vault whose key ring is empty: roots are made by [`create_root`](Self::create_root), kept by a store and brought
    /// in by [`unlock_root`](Self::unlock_root).
    pub fn new(kek: KeyEncryptionKey) -> Self {
        Self { kek, code_key: OnceLock::new(), roots: RwLock::default(), unlocking: Mutex::default() }
    }

    /// Makes a new random root, wrapped by the key-encryption key and bound to organisation and key id.
    ///
    /// It does not go onto the ring: store it, then unlock what the store kept. Two who make an organisation's first root
    /// at once would otherwise seal under one that is nowhere stored.
    ///
    /// # Errors
    /// `KeyService` where a key service does not wrap it.
    pub async fn create_root(&self, org: &OrgId, key_id: KeyId) -> Result<NewRoot, VaultError> {
        self.kek.create(org, key_id).await
    }

    /// Puts a root that was just made onto the ring, without unwrapping it. The very one must have been stored before.
    pub fn adopt_root(&self, org: &OrgId, root: NewRoot) {
        self.put(org, [(root.wrapped.key_id, root.key)]);
    }

    /// Puts a stored root onto the ring. Unlock all of an organisation's roots: the newest one seals, the oldest one
    /// makes fingerprints, and each may be needed for opening.
    ///
    /// # Errors
    /// [`VaultError::WrongKey`] names the key that is needed and the one that is here. [`VaultError::RootDamaged`] where it
    /// does not unwrap. [`VaultError::KeyService`] where a key service does not unwrap it for now.
    pub async fn unlock_root(&self, org: &OrgId, root: &WrappedRoot) -> Result<(), VaultError> {
        let key = self.kek.unwrap(org, root).await?;
        self.put(org, [(root.key_id, Arc::new(key))]);
        Ok(())
    }

    /// Puts all of an organisation's roots onto the ring, or none, unless it is unlocked already. For concurrent calls
    /// each root is unwrapped once; where one does not open, its error is returned for a while without another attempt.
    ///
    /// # Errors
    /// As [`unlock_root`](Self::unlock_root), and what `roots` gives.
    pub async fn unlock_all<E: From<VaultError>>(
        &self,
        org: &OrgId,
        roots: impl Future<Output = Result<Vec<WrappedRoot>, E>>,
    ) -> Result<(), E> {
        if self.is_unlocked(org) {
            return Ok(());
        }
        let turn = Arc::clone(self.unlocking.lock().entry(org.clone()).or_default());
        let mut last = turn.lock().await;
        if self.is_unlocked(org) {
            return Ok(());
        }
        if let Some((at, reason)) = last.as_ref()
            && at.elapsed() < PAUSE
        {
            return Err(VaultError::StillLocked { reason: Arc::clone(reason) }.into());
        }
        let roots = roots.await?;
        let mut keys = Vec::with_capacity(roots.len());
        for root in &roots {
            match self.kek.unwrap(org, root).await {
                Ok(key) => keys.push((root.key_id, Arc::new(key))),
                Err(error @ VaultError::KeyService(_)) => return Err(error.into()),
                Err(error) => {
                    let reason = Arc::new(error);
                    *last = Some((Instant::now(), Arc::clone(&reason)));
                    return Err(VaultError::StillLocked { reason }.into());
                }
            }
        }
        self.put(org, keys);
        drop(last);
        self.unlocking.lock().remove(org);
        Ok(())
    }

    /// Takes a root off the ring: nothing is opened with it any more.
    pub fn lock_root(&self, org: &OrgId, key_id: KeyId) {
        let mut roots = self.roots.write();
        if let Some(of_org) = roots.get_mut(org) {
            of_org.remove(&key_id);
        }
    }

    /// The roots on the ring.
    pub fn on_ring(&self) -> Vec<(OrgId, Vec<KeyId>)> {
        self.roots.read().iter().map(|(org, roots)| (org.clone(), roots.keys().copied().collect())).collect()
    }

    /// Whether at least one of the organisation's roots is on the ring.
    pub fn is_unlocked(&self, org: &OrgId) -> bool {
        self.roots.read().contains_key(org)
    }

    /// The key-encryption key that wraps all roots of this vault.
    pub fn kek(&self) -> &KeyEncryptionKey {
        &self.kek
    }

    /// State of the key service; a local key is always available.
    pub fn key_service(&self) -> KeyServiceState {
        self.kek.remote().map_or(KeyServiceState::Answers, super::remote::RemoteKey::state)
    }

    /// The key that seals compiled code, if it is available.
    pub(super) fn code_key(&self) -> Option<&LockedKey> {
        match &self.kek.0 {
            Kind::Local(key) => Some(key.cache_key()),
            Kind::Remote(_) => self.code_key.get(),
        }
    }

    fn put(&self, org: &OrgId, keys: impl IntoIterator<Item = (KeyId, Arc<LockedKey>)>) {
        let mut keys = keys.into_iter().peekable();
        if keys.peek().is_none() {
            return;
        }
        let mut roots = self.roots.write();
        roots.entry(org.clone()).or_default().extend(keys);
    }

    pub(super) fn newest(&self, org: &OrgId) -> Result<(KeyId, Arc<LockedKey>), VaultError> {
        let ring = self.roots.read();
        let newest = ring.get(org).and_then(BTreeMap::last_key_value);
        newest.map(|(id, key)| (*id, Arc::clone(key))).ok_or_else(|| VaultError::NoRoot { org: org.clone() })
    }

    pub(super) fn oldest(&self, org: &OrgId) -> Result<Arc<LockedKey>, VaultError> {
        let ring = self.roots.read();
        let oldest = ring.get(org).and_then(BTreeMap::first_key_value);
        oldest.map(|(_, key)| Arc::clone(key)).ok_or_else(|| VaultError::NoRoot { org: org.clone() })
    }

    pub(super) fn root(&self, org: &OrgId, key_id: KeyId) -> Result<Arc<LockedKey>, VaultError> {
        let ring = self.roots.read();
        let keys = ring.get(org).ok_or_else(|| VaultError::NoRoot { org: org.clone() })?;
        keys.get(&key_id).map(Arc::clone).ok_or_else(|| VaultError::UnknownRoot { org: org.clone(), key_id })
    }
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Vault({})", self.kek.shown())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use futures_util::FutureExt as _;

    use super::*;
    use crate::key_service_error::KeyServiceFault;
    use crate::remote::RemoteKey;
    use crate::remote::tests::FakeService;

    /// With a local key there is nothing to wait for.
    pub(crate) fn now<T>(future: impl Future<Output = T>) -> T {
        future.now_or_never().unwrap()
    }

    /// Makes a root and puts it onto the ring.
    pub(crate) fn with_root(vault: &Vault, org: &OrgId, key_id: KeyId) {
        let root = now(vault.create_root(org, key_id)).unwrap();
        now(vault.unlock_root(org, &root.wrapped)).unwrap();
    }

    fn vault(byte: u8) -> Vault {
        Vault::new(KeyEncryptionKey::from_bytes(&[byte; 32]).unwrap())
    }

    #[test]
    fn a_root_unlocks_for_its_organisation_key_id_and_key_only() {
        let (org, other): (OrgId, OrgId) = ("acme".parse().unwrap(), "umbrella".parse().unwrap());
        let ours = vault(1);
        let root = now(ours.create_root(&org, KeyId::FIRST)).unwrap().wrapped;
        assert!(!ours.is_unlocked(&org), "a root that was never stored is on the ring");
        now(ours.unlock_root(&org, &root)).unwrap();
        assert!(ours.is_unlocked(&org) && !ours.is_unlocked(&other));

        assert!(matches!(now(ours.unlock_root(&other, &root)), Err(VaultError::RootDamaged { .. })));
        let renumbered = WrappedRoot { key_id: KeyId::new(2), ..root.clone() };
        assert!(matches!(now(ours.unlock_root(&org, &renumbered)), Err(VaultError::RootDamaged { .. })));

        let theirs = vault(2);
        let error = now(theirs.unlock_root(&org, &root)).unwrap_err().to_string();
        assert!(error.contains(ours.kek().shown()) && error.contains(theirs.kek().shown()), "{error}");
        let relabelled = WrappedRoot { kek_id: theirs.kek().shown().to_owned(), ..root };
        assert!(matches!(now(theirs.unlock_root(&org, &relabelled)), Err(VaultError::RootDamaged { .. })));
    }

    #[test]
    fn a_root_with_any_bit_changed_does_not_unwrap() {
        let org: OrgId = "acme".parse().unwrap();
        let vault = vault(1);
        let root = now(vault.create_root(&org, KeyId::FIRST)).unwrap().wrapped;
        for bit in 0..root.wrapped.len() * 8 {
            let mut changed = root.clone();
            changed.wrapped[bit / 8] ^= 1 << (bit % 8);
            assert!(now(vault.unlock_root(&org, &changed)).is_err(), "bit {bit}");
        }
        for length in 0..root.wrapped.len() {
            let cut = WrappedRoot { wrapped: root.wrapped[..length].to_vec(), ..root.clone() };
            assert!(now(vault.unlock_root(&org, &cut)).is_err(), "cut to {length}");
        }
    }

    #[test]
    fn roots_are_random() {
        let org: OrgId = "acme".parse().unwrap();
        let vault = vault(1);
        let keys: Vec<_> = (0..2).map(|_| now(vault.create_root(&org, KeyId::FIRST)).unwrap().key).collect();
        assert_ne!(keys[0].as_slice(), keys[1].as_slice());
        assert_ne!(keys[0].as_slice(), [0; 32]);
    }

    /// The stored form, made by another implementation (Python's hmac and cryptography): what is stored stays readable.
    #[test]
    fn a_stored_root_goes_on_opening() {
        let root = WrappedRoot {
            key_id: KeyId::FIRST,
            kek_id: STORED_KEK_ID.to_owned(),
            wrapped: hex::decode(STORED_ROOT).unwrap(),
        };
        let key = now(vault(7).kek.unwrap(&"acme".parse().unwrap(), &root)).unwrap();
        assert_eq!(hex::encode(key.as_slice()), STORED_KEY);
    }

    const STORED_KEK_ID: &str = "e45305259305799e";
    const STORED_ROOT: &str = "01016465666768696a6b6c6d6e6f619a9fb6fd4308ec50baf236816a4ca8829d6ed8b500b01099433108c8e82183635ca85650af37de96c21632b4cd02ac";
    const STORED_KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

    async fn two_roots(service: &FakeService) -> (Vault, OrgId, Vec<WrappedRoot>) {
        let vault = Vault::new(RemoteKey::new(service.clone()).into());
        let org: OrgId = "acme".parse().unwrap();
        let mut roots = Vec::new();
        for number in 1..=2 {
            roots.push(vault.create_root(&org, KeyId::new(number)).await.unwrap().wrapped);
        }
        (vault, org, roots)
    }

    #[tokio::test]
    async fn however_many_ask_each_root_is_unwrapped_once() {
        let service = FakeService::default();
        let (vault, org, roots) = two_roots(&service).await;
        let before = service.count();
        let unlock = || vault.unlock_all::<VaultError>(&org, std::future::ready(Ok(roots.clone())));
        let outcomes = futures_util::future::join_all((0..100).map(|_| unlock())).await;
        assert!(outcomes.iter().all(Result::is_ok));
        assert_eq!(service.count() - before, 2);
        assert_eq!(vault.newest(&org).unwrap().0, KeyId::new(2));
        assert!(vault.unlocking.lock().is_empty());
    }

    #[tokio::test]
    async fn an_organisation_is_unlocked_whole_or_not_at_all_and_a_failure_costs_one_call() {
        let service = FakeService::default();
        let (vault, org, roots) = two_roots(&service).await;
        let before = service.count();
        // The first of the two opens: sealing under it, while there is a newer one, would be wrong.
        service.plan.lock().extend([None, Some(KeyServiceFault::Refused)]);
        let unlock = || vault.unlock_all::<VaultError>(&org, std::future::ready(Ok(roots.clone())));
        for outcome in futures_util::future::join_all((0..100).map(|_| unlock())).await {
            let error = outcome.unwrap_err();
            assert!(error.locked().unwrap().0.contains("refuses") && !error.may_pass(), "{error}");
        }
        assert_eq!(service.count() - before, 2);
        assert!(!vault.is_unlocked(&org) && vault.newest(&org).is_err());
    }

    #[tokio::test]
    async fn a_root_that_does_not_open_costs_one_call_however_often_it_is_asked_for() {
        let service = FakeService::default();
        let (vault, org, roots) = two_roots(&service).await;
        let before = service.count();
        let moved = vec![WrappedRoot { key_id: KeyId::new(7), ..roots[0].clone() }];
        for _ in 0..10 {
            let error = vault.unlock_all::<VaultError>(&org, std::future::ready(Ok(moved.clone()))).await.unwrap_err();
            assert!(error.to_string().contains("root 7 of organisation acme does not unwrap"), "{error}");
            assert!(error.locked().unwrap().0.contains("do not open"), "{error}");
        }
        assert_eq!(service.count() - before, 1);
    }
}
