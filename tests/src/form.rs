//! Two forms of a test: the short one, which `cargo test` runs, and the long one, which repeats it with more of the same.

use std::env;
use std::sync::LazyLock;

/// A form of a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// What `cargo test` runs.
    Short,
    /// With `KEYFERRY_TESTS=long`.
    Long,
}

impl Form {
    /// The form of this run.
    pub fn current() -> Self {
        static IS_LONG: LazyLock<bool> =
            LazyLock::new(|| env::var_os("KEYFERRY_TESTS").is_some_and(|form| form == "long"));
        if *IS_LONG { Self::Long } else { Self::Short }
    }

    /// A number of repetitions in the short form, and in the long one.
    pub fn of<T>(self, short: T, long: T) -> T {
        match self {
            Self::Short => short,
            Self::Long => long,
        }
    }
}
