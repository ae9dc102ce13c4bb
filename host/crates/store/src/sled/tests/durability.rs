//! Group commit, failed syncs, a full disk.

use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use parking_lot::Mutex;

use super::harness::*;
use crate::sled::durability::{Synced, Syncer};
use crate::sled::{SledSettings, SledStore};
use crate::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_writers_are_all_answered_and_all_there_after_reopening() {
    let store = Arc::new(Scratch::new().await);
    let writers: Vec<_> = (0..300)
        .map(|number| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let account = format!("user_{number}");
                with_account(&store, &account).await;
                store.commit_migration(migration(&account, "hubspot", 1)).await.unwrap();
                store.commit_migration(migration(&account, "hubspot", 2)).await.unwrap();
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    let store = Arc::into_inner(store).unwrap().reopened().await;
    for number in 0..300 {
        let key = record(&format!("user_{number}"), "hubspot", 1).key();
        assert_eq!(store.integration(&key).await.unwrap().unwrap().version, 2, "user_{number}");
    }
    assert_eq!(store.verify_audit(&org()).await.unwrap().entries, 900);
}

/// Counts syncs of the journal, each of which waits for a signal: `true` lets it succeed, anything else makes it fail.
struct Told {
    words: Mutex<mpsc::Receiver<bool>>,
    reached: Arc<AtomicUsize>,
}

impl Syncer for Told {
    fn sync(&self, _file: &File, of: Synced) -> io::Result<()> {
        if of == Synced::Database {
            return Ok(());
        }
        self.reached.fetch_add(1, Ordering::SeqCst);
        match self.words.lock().recv() {
            Ok(true) => Ok(()),
            _ => Err(io::Error::from_raw_os_error(5)),
        }
    }
}

async fn told(folder: &tempfile::TempDir) -> (Arc<SledStore>, mpsc::Sender<bool>, Arc<AtomicUsize>) {
    let (tell, words) = mpsc::channel();
    let reached = Arc::new(AtomicUsize::new(0));
    let syncer = Told { words: Mutex::new(words), reached: Arc::clone(&reached) };
    let store = SledStore::open_with(settings(folder), Arc::new(syncer)).await.unwrap();
    (Arc::new(store), tell, reached)
}

async fn until(reached: &AtomicUsize, count: usize) {
    while reached.load(Ordering::SeqCst) < count {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_answered_before_the_sync_and_many_share_one() {
    let folder = tempfile::tempdir().unwrap();
    let (store, tell, reached) = told(&folder).await;
    let write = |account: &'static str| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.put_account(put(PutMode::Create, account)).await })
    };
    let first = write("a");
    until(&reached, 1).await;
    let others: Vec<_> = ["b", "c", "d"].map(write).into_iter().collect();
    // All three are queued behind the sync in progress.
    while store.waiting() < 4 {
        tokio::task::yield_now().await;
    }
    assert!(!first.is_finished(), "an answer came before its sync");
    tell.send(true).unwrap();
    first.await.unwrap().unwrap();
    until(&reached, 2).await;
    assert!(others.iter().all(|other| !other.is_finished()));
    tell.send(true).unwrap();
    for other in others {
        other.await.unwrap().unwrap();
    }
    assert_eq!(reached.load(Ordering::SeqCst), 2, "three writes took more than one sync");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_durable_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let (store, tell, reached) = told(&folder).await;
    tell.send(true).unwrap();
    with_account(&store, "a").await;
    let key = account_key("a");
    let kept = IdempotencyRecord {
        key: IdempotencyKey { org: key.org.clone(), environment: key.environment, key: "k".to_owned() },
        fingerprint: [1; 32],
        status: 200,
        headers: Vec::new(),
        body: Vec::new(),
        expires_at: Timestamp::from_millis(u64::MAX),
    };
    let write = MigrationWrite { idempotency: Some(kept.clone()), ..migration("a", "hubspot", 1) };
    let writer = Arc::clone(&store);
    let writing = tokio::spawn(async move { writer.commit_migration(write).await });
    until(&reached, 2).await;
    let integration = record("a", "hubspot", 1).key();
    assert_eq!(store.idempotency(&kept.key).await.unwrap(), None, "a power cut could still take it back");
    assert!(store.integration(&integration).await.unwrap().is_none());
    tell.send(true).unwrap();
    writing.await.unwrap().unwrap();
    assert!(store.integration(&integration).await.unwrap().is_some());
    assert_eq!(store.idempotency(&kept.key).await.unwrap(), Some(kept));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_sync_withholds_the_answer_and_is_final() {
    let folder = tempfile::tempdir().unwrap();
    let (store, tell, reached) = told(&folder).await;
    let mut fatal = store.fatal();
    tell.send(true).unwrap();
    with_account(&store, "before").await;
    assert_eq!(store.health(), StoreHealth::Ready);

    let writer = Arc::clone(&store);
    let pending = tokio::spawn(async move { writer.put_account(put(PutMode::Create, "lost")).await });
    until(&reached, 2).await;
    tell.send(false).unwrap();
    let error = pending.await.unwrap().unwrap_err();
    assert!(matches!(error, StoreError::Failed { .. }), "{error}");
    let reason = fatal.failed().await;
    assert!(reason.contains("sync"), "{reason}");

    // Later syncs would succeed, which makes no difference.
    for _ in 0..3 {
        tell.send(true).unwrap();
    }
    let later = store.put_account(put(PutMode::Create, "later")).await.unwrap_err();
    assert!(matches!(later, StoreError::Failed { .. }), "{later}");
    assert_eq!(store.health(), StoreHealth::Failed(reason));
    assert!(store.integration(&record("before", "hubspot", 1).key()).await.unwrap().is_none(), "it can still be read");
    assert!(matches!(store.close().await, Err(StoreError::Failed { .. })));
    assert_eq!(reached.load(Ordering::SeqCst), 2, "a failed sync was tried again");
}

#[tokio::test]
async fn a_panicking_committer_is_a_failed_store() {
    struct Panics;
    impl Syncer for Panics {
        fn sync(&self, _file: &File, _of: Synced) -> io::Result<()> {
            panic!("on purpose")
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let store = SledStore::open_with(settings(&folder), Arc::new(Panics)).await.unwrap();
    for account in ["a", "b"] {
        let error = store.put_account(put(PutMode::Create, account)).await.unwrap_err();
        assert!(matches!(error, StoreError::Failed { .. }), "{error}");
    }
    store.fatal().failed().await;
}

/// A disk whose sync never returns.
struct Hangs;

impl Syncer for Hangs {
    fn sync(&self, _file: &File, _of: Synced) -> io::Result<()> {
        loop {
            std::thread::park();
        }
    }
}

async fn hanging(folder: &tempfile::TempDir) -> SledStore {
    let settings = SledSettings { patience: Duration::from_millis(50), ..settings(folder) };
    SledStore::open_with(settings, Arc::new(Hangs)).await.unwrap()
}

#[tokio::test]
async fn a_store_that_cannot_be_closed_for_a_disk_that_hangs_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let store = hanging(&folder).await;
    let error = store.close().await.unwrap_err();
    assert!(matches!(&error, StoreError::Failed { reason } if reason.contains("within 0.05 s")), "{error}");
    drop(store);
}

#[tokio::test]
async fn a_disk_that_hangs_is_a_failed_store_and_nobody_waits_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = hanging(&folder).await;
    for account in ["under way", "queued behind it"] {
        let error = store.put_account(put(PutMode::Create, account)).await.unwrap_err();
        assert!(matches!(&error, StoreError::Failed { reason } if reason.contains("within 0.05 s")), "{error}");
    }
    store.fatal().failed().await;
    assert!(matches!(store.health(), StoreHealth::Failed(_)));
    drop(store);
}

#[tokio::test]
async fn without_space_writes_are_refused_and_reads_go_on() {
    let store = Scratch::new().await;
    with_account(&store, "a").await;
    let mut store = store;
    store.close_and_drop().await;
    let mut settings = settings(store.folder());
    settings.min_free = u64::MAX;
    let full = SledStore::open(settings).await.unwrap();
    let error = full.put_account(put(PutMode::Create, "b")).await.unwrap_err();
    assert!(matches!(error, StoreError::NoSpace { needed: u64::MAX, .. }), "{error}");
    assert!(matches!(full.health(), StoreHealth::NoSpace { .. }));
    assert!(full.account(&account_key("a")).await.unwrap().is_some());
    full.close().await.unwrap();
}

#[tokio::test]
async fn a_closed_store_says_so() {
    let store = Scratch::new().await;
    store.close().await.unwrap();
    let error = store.put_account(put(PutMode::Create, "a")).await.unwrap_err();
    assert!(matches!(error, StoreError::Closed), "{error}");
    assert!(matches!(store.close().await, Err(StoreError::Closed)));
    let mut fatal = store.fatal();
    drop(store);
    let waited = tokio::time::timeout(std::time::Duration::from_millis(20), fatal.failed()).await;
    assert!(waited.is_err(), "closing is no failure");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_queued_when_the_store_closes_is_still_written() {
    let store = Arc::new(Scratch::new().await);
    let writers: Vec<_> = (0..50)
        .map(|number| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let account = format!("user_{number}");
                store.put_account(put(PutMode::Create, &account)).await.map(|_| account)
            })
        })
        .collect();
    tokio::task::yield_now().await;
    store.close().await.unwrap();
    let mut stored = HashSet::new();
    for writer in writers {
        match writer.await.unwrap() {
            Ok(account) => drop(stored.insert(account)),
            Err(error) => assert!(matches!(error, StoreError::Closed), "{error}"),
        }
    }
    let folder = Arc::into_inner(store).unwrap().into_folder();
    let store = SledStore::open(settings(&folder)).await.unwrap();
    for number in 0..50 {
        let account = format!("user_{number}");
        let there = store.account(&account_key(&account)).await.unwrap().is_some();
        assert_eq!(there, stored.contains(&account), "{account}");
    }
}
