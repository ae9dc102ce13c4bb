//! The resources that a process holds, as Linux reports them.

use std::fmt;
use std::time::{Duration, Instant};

use crate::or_fail::OrFail as _;
use crate::process::Usage;

/// Interval between two looks at a process that settles.
const POLL: Duration = Duration::from_millis(100);

/// The resources of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Holdings {
    /// Bytes of resident memory.
    pub resident: usize,
    /// Threads.
    pub threads: usize,
    /// Open file descriptors.
    pub descriptors: usize,
}

impl Holdings {
    /// Reads those of this process.
    pub fn of(pid: u32) -> Self {
        let Usage { resident, threads, descriptors } = Usage::of(pid);
        Self { resident, threads, descriptors: descriptors.or_fail("count the server's descriptors") }
    }

    /// Waits until the process holds no more than `limit`, at most `patience`, and returns what it holds then.
    pub async fn settled(pid: u32, limit: Self, patience: Duration) -> Self {
        let deadline = Instant::now() + patience;
        loop {
            let now = Self::of(pid);
            if now.fits(limit) || Instant::now() >= deadline {
                return now;
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Whether no value is above `limit`.
    pub fn fits(self, limit: Self) -> bool {
        self.resident <= limit.resident && self.threads <= limit.threads && self.descriptors <= limit.descriptors
    }

    /// The limit that allows this much more of each.
    #[must_use]
    pub fn and(self, allowance: Self) -> Self {
        Self {
            resident: self.resident + allowance.resident,
            threads: self.threads + allowance.threads,
            descriptors: self.descriptors + allowance.descriptors,
        }
    }
}

impl fmt::Display for Holdings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = self.resident / (1024 * 1024);
        write!(f, "{mib} MiB resident, {} threads, {} descriptors", self.threads, self.descriptors)
    }
}
