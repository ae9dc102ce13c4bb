//! The result of opening journals and databases in every state.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use super::harness::*;
use crate::sled::durability::{Synced, Syncer};
use crate::sled::journal::JOURNALS;
use crate::sled::record::BLOCK;
use crate::sled::{SledSettings, SledStore};
use crate::*;

/// The files that a SIGKILL leaves of an open store.
fn killed(store: &Path) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    copy(store, &folder.path().join("store"));
    folder
}

pub(super) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        // sled may have removed a snapshot meanwhile.
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()));
        } else if entry.file_name() != "reserve" {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

async fn open_with(accounts: usize) -> (Scratch, PathBuf) {
    let store = Scratch::new().await;
    for number in 0..accounts {
        with_account(&store, &format!("user_{number}")).await;
    }
    let path = store.folder().path().join("store");
    (store, path)
}

async fn accounts(folder: &TempDir) -> Result<u64, String> {
    let store = SledStore::open(settings(folder)).await.map_err(|error| error.to_string())?;
    let audit = store.verify_audit(&org()).await.unwrap();
    let all = ListAccounts { page: 1, limit: 1, search: None, after: None };
    let total = store.accounts(&org(), account_key("a").environment, all).await.unwrap().total as u64;
    assert_eq!(audit.entries, total);
    // It accepts further writes.
    with_account(&store, &format!("later_{total}")).await;
    store.close().await.unwrap();
    Ok(total)
}

/// The blocks at which records of these accounts begin, each in a batch of its own.
fn block(record: usize) -> u64 {
    ((record + 1) * BLOCK) as u64
}

fn damage(path: &Path, at: u64) {
    let file = File::options().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 1], at).unwrap();
}

#[tokio::test]
async fn what_only_the_journal_holds_is_there_after_a_kill_and_is_applied_once() {
    let (_store, path) = open_with(20).await;
    let folder = killed(&path);
    for found in [20, 21, 22] {
        assert_eq!(accounts(&folder).await, Ok(found));
    }
}

#[tokio::test]
async fn a_damaged_record_is_refused_with_a_way_out_and_left_as_it_is() {
    let (_store, path) = open_with(20).await;
    for (record, at, said) in [
        (0, 40, "batch 1 of the writes is missing in its journal or damaged, and batch 2 is there"),
        (10, 3, "batch 11 of the writes is missing"),
        // The last one: it is below the watermark.
        (19, 60, "it has come back with 19 of 20 acknowledged batches"),
    ] {
        let folder = killed(&path);
        let journal = folder.path().join("store").join(JOURNALS[0]);
        damage(&journal, block(record) + at);
        for _ in 0..2 {
            let error = accounts(&folder).await.unwrap_err();
            assert!(error.contains(said) && error.contains("restore"), "{error}");
        }
        damage(&journal, block(record) + at);
        assert_eq!(accounts(&folder).await, Ok(20));
    }
}

#[tokio::test]
async fn a_file_that_is_no_journal_is_refused() {
    let (_store, path) = open_with(3).await;
    let folder = killed(&path);
    damage(&folder.path().join("store").join(JOURNALS[1]), 5);
    let error = accounts(&folder).await.unwrap_err();
    assert!(error.contains("a file of its journal is damaged") && error.contains("restore"), "{error}");
}

#[tokio::test]
async fn without_its_journal_a_store_that_was_closed_opens_and_one_that_was_killed_is_refused() {
    let (store, path) = open_with(5).await;
    let folder = killed(&path);
    for name in JOURNALS {
        fs::remove_file(folder.path().join("store").join(name)).unwrap();
    }
    let error = accounts(&folder).await.unwrap_err();
    assert!(error.contains("it has come back with 0 of 5 acknowledged batches"), "{error}");

    store.close().await.unwrap();
    let folder = killed(&path);
    for name in JOURNALS {
        fs::remove_file(folder.path().join("store").join(name)).unwrap();
    }
    assert_eq!(accounts(&folder).await, Ok(5));
}

#[tokio::test]
async fn a_record_that_was_never_finished_is_the_end() {
    let (_store, path) = open_with(8).await;
    let folder = killed(&path);
    let journal = File::options().write(true).open(folder.path().join("store").join(JOURNALS[0])).unwrap();
    let mut head = fs::read(path.join(JOURNALS[0])).unwrap()[8..24].to_vec();
    head.extend_from_slice(&[7; 900]);
    journal.write_all_at(&head, block(8)).unwrap();
    assert_eq!(accounts(&folder).await, Ok(8));
    assert_eq!(accounts(&folder).await, Ok(9));
}

#[tokio::test]
async fn a_record_that_others_have_chosen_is_none() {
    let (store, path) = open_with(1).await;
    // A stored value with a forged journal block at each block boundary, made from all that a client may know.
    let mut forged = fs::read(path.join(JOURNALS[0])).unwrap()[BLOCK..2 * BLOCK].to_vec();
    forged[..16].fill(0x55);
    forged[24] = 9;
    let mut write = migration("user_0", "hubspot", 1);
    write.record.envelope = forged.repeat(12);
    store.commit_migration(write).await.unwrap();
    let folder = killed(&path);
    let store = SledStore::open(settings(&folder)).await.unwrap();
    assert_eq!(store.verify_audit(&org()).await.unwrap().entries, 2);
}

#[tokio::test]
async fn journals_and_databases_of_different_times_are_refused_where_something_would_be_missing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let often = SledSettings { sweep_every: Duration::from_millis(1), ..settings(&folder) };
    let store = SledStore::open(often).await.unwrap();
    with_account(&store, "first").await;
    let early = killed(&path);
    // Until both files have been written again.
    let first = |name| u64::from_le_bytes(fs::read(path.join(name)).unwrap()[BLOCK + 24..][..8].try_into().unwrap());
    let mut written = 1;
    while JOURNALS.map(first).into_iter().any(|number| number < 3) {
        with_account(&store, &format!("user_{written}")).await;
        written += 1;
    }
    store.close().await.unwrap();
    drop(store);
    let late = killed(&path);

    // The earlier journal with the later database: the database has all of it on disk.
    for name in JOURNALS {
        fs::copy(early.path().join("store").join(name), path.join(name)).unwrap();
    }
    let there = SledStore::open(settings(&folder)).await.unwrap();
    assert_eq!(there.verify_audit(&org()).await.unwrap().entries, written);
    drop(there);

    // The later journal with the earlier database: the batches in between are in neither.
    for name in JOURNALS {
        fs::copy(late.path().join("store").join(name), early.path().join("store").join(name)).unwrap();
    }
    let error = accounts(&early).await.unwrap_err();
    assert!(error.contains("of the writes is missing in its journal"), "{error}");
}

/// Bytes of a large envelope.
const LARGE: usize = 60 << 10;

fn large(account: &str, version: u64) -> MigrationWrite {
    let mut write = migration(account, "hubspot", version);
    write.record.envelope = vec![7; LARGE];
    write
}

/// A disk on which a sync of sled's file ends only when the single writer has advanced as far as allowed.
#[derive(Default)]
struct Slow {
    batches: AtomicUsize,
    /// The number of batches when the last sync of sled's file began.
    before: AtomicUsize,
    /// The most batches between the beginning of a sync of sled's file and the end of the next.
    most: AtomicUsize,
}

impl Syncer for Slow {
    fn sync(&self, file: &File, of: Synced) -> io::Result<()> {
        if of == Synced::Journal {
            self.batches.fetch_add(1, Ordering::SeqCst);
            return file.sync_data();
        }
        let began = self.batches.load(Ordering::SeqCst);
        let (mut seen, mut still) = (began, 0);
        // A slow writer weakens the test, and never fails it.
        while still < 10 {
            thread::sleep(Duration::from_millis(10));
            let now = self.batches.load(Ordering::SeqCst);
            still = if now == seen { still + 1 } else { 0 };
            seen = now;
        }
        let before = self.before.swap(began, Ordering::SeqCst);
        self.most.fetch_max(seen - before, Ordering::SeqCst);
        file.sync_data()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_sled_takes_between_two_syncs_is_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Arc::new(Slow::default());
    let store = SledStore::open_with(settings(&folder), Arc::clone(&disk) as Arc<dyn Syncer>).await.unwrap();
    with_account(&store, "user_1").await;
    for version in 1..=150 {
        store.commit_migration(large("user_1", version)).await.unwrap();
    }
    store.close().await.unwrap();
    let most = disk.most.load(Ordering::SeqCst);
    // Writers do not wait for each checkpoint either.
    assert!((10..=(2 << 20) / LARGE + 1).contains(&most), "{most}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_writes_at_once_are_all_there_with_their_entries() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(SledStore::open(settings(&folder)).await.unwrap());
    let names: Vec<String> = (0..64).map(|number| format!("user_{number}")).collect();
    for name in &names {
        with_account(&store, name).await;
    }
    let writes = names.iter().map(|name| {
        let (store, write) = (Arc::clone(&store), large(name, 1));
        tokio::spawn(async move { store.commit_migration(write).await.unwrap() })
    });
    for write in writes.collect::<Vec<_>>() {
        write.await.unwrap();
    }
    store.close().await.unwrap();
    drop(store);
    let store = SledStore::open(settings(&folder)).await.unwrap();
    assert_eq!(store.verify_audit(&org()).await.unwrap().entries, 2 * names.len() as u64);
    for name in &names {
        let key = record(name, "hubspot", 1).key();
        assert_eq!(store.integration(&key).await.unwrap().unwrap().envelope.len(), LARGE, "{name}");
    }
}
