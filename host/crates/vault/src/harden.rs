//! Keeping keys in memory out of files: no core dumps, and no other process that reads this one's memory.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// A protective measure that the operating system refused. The server runs without it, and the operator is warned.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HardenWarning {
    /// `RLIMIT_CORE` could not be set to 0.
    #[error(
        "core dumps could not be switched off ({0}): a crash may write keys to disk. Set `ulimit -c 0` for this service"
    )]
    CoreDumps(io::Error),
    /// `PR_SET_DUMPABLE` could not be set to 0.
    #[error("this process could not be made undumpable ({0}): other processes of this user may read its memory")]
    Dumpable(io::Error),
    /// Memory that holds keys could not be locked.
    #[error(
        "keys could not be locked in memory ({0}): they may be written to swap. Raise RLIMIT_MEMLOCK for this service \
         (`LimitMEMLOCK=` in systemd, `ulimit -l` in a shell), or run without swap"
    )]
    Unlocked(io::Error),
}

/// Call once at start, before a key is loaded. Debuggers cannot attach afterwards, unless they run as root.
#[must_use = "warnings are for the log"]
pub fn harden() -> Vec<HardenWarning> {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let core = match setrlimit(Resource::Core, none) {
        Ok(()) => None,
        // A limit of 0 that cannot be set again is as good.
        Err(_) if getrlimit(Resource::Core).current == Some(0) => None,
        Err(error) => Some(HardenWarning::CoreDumps(error.into())),
    };
    core.into_iter().chain(undumpable()).collect()
}

#[cfg(target_os = "linux")]
fn undumpable() -> Option<HardenWarning> {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};
    set_dumpable_behavior(DumpableBehavior::NotDumpable).err().map(|error| HardenWarning::Dumpable(error.into()))
}

#[cfg(not(target_os = "linux"))]
fn undumpable() -> Option<HardenWarning> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn afterwards_there_are_no_core_dumps() {
        let warnings = harden();
        assert!(warnings.is_empty(), "{warnings:?}");
        assert_eq!(getrlimit(Resource::Core).current, Some(0));
        #[cfg(target_os = "linux")]
        assert_eq!(rustix::process::dumpable_behavior().unwrap(), rustix::process::DumpableBehavior::NotDumpable);
    }
}
