//! The resources of a process, as Linux reports them.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::or_fail::OrFail as _;

/// How long a process may take to release resources.
const PATIENCE: Duration = Duration::from_secs(60);
/// The interval between two looks.
const POLL: Duration = Duration::from_millis(50);

/// The resources of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Bytes of memory in RAM.
    pub resident: usize,
    /// Threads.
    pub threads: usize,
    /// Open file descriptors. `None` where the system hides them: only root sees those of a hardened server.
    pub descriptors: Option<usize>,
}

/// A number of `/proc/PID/status`, in the unit of that file (KiB for memory): `VmHWM:`.
pub fn kernel_tells(pid: u32, name: &str) -> usize {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).or_fail("read the state of the server");
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let digits = line.and_then(|line| line.split_whitespace().next());
    digits.and_then(|digits| digits.parse().ok()).or_fail(name)
}

/// One thread of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thread {
    /// Its name, of which the system keeps 15 bytes.
    pub name: String,
    /// How often it has waited for something.
    pub waits: usize,
    /// The processor time that it has used, in the system's ticks.
    pub ticks: usize,
}

/// The threads of a process, by their names.
pub fn threads(pid: u32) -> Vec<Thread> {
    let folder = fs::read_dir(format!("/proc/{pid}/task")).or_fail("list the threads of the server");
    // A thread may end meanwhile.
    let mut threads: Vec<Thread> = folder.filter_map(|entry| thread(&entry.ok()?.path())).collect();
    threads.sort_by(|one, other| one.name.cmp(&other.name));
    threads
}

fn thread(folder: &Path) -> Option<Thread> {
    let read = |file| fs::read_to_string(folder.join(file)).ok();
    let (name, status, stat) = (read("comm")?, read("status")?, read("stat")?);
    let waits = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
    // After the name, which may hold spaces, time in user code and in the system are the 12th and 13th field.
    let times = stat.rsplit_once(')')?.1.split_whitespace().skip(11).take(2);
    Some(Thread {
        name: name.trim_end().to_owned(),
        waits: waits.trim().parse().ok()?,
        ticks: times.filter_map(|time| time.parse::<usize>().ok()).sum(),
    })
}

impl Usage {
    /// Reads those of this process.
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
