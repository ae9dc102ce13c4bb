//! What is on disk, and whether the store still can be trusted to know.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::{FatalWatch, StoreError, StoreHealth, StoreResult};

/// Brings what was flushed to disk.
pub(super) trait Syncer: Send {
    /// Returns when all that was written before is durable.
    fn sync(&mut self) -> io::Result<()>;
}

/// Our own handle of sled's file: sled's `flush` ends in `sync_file_range`, which promises nothing.
pub(super) struct FileSyncer(pub(super) File);

impl Syncer for FileSyncer {
    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }
}

/// How far the committer has come, for those that wait for it.
pub(super) struct Progress {
    begun: AtomicU64,
    durable: watch::Sender<u64>,
    failed: watch::Sender<Option<Arc<str>>>,
    /// When the batch that is under way began.
    since: Mutex<Option<Instant>>,
    stuck: AtomicBool,
}

impl Progress {
    pub(super) fn new() -> Self {
        Self {
            begun: AtomicU64::new(0),
            durable: watch::Sender::new(0),
            failed: watch::Sender::new(None),
            since: Mutex::new(None),
            stuck: AtomicBool::new(false),
        }
    }

    /// A batch is about to become visible.
    pub(super) fn begin(&self) -> u64 {
        self.set_since(Some(Instant::now()));
        self.begun.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// A batch is on disk.
    pub(super) fn end(&self, batch: u64) {
        self.set_since(None);
        self.durable.send_replace(batch);
    }

    /// Nothing can be trusted from here on. The first reason stays.
    pub(super) fn fail(&self, reason: &str) -> StoreError {
        tracing::error!(reason, "the store failed");
        self.failed.send_if_modified(|failed| {
            let first = failed.is_none();
            failed.get_or_insert_with(|| reason.into());
            first
        });
        self.failure().unwrap_or(StoreError::Closed)
    }

    fn set_since(&self, since: Option<Instant>) {
        *self.since.lock() = since;
    }

    fn took(&self) -> Option<Duration> {
        self.since.lock().map(|since| since.elapsed())
    }

    /// Whether the store failed because a batch did not come to its end: the thread that writes may wait for ever.
    pub(super) fn is_stuck(&self) -> bool {
        self.stuck.load(Ordering::SeqCst)
    }

    pub(super) fn failure(&self) -> Option<StoreError> {
        self.failed.borrow().clone().map(|reason| StoreError::Failed { reason })
    }

    pub(super) fn watch(&self) -> FatalWatch {
        FatalWatch::new(self.failed.subscribe())
    }

    /// Waits until all that is visible now is on disk.
    pub(super) async fn until_durable(&self) -> StoreResult<()> {
        let visible = self.begun.load(Ordering::SeqCst);
        if *self.durable.borrow() >= visible && self.failed.borrow().is_none() {
            return Ok(());
        }
        let (mut durable, mut failed) = (self.durable.subscribe(), self.failed.subscribe());
        tokio::select! {
            biased;
            _ = failed.wait_for(Option::is_some) => Err(self.failure().unwrap_or(StoreError::Closed)),
            reached = durable.wait_for(|durable| *durable >= visible) => {
                reached.map(|_| ()).map_err(|_| StoreError::Closed)
            }
        }
    }

    pub(super) fn health(&self, space: &Space) -> StoreHealth {
        if let Some(reason) = self.failed.borrow().clone() {
            return StoreHealth::Failed(reason);
        }
        match space.check() {
            Err(StoreError::NoSpace { free, needed, .. }) => StoreHealth::NoSpace { free, needed },
            _ => StoreHealth::Ready,
        }
    }
}

/// Fails the store where a batch takes longer than that: a disk can hang, and sled has been seen to wait for ever for a write
/// that had failed. A process that ends is started again; one that waits is not. Ends with the store.
pub(super) async fn watch_over(progress: Weak<Progress>, patience: Duration) {
    let mut times = tokio::time::interval((patience / 10).max(Duration::from_millis(1)));
    loop {
        times.tick().await;
        let Some(progress) = progress.upgrade() else { return };
        if progress.failure().is_none() && progress.took().is_some_and(|took| took >= patience) {
            progress.stuck.store(true, Ordering::SeqCst);
            progress.fail(&format!("the disk has not taken a batch of writes within {} s", patience.as_secs_f32()));
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
