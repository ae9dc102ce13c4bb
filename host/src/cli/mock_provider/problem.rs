//! Why mock providers cannot be set up.

use crate::cli::error::CliError;

/// Why nothing is served.
pub(super) enum Problem {
    /// What the user wrote cannot be used.
    Input(String),
    /// Something else failed.
    Failed(CliError),
}

impl<E: Into<CliError>> From<E> for Problem {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}
