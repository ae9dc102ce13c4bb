//! The one place where this harness panics.

use std::fmt::{Debug, Display};

/// Unwraps a value that a step of the harness needs, or fails the test.
pub trait OrFail<T> {
    /// The value, or a panic at the caller's line that names the failed step and the cause.
    #[track_caller]
    fn or_fail(self, step: impl Display) -> T;
}

impl<T, E: Debug> OrFail<T> for Result<T, E> {
    fn or_fail(self, step: impl Display) -> T {
        match self {
            Ok(value) => value,
            Err(error) => fail(format_args!("{step}: {error:?}")),
        }
    }
}

impl<T> OrFail<T> for Option<T> {
    fn or_fail(self, step: impl Display) -> T {
        match self {
            Some(value) => value,
            None => fail(format_args!("{step}: nothing there")),
        }
    }
}

#[track_caller]
#[expect(clippy::panic, reason = "a harness that cannot continue has to fail the test that uses it")]
pub(crate) fn fail(why: impl Display) -> ! {
    panic!("{why}")
}
