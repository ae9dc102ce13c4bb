//! The resources that this process has used so far, as the kernel reports them.

use std::fs;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::outcome::{Outcome, Tried as _};

/// Counters that only grow.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Used {
    /// Processor time of all threads, in user mode and in the kernel.
    pub(crate) cpu: Duration,
    /// Bytes that were written to the disk, or are dirty.
    pub(crate) disk_bytes: u64,
}

impl Used {
    /// The totals of this process until now.
    pub(crate) fn now() -> Outcome<Self> {
        let stat = fs::read_to_string("/proc/self/stat").tried("read /proc/self/stat")?;
        let io = fs::read_to_string("/proc/self/io").tried("read /proc/self/io")?;
        let ticks = cpu_ticks(&stat).tried("find the processor time in /proc/self/stat")?;
        let per_second = rustix::param::clock_ticks_per_second();
        Ok(Self {
            cpu: Duration::from_secs_f64(ticks as f64 / per_second as f64),
            disk_bytes: written(&io).tried("find `write_bytes` in /proc/self/io")?,
        })
    }

    /// The difference to an earlier moment.
    pub(crate) fn since(self, earlier: Self) -> Self {
        Self {
            cpu: self.cpu.saturating_sub(earlier.cpu),
            disk_bytes: self.disk_bytes.saturating_sub(earlier.disk_bytes),
        }
    }
}

/// The 14th and the 15th value of proc(5)'s `stat`. The second is a name in parentheses, which can have any character.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut values = after_name.split_whitespace().skip(11);
    let (user, system): (u64, u64) = (values.next()?.parse().ok()?, values.next()?.parse().ok()?);
    Some(user + system)
}

fn written(io: &str) -> Option<u64> {
    io.lines().find_map(|line| line.strip_prefix("write_bytes: "))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_and_spaces_does_not_shift_the_values() {
        let stat = "7 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16";
        assert_eq!(cpu_ticks(stat), Some(11 + 12));
        assert_eq!(cpu_ticks("7 (short) S 1"), None);
    }

    #[test]
    fn bytes_written_are_found_by_their_name() {
        assert_eq!(written("wchar: 9\nwrite_bytes: 4096\ncancelled_write_bytes: 3\n"), Some(4096));
        assert_eq!(written("wchar: 9\n"), None);
    }

    #[test]
    fn this_process_has_used_something() {
        let first = Used::now().unwrap();
        assert_eq!(first.since(first).disk_bytes, 0);
    }
}
