//! What a process has in use, as Linux tells it.

use std::fs;
use std::time::{Duration, Instant};

use crate::or_fail::OrFail as _;

/// How long a process may take to let go.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is looked at.
const POLL: Duration = Duration::from_millis(50);

/// What a process has in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Bytes of memory in RAM.
    pub resident: usize,
    /// Threads.
    pub threads: usize,
    /// Open file descriptors. `None` where the system does not tell: a hardened server's are shown to root alone.
    pub descriptors: Option<usize>,
}

/// A number of `/proc/PID/status`, in the unit that it has there (KiB for memory): `VmHWM:`.
pub fn kernel_tells(pid: u32, name: &str) -> usize {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).or_fail("read the state of the server");
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let digits = line.and_then(|line| line.split_whitespace().next());
    digits.and_then(|digits| digits.parse().ok()).or_fail(name)
}

impl Usage {
    /// Of that process, now.
    pub fn of(pid: u32) -> Self {
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).ok().map(Iterator::count);
        if descriptors.is_none() {
            println!("file descriptors are not counted: that takes root");
        }
        Self { resident: kernel_tells(pid, "VmRSS:") * 1024, threads: kernel_tells(pid, "Threads:"), descriptors }
    }

    /// Waits until the process uses no more descriptors and threads than `before`, and at most `memory` bytes more. The
    /// error is what it still uses.
    pub async fn returns_to(pid: u32, before: Self, memory: usize) -> Result<Self, Self> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let now = Self::of(pid);
            let back = now.descriptors <= before.descriptors
                && now.threads <= before.threads
                && now.resident <= before.resident + memory;
            if back {
                return Ok(now);
            }
            if Instant::now() >= deadline {
                return Err(now);
            }
            tokio::time::sleep(POLL).await;
        }
    }
}
