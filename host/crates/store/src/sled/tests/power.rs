//! Power cuts at every sync, of the journal and of checkpoints: of the writes since a file's last sync, none, all, or
//! any sectors survive.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use proptest::prelude::*;
use tempfile::TempDir;

use super::harness::*;
use super::journal::copy;
use crate::sled::durability::{Synced, Syncer};
use crate::sled::{SledSettings, SledStore};
use crate::*;

const FILES: [&str; 3] = ["db", "journal.0", "journal.1"];
const SECTOR: usize = 512;
const ACCOUNTS: u8 = 4;

/// The promise for an account: the version of its integration, and the one that a write in flight may have created.
type Promised = BTreeMap<u8, (u64, Option<u64>)>;

/// Random choices from a seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// The synced content of each file, and the content of the disk when the power fails.
struct Disk {
    store: PathBuf,
    state: Mutex<State>,
}

struct State {
    synced: BTreeMap<&'static str, Vec<u8>>,
    promised: Promised,
    dice: Dice,
    syncs: u32,
    /// The syncs before and after which the power fails.
    cuts: Vec<u32>,
    left: Vec<(TempDir, Promised)>,
}

impl Disk {
    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.store.join(name)).unwrap()
    }

    fn cut(&self, state: &mut State) {
        let folder = tempfile::tempdir().unwrap();
        copy(&self.store, &folder.path().join("store"));
        let mode = state.dice.below(4);
        for name in FILES {
            let path = folder.path().join("store").join(name);
            let (synced, written) = (state.synced[name].clone(), fs::read(&path).unwrap());
            let left = match mode {
                0 => synced,
                1 => written,
                _ => {
                    let mut left = synced;
                    left.resize(written.len().max(left.len()), 0);
                    for (left, written) in left.chunks_mut(SECTOR).zip(written.chunks(SECTOR)) {
                        if state.dice.below(2) == 0 {
                            left[..written.len()].copy_from_slice(written);
                        }
                    }
                    left
                }
            };
            fs::write(path, left).unwrap();
        }
        state.left.push((folder, state.promised.clone()));
    }
}

impl Syncer for Disk {
    fn sync(&self, file: &File, _of: Synced) -> io::Result<()> {
        let state = &mut *self.state.lock();
        state.syncs += 1;
        let fails = state.cuts.contains(&state.syncs);
        if fails {
            self.cut(state);
        }
        let inode = |metadata: fs::Metadata| std::os::unix::fs::MetadataExt::ino(&metadata);
        let of = inode(file.metadata()?);
        for name in FILES {
            if inode(fs::metadata(self.store.join(name))?) == of {
                state.synced.insert(name, self.read(name));
            }
        }
        if fails {
            self.cut(state);
        }
        Ok(())
    }
}

fn slug() -> &'static str {
    "hubspot"
}

async fn write(store: &SledStore, disk: &Disk, account: u8) {
    let (version, _) = disk.state.lock().promised[&account];
    disk.state.lock().promised.insert(account, (version, Some(version + 1)));
    store.commit_migration(migration(&account.to_string(), slug(), version + 1)).await.unwrap();
    disk.state.lock().promised.insert(account, (version + 1, None));
}

async fn check(folder: &TempDir, promised: &Promised) {
    let store = SledStore::open(settings(folder)).await.unwrap();
    store.verify_audit(&org()).await.unwrap();
    for (account, (version, pending)) in promised {
        let key = record(&account.to_string(), slug(), 1).key();
        let found = store.integration(&key).await.unwrap().map_or(0, |found| found.version);
        assert!(found == *version || Some(found) == *pending, "{found} of {version} or {pending:?} for {account}");
        // It accepts further writes.
        store.commit_migration(migration(&account.to_string(), slug(), found + 1)).await.unwrap();
    }
    store.close().await.unwrap();
}

async fn run(path: &Path, dice: Dice, accounts: Vec<u8>, cuts: Vec<u32>, sweep_every: Duration) {
    let promised = (0..ACCOUNTS).map(|account| (account, (0, None))).collect();
    // The power does not fail while the accounts are created.
    let state = State { synced: BTreeMap::new(), promised, dice, syncs: u32::MAX / 2, cuts, left: Vec::new() };
    let disk = Arc::new(Disk { store: path.join("store"), state: Mutex::new(state) });
    let settings = SledSettings { sweep_every, path: path.join("store"), ..settings(&tempfile::tempdir().unwrap()) };
    let store = SledStore::open_with(settings, Arc::clone(&disk) as Arc<dyn Syncer>).await.unwrap();
    let synced = FILES.map(|name| (name, disk.read(name)));
    disk.state.lock().synced.extend(synced);
    for account in 0..ACCOUNTS {
        with_account(&store, &account.to_string()).await;
    }
    disk.state.lock().syncs = 0;
    for account in accounts {
        write(&store, &disk, account).await;
    }
    drop(store);
    let left = std::mem::take(&mut disk.state.lock().left);
    for (folder, promised) in left {
        check(&folder, &promised).await;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn nothing_acknowledged_is_lost_at_any_step_of_a_batch_or_a_checkpoint(
        accounts in prop::collection::vec(0..ACCOUNTS, 1..60),
        cuts in prop::collection::vec(1_u32..60, 3),
        sweep in 1_u64..4,
        seed in any::<u64>(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(run(folder.path(), Dice(seed), accounts, cuts, Duration::from_millis(sweep)));
    }
}
