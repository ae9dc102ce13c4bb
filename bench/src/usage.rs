//! The resources that a process has used: processor time, context switches, bytes written.

use std::error::Error;
use std::fs;
use std::ops::Add;
use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

use crate::processor::{all_below, used_by, used_by_tree};

/// The resources of a server since its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Used {
    pub(crate) processor: Duration,
    /// Context switches of its threads, voluntary or not.
    pub(crate) switches: u64,
    /// Bytes that the kernel counts as written: a whole folio of its page cache, up to two MiB, even where few bytes of
    /// it changed. `None` where the system does not report them: a hardened server's are visible to root only.
    pub(crate) written: Option<u64>,
}

impl Used {
    /// The resources of this process, all threads together.
    pub(crate) fn by(pid: u32) -> Result<Self, Box<dyn Error>> {
        Ok(Self { processor: used_by(pid)?, switches: switches(pid)?, written: written(pid) })
    }

    /// The resources of this process and all its descendants.
    pub(crate) fn by_tree(root: u32) -> Result<Self, Box<dyn Error>> {
        let mut used = Self { written: Some(0), ..Self::default() };
        for pid in all_below(root)? {
            // Of a process that has ended meanwhile, only its processor time is known.
            let switches = switches(pid).unwrap_or_default();
            used = used + Self { switches, written: written(pid), ..Self::default() };
        }
        Ok(Self { processor: used_by_tree(root)?, ..used })
    }

    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            processor: self.processor.saturating_sub(before.processor),
            switches: self.switches.saturating_sub(before.switches),
            written: self.written.zip(before.written).map(|(now, before)| now.saturating_sub(before)),
        }
    }
}

impl Add for Used {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            processor: self.processor + other.processor,
            switches: self.switches + other.switches,
            written: self.written.zip(other.written).map(|(one, other)| one + other),
        }
    }
}

fn switches(pid: u32) -> Result<u64, Box<dyn Error>> {
    let tasks =
        fs::read_dir(format!("/proc/{pid}/task")).map_err(|error| format!("threads of process {pid}: {error}"))?;
    let mut all = 0;
    for task in tasks {
        // A thread that has ended meanwhile has no file any more.
        let status = fs::read_to_string(task?.path().join("status")).unwrap_or_default();
        all += switches_of(&status);
    }
    Ok(all)
}

fn switches_of(status: &str) -> u64 {
    status.lines().filter_map(|line| line.split_once("_ctxt_switches:")?.1.trim().parse::<u64>().ok()).sum()
}

fn written(pid: u32) -> Option<u64> {
    let io = fs::read_to_string(format!("/proc/{pid}/io")).ok()?;
    io.lines().find_map(|line| line.strip_prefix("write_bytes:")?.trim().parse().ok())
}

/// Bytes written to the disk of temporary files, by all processes, including the file system's journal. `None` where
/// that folder is in memory.
pub(crate) fn disk_written() -> Option<u64> {
    let device = fs::metadata(std::env::temp_dir()).ok()?.dev();
    let name = format!("/sys/dev/block/{}:{}/stat", rustix::fs::major(device), rustix::fs::minor(device));
    sectors_written(&fs::read_to_string(name).ok()?).map(|sectors| sectors * 512)
}

fn sectors_written(stat: &str) -> Option<u64> {
    stat.split_whitespace().nth(6)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_of_context_of_both_kinds_count() {
        let status = "Name:\ta_ctxt_b\nvoluntary_ctxt_switches:\t40\nnonvoluntary_ctxt_switches:\t2\n";
        assert_eq!(switches_of(status), 42);
        assert!(Used::by(std::process::id()).unwrap().switches > 0);
    }

    #[test]
    fn what_is_not_told_of_one_process_is_not_told_of_both() {
        let told = |written| Used { written, ..Used::default() };
        assert_eq!((told(Some(7)) + told(Some(1))).since(told(Some(3))).written, Some(5));
        assert_eq!((told(Some(7)) + told(None)).written, None);
        assert_eq!(told(Some(7)).since(told(None)).written, None);
    }

    #[test]
    fn of_a_disk_the_sectors_that_were_written_count() {
        assert_eq!(sectors_written("  6300  12  400 7  900 30  2468 5 0 1 2\n"), Some(2468));
        assert_eq!(sectors_written("1 2 3"), None);
    }
}
