//! What a process holds on to, as Linux tells it.

use std::fmt;
use std::time::{Duration, Instant};

use crate::or_fail::OrFail as _;
use crate::process::Usage;

/// How often it is looked at while it settles.
const POLL: Duration = Duration::from_millis(100);

/// What a process holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Holdings {
    /// Bytes of memory that it has in RAM.
    pub resident: usize,
    /// Its threads.
    pub threads: usize,
    /// Its open files, sockets and the like.
    pub descriptors: usize,
}

impl Holdings {
    /// Of that process, now.
    pub fn of(pid: u32) -> Self {
        let Usage { resident, threads, descriptors } = Usage::of(pid);
        Self { resident, threads, descriptors: descriptors.or_fail("count the server's descriptors") }
    }

    /// Waits until the process holds no more than `limit`, at most `patience`, and says what it holds then.
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

    /// Whether nothing is above `limit`.
    pub fn fits(self, limit: Self) -> bool {
        self.resident <= limit.resident && self.threads <= limit.threads && self.descriptors <= limit.descriptors
    }

    /// With that much more of each.
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
