//! Errors that name the failed step.

use std::error::Error;
use std::fmt::Display;

/// The result of a step of the measurement.
pub(crate) type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Adds the name of the step to an error.
pub(crate) trait Tried<T> {
    /// `cannot {what}: {the error}`.
    fn tried(self, what: impl Display) -> Outcome<T>;
}

impl<T, E: Display> Tried<T> for Result<T, E> {
    fn tried(self, what: impl Display) -> Outcome<T> {
        self.map_err(|error| format!("cannot {what}: {error:#}").into())
    }
}

impl<T> Tried<T> for Option<T> {
    fn tried(self, what: impl Display) -> Outcome<T> {
        self.ok_or_else(|| format!("cannot {what}: there is none").into())
    }
}
