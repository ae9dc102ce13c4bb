//! What is on disk, and whether the store still can be trusted to know.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Weak;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::{Failure, FatalWatch, StoreError, StoreHealth, StoreResult};

/// What is synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Synced {
    /// A file of the journal.
    Journal,
    /// sled's file: its own `flush` ends in `sync_file_range`, which promises nothing.
    Database,
}

/// Brings what was written to disk.
pub(super) trait Syncer: Send + Sync {
    /// Returns when all that was written to the file before is durable.
    fn sync(&self, file: &File, of: Synced) -> io::Result<()>;
}

/// Asks the system.
pub(super) struct FileSyncer;

impl Syncer for FileSyncer {
    fn sync(&self, file: &File, _of: Synced) -> io::Result<()> {
        file.sync_data()
    }
}

/// Work on disk that is supervised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    /// A batch of writes.
    Batch,
    /// A checkpoint of sled.
    Checkpoint,
}

/// Whether the store still can be trusted, for those that wait for it.
pub(super) struct Progress {
    failed: Failure,
    /// When the batch and the checkpoint that are under way began.
    since: Mutex<[Option<Instant>; 2]>,
    stuck: AtomicBool,
}

impl Progress {
    pub(super) fn new() -> Self {
        Self { failed: Failure::new(), since: Mutex::default(), stuck: AtomicBool::new(false) }
    }

    /// Work on disk begins.
    pub(super) fn begin(&self, work: Work) {
        self.set_since(work, Some(Instant::now()));
    }

    /// It is done.
    pub(super) fn end(&self, work: Work) {
        self.set_since(work, None);
    }

    /// Nothing can be trusted from here on. The first reason stays.
    pub(super) fn fail(&self, reason: &str) -> StoreError {
        self.failed.set(reason);
        self.failure().unwrap_or(StoreError::Closed)
    }

    fn set_since(&self, work: Work, since: Option<Instant>) {
        let [batch, checkpoint] = &mut *self.since.lock();
        match work {
            Work::Batch => *batch = since,
            Work::Checkpoint => *checkpoint = since,
        }
    }

    fn took(&self) -> Option<Duration> {
        self.since.lock().iter().flatten().map(Instant::elapsed).max()
    }

    /// Whether a batch or a checkpoint did not come to its end: its thread may wait for ever.
    pub(super) fn is_stuck(&self) -> bool {
        self.stuck.load(Ordering::SeqCst)
    }

    pub(super) fn failure(&self) -> Option<StoreError> {
        self.failed.error()
    }

    pub(super) fn watch(&self) -> FatalWatch {
        self.failed.watch()
    }

    pub(super) fn health(&self, space: &Space) -> StoreHealth {
        if let Some(reason) = self.failed.reason() {
            return StoreHealth::Failed(reason);
        }
        match space.check() {
            Err(StoreError::NoSpace { free, needed, .. }) => StoreHealth::NoSpace { free, needed },
            _ => StoreHealth::Ready,
        }
    }
}

/// Fails the store where a batch or a checkpoint takes longer than that: a disk can hang, and sled has been seen to wait for ever for a write
/// that had failed. A process that ends is started again; one that waits is not. Ends with the store.
pub(super) async fn watch_over(progress: Weak<Progress>, patience: Duration) {
    let mut times = tokio::time::interval((patience / 10).max(Duration::from_millis(1)));
    loop {
        times.tick().await;
        let Some(progress) = progress.upgrade() else { return };
        // Also of a store that has failed: the thread that drops it must not wait for one that hangs.
        if !progress.is_stuck() && progress.took().is_some_and(|took| took >= patience) {
            progress.stuck.store(true, Ordering::SeqCst);
            if progress.failure().is_none() {
                let seconds = patience.as_secs_f32();
                progress.fail(&format!("the disk has not taken a batch of writes or a checkpoint within {seconds} s"));
            }
        }
    }
}

/// The guard against a full disk: after the first write that finds no space, sled refuses all others until it is reopened.
#[derive(Clone)]
pub(super) struct Space {
    pub(super) path: PathBuf,
    pub(super) needed: u64,
}

impl Space {
    pub(super) fn check(&self) -> StoreResult<()> {
        let Some(free) = free_bytes(&self.path) else { return Ok(()) };
        if free < self.needed {
            return Err(StoreError::NoSpace { free, needed: self.needed, path: self.path.clone() });
        }
        Ok(())
    }
}

/// Bytes that this user may still write; `None` where the file system does not tell.
pub(super) fn free_bytes(path: &Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(path).ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Bytes of the files in a folder and in those below it. A file that disappears meanwhile counts nothing.
pub(super) fn size_of(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => size_of(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    });
    sizes.sum()
}
