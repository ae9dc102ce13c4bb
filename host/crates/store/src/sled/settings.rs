//! Settings of a store.

use std::path::PathBuf;
use std::time::Duration;

use crate::content::Incomplete;

/// Folder and resources of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SledSettings {
    /// The store's folder. It is created with mode 0700 if it does not exist.
    pub path: PathBuf,
    /// Memory for cached pages, in bytes.
    pub cache_capacity: u64,
    /// Bytes that must be free on the disk for a write to be taken.
    pub min_free: u64,
    /// Writes that may wait or be under way at once; more of them wait before they are queued.
    pub queue: usize,
    /// Interval between removals of expired records.
    pub sweep_every: Duration,
    /// Time that a batch of writes or a checkpoint may take before the store counts as failed.
    pub patience: Duration,
    /// What happens with a store that has not been filled to its end.
    pub unfinished: Incomplete,
}

impl SledSettings {
    /// A store in this folder: 32 MiB of cache, 64 MiB to stay free, 4,096 writes at once, a sweep a minute, 30 s for a
    /// batch.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            cache_capacity: 32 << 20,
            min_free: 64 << 20,
            queue: 4096,
            sweep_every: Duration::from_secs(60),
            patience: Duration::from_secs(30),
            unfinished: Incomplete::Refused,
        }
    }
}
