//! Processor time of processes, as Linux reports it.

use std::error::Error;
use std::fs;
use std::time::Duration;

use crate::figures::figure;

/// Linux reports times to programs in hundredths of a second, whatever its internal unit.
const TICKS_PER_SECOND: u32 = 100;

/// The fields of `/proc/PID/stat` that this module needs.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    parent: u32,
    /// In user code and in the kernel.
    own: u64,
    /// The same of ended children.
    ended_children: u64,
}

impl Stat {
    fn of(pid: u32) -> Result<Self, Box<dyn Error>> {
        let text = fs::read_to_string(format!("/proc/{pid}/stat"))
            .map_err(|error| format!("processor time of process {pid}: {error}; it has probably ended"))?;
        Self::parse(&text).ok_or_else(|| format!("/proc/{pid}/stat is not as expected: {text}").into())
    }

    fn parse(text: &str) -> Option<Self> {
        // The name is in brackets, and can itself contain blanks and brackets.
        let (_, fields) = text.rsplit_once(')')?;
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let number = |place: usize| fields.get(place)?.parse::<u64>().ok();
        Some(Self {
            parent: u32::try_from(number(1)?).ok()?,
            own: number(11)? + number(12)?,
            ended_children: number(13)? + number(14)?,
        })
    }
}

fn time(ticks: u64) -> Duration {
    Duration::from_secs(ticks) / TICKS_PER_SECOND
}

/// Processor time of this process, all threads together.
pub(crate) fn used_by(pid: u32) -> Result<Duration, Box<dyn Error>> {
    Ok(time(Stat::of(pid)?.own))
}

/// The same of this process and all its descendants, including those that have ended.
pub(crate) fn used_by_tree(root: u32) -> Result<Duration, Box<dyn Error>> {
    Ok(time(tree(root)?.iter().map(|(_, stat)| stat.own + stat.ended_children).sum()))
}

/// This process and all its running descendants.
pub(crate) fn all_below(root: u32) -> Result<Vec<u32>, Box<dyn Error>> {
    Ok(tree(root)?.iter().map(|(pid, _)| *pid).collect())
}

fn tree(root: u32) -> Result<Vec<(u32, Stat)>, Box<dyn Error>> {
    let mut all = Vec::new();
    for entry in fs::read_dir("/proc").map_err(|error| format!("list processes: {error}"))? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        // A process that has ended meanwhile is in its parent's figures.
        if let Ok(stat) = Stat::of(pid) {
            all.push((pid, stat));
        }
    }
    let mut tree = vec![root];
    let mut place = 0;
    while let Some(parent) = tree.get(place).copied() {
        tree.extend(all.iter().filter(|(pid, stat)| stat.parent == parent && *pid != parent).map(|(pid, _)| *pid));
        place += 1;
    }
    all.retain(|(pid, _)| tree.contains(pid));
    Ok(all)
}

/// Used and total time of all processors of the machine since boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Machine {
    used: u64,
    all: u64,
}

impl Machine {
    pub(crate) fn now() -> Result<Self, Box<dyn Error>> {
        let text =
            fs::read_to_string("/proc/stat").map_err(|error| format!("the machine's processor time: {error}"))?;
        Self::parse(&text).ok_or_else(|| format!("/proc/stat is not as expected: {text}").into())
    }

    fn parse(text: &str) -> Option<Self> {
        let fields = text.lines().next()?.strip_prefix("cpu ")?.split_whitespace();
        // User, nice, system, idle, waiting for disks, two kinds of interrupts, stolen; the time of guests is part of
        // the first two.
        let ticks: Vec<u64> = fields.take(8).map(str::parse).collect::<Result<_, _>>().ok()?;
        let all: u64 = ticks.iter().sum();
        Some(Self { used: all - ticks.get(3)? - ticks.get(4)?, all })
    }

    /// The used share of the time since then, 0 to 1.
    pub(crate) fn used_since(self, before: Self) -> f64 {
        figure(self.used.saturating_sub(before.used)) / figure(self.all.saturating_sub(before.all)).max(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_whose_name_looks_like_fields_is_read_right() {
        let text = "42 (a) b (c)) S 7 42 42 0 -1 4194560 1 2 3 4 110 20 5 6 20 0 9 0 100 1 1";
        assert_eq!(Stat::parse(text), Some(Stat { parent: 7, own: 130, ended_children: 11 }));
        assert_eq!(Stat::parse("42 (cut"), None);
        assert_eq!(time(130), Duration::from_millis(1300));
    }

    #[test]
    fn what_is_idle_or_waits_for_a_disk_is_not_used() {
        let at = |text: &str| Machine::parse(text).unwrap();
        let (before, after) = (at("cpu  10 0 10 100 20 0 0 0 0 0\ncpu0 1"), at("cpu  30 0 20 150 30 0 5 5 9 9\n"));
        assert!((after.used_since(before) - 0.4).abs() < 1e-9);
        assert_eq!(Machine::parse("intr 1"), None);
    }

    #[test]
    fn a_tree_has_at_least_what_its_root_has() {
        let own = std::process::id();
        assert!(used_by_tree(own).unwrap() >= used_by(own).unwrap());
    }
}
