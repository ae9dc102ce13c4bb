//! How a store is opened.

use std::path::PathBuf;
use std::time::Duration;

/// Where the store is, and what it may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SledSettings {
    /// The store's folder. Made with mode 0700 where it is not there.
    pub path: PathBuf,
    /// Memory for cached pages, in bytes.
    pub cache_capacity: u64,
    /// Bytes that must be free on the disk for a write to be taken.
    pub min_free: u64,
    /// Writes that may wait or be under way at once; more of them wait before they are queued.
    pub queue: usize,
    /// How often expired records are looked for.
    pub sweep_every: Duration,
    /// How long a batch of writes may take until the store counts as failed.
    pub patience: Duration,
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
        }
    }
}
