//! [`KnownKeys`]: the API keys in use, each read from the store once. What is stored of a key changes when it is revoked, which
//! makes this server [forget](KnownKeys::forget) it and other servers on the same database forget all they know within a second, and when its use is noted, which is done here: at most once a minute each, and
//! never waited for.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::RwLock;

use keyferry_store::{ApiKeyRecord, Kept, Peers, Store, StoreResult, Timestamp};

/// How exact the time of the last use is.
const GRAIN: Duration = Duration::from_secs(60);
/// Keys that are kept in memory.
const MOST: usize = 4096;

/// The API keys in use, by their hashes.
pub struct KnownKeys {
    store: Arc<dyn Store>,
    /// Other servers on the same database, which revoke keys as well.
    peers: Option<Arc<Peers>>,
    read: RwLock<ReadKeys>,
}

#[derive(Default)]
struct ReadKeys {
    /// The number of other servers' changes up to which these keys hold.
    generation: u64,
    keys: HashMap<[u8; 32], Arc<KnownKey>>,
    /// How often a key was forgotten: one that was read from the store before is not kept.
    forgotten: u64,
}

/// An API key as it is stored.
pub(crate) struct KnownKey {
    record: ApiKeyRecord,
    /// Milliseconds of the moment from which on its next use is noted.
    note_from: AtomicU64,
}

impl Deref for KnownKey {
    type Target = ApiKeyRecord;

    fn deref(&self) -> &ApiKeyRecord {
        &self.record
    }
}

impl KnownKey {
    fn new(record: ApiKeyRecord) -> Self {
        let note_from = record.last_used_at.map_or(0, |last| last.after(GRAIN).as_millis());
        Self { record, note_from: AtomicU64::new(note_from) }
    }
}

impl ReadKeys {
    /// Keeps a key, unless another one was forgotten since it was read: `forgotten` is the number from before the read.
    fn keep(&mut self, key: Arc<KnownKey>, forgotten: u64) {
        if self.forgotten != forgotten {
            return;
        }
        if self.keys.len() >= MOST {
            self.keys.clear();
        }
        self.keys.insert(key.hash, key);
    }

    fn forget(&mut self, hash: &[u8; 32]) {
        self.forgotten += 1;
        self.keys.remove(hash);
    }

    /// Another server has revoked keys.
    fn begin_again(&mut self, generation: u64) {
        if self.generation != generation {
            self.generation = generation;
            self.forgotten += 1;
            self.keys.clear();
        }
    }
}

impl KnownKeys {
    /// None are known yet.
    pub fn new(store: Arc<dyn Store>) -> Arc<Self> {
        Arc::new(Self { peers: store.peers(), store, read: RwLock::default() })
    }

    /// The store that they are read from.
    pub(crate) fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store)
    }

    /// The API key with this hash, also if it has expired or was revoked. One that is not live now is read each time, so that it
    /// takes no less time than one that does not exist.
    pub(crate) async fn get(&self, hash: &[u8; 32], now: Timestamp) -> StoreResult<Option<Arc<KnownKey>>> {
        let generation = self.peers.as_ref().map_or(Some(0), |peers| peers.generation(Kept::ApiKeys));
        let Some(generation) = generation else {
            // What other servers have revoked is not known.
            return Ok(self.store.api_key(hash).await?.map(KnownKey::new).map(Arc::new));
        };
        if self.read.read().generation != generation {
            self.read.write().begin_again(generation);
        }
        let forgotten = {
            let read = self.read.read();
            if let Some(known) = read.keys.get(hash).filter(|known| known.is_live(now)) {
                return Ok(Some(Arc::clone(known)));
            }
            read.forgotten
        };
        let Some(key) = self.store.api_key(hash).await?.map(KnownKey::new).map(Arc::new) else { return Ok(None) };
        if key.is_live(now) {
            self.read.write().keep(Arc::clone(&key), forgotten);
        }
        Ok(Some(key))
    }

    /// What is stored of a key has changed: the next request with it reads the store.
    pub(crate) fn forget(&self, hash: &[u8; 32]) {
        self.read.write().forget(hash);
    }

    /// A key was used now.
    pub(crate) fn note_use(&self, key: &KnownKey, now: Timestamp) {
        let (at, from) = (now.as_millis(), key.note_from.load(Ordering::Relaxed));
        let next = now.after(GRAIN).as_millis();
        let is_due =
            at >= from && key.note_from.compare_exchange(from, next, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if !is_due {
            return;
        }
        let (store, hash) = (Arc::clone(&self.store), key.hash);
        tokio::spawn(async move {
            if let Err(error) = store.touch_api_key(&hash, now).await {
                tracing::debug!(%error, "the last use of an API key was not noted");
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyferry_store::Scope;
    use keyferry_types::ids::Environment;

    fn key(number: usize) -> Arc<KnownKey> {
        let mut hash = [0; 32];
        hash[..8].copy_from_slice(&(number as u64).to_be_bytes());
        Arc::new(KnownKey::new(ApiKeyRecord {
            hash,
            org: "acme".parse().unwrap(),
            environment: Environment::Test,
            label: String::new(),
            scopes: vec![Scope::Migrate],
            shown: "tk_abcd".to_owned(),
            created_at: Timestamp::from_millis(0),
            expires_at: None,
            revoked_at: None,
            last_used_at: None,
        }))
    }

    #[test]
    fn a_key_that_was_read_before_it_was_revoked_is_not_kept() {
        let (mut read, key) = (ReadKeys::default(), key(1));
        let before = read.forgotten;
        read.keep(Arc::clone(&key), before);
        assert!(read.keys.contains_key(&key.hash));
        // A request reads the key, the key is revoked, and then the request keeps what it has read.
        let reading = read.forgotten;
        read.forget(&key.hash);
        read.keep(Arc::clone(&key), reading);
        assert!(!read.keys.contains_key(&key.hash));
        let after = read.forgotten;
        read.keep(Arc::clone(&key), after);
        assert!(read.keys.contains_key(&key.hash));
    }

    #[test]
    fn what_another_server_revokes_is_forgotten_with_all_else_that_was_read_before() {
        let (mut read, key) = (ReadKeys::default(), key(1));
        let before = read.forgotten;
        read.keep(Arc::clone(&key), before);
        read.begin_again(0);
        assert!(read.keys.contains_key(&key.hash), "nothing has changed");
        read.begin_again(7);
        assert!(read.keys.is_empty());
        read.keep(Arc::clone(&key), before);
        assert!(read.keys.is_empty(), "it was read before the change was known");
    }

    #[test]
    fn no_more_keys_are_kept_than_have_room() {
        let mut read = ReadKeys::default();
        for number in 0..MOST * 2 + 1 {
            read.keep(key(number), 0);
            assert!(read.keys.len() <= MOST && read.keys.contains_key(&key(number).hash), "{number}");
        }
    }
}
