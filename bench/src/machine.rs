//! The commit and the machine of a run.

use std::error::Error;
use std::fmt;
use std::fs;
use std::process::Command;
use std::thread::available_parallelism;

use crate::prepare::workspace;

/// The commit and the machine.
#[derive(Debug, Clone)]
pub(crate) struct Machine {
    commit: String,
    cores: usize,
    kernel: String,
    processor: String,
}

impl Machine {
    pub(crate) fn here() -> Result<Self, Box<dyn Error>> {
        let git = |arguments: &[&str]| -> Result<String, Box<dyn Error>> {
            let output = Command::new("git").args(arguments).current_dir(workspace()).output();
            let output = output.map_err(|error| format!("ask git for the commit: {error}"))?;
            Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
        };
        let mut commit = git(&["rev-parse", "--short=12", "HEAD"])?;
        // The report itself may differ, because runs change it.
        let changed = ["status", "--porcelain", "--", ".", ":!docs/performance.md", ":!docs/performance"];
        if !git(&changed)?.is_empty() {
            commit.push_str(" and changes on top");
        }
        let read = |file: &str| fs::read_to_string(file).map_err(|error| format!("read {file}: {error}"));
        let processors = read("/proc/cpuinfo")?;
        let model = processors.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
        Ok(Self::named(
            &commit,
            available_parallelism()?.get(),
            &format!("Linux {}", read("/proc/sys/kernel/osrelease")?.trim()),
            model.map_or("unknown processor", |(_, name)| name.trim()),
        ))
    }

    pub(crate) fn named(commit: &str, cores: usize, kernel: &str, processor: &str) -> Self {
        let own = str::to_owned;
        Self { commit: own(commit), cores, kernel: own(kernel), processor: own(processor) }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { commit, cores, kernel, processor } = self;
        write!(f, "On commit {commit}; {cores} cores ({processor}), {kernel};")
    }
}
