//! [`ImportError`]: why an import was not started or changed.

use std::time::Duration;

use super::change::Change;
use super::input::ReadError;
use keyferry_service::{Conflict, ServiceError};
use keyferry_store::{ImportState, ObjectId, StoreError};
use keyferry_vault::VaultError;

/// Why an import was not started or changed. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum ImportError {
    #[error("there is no such import")]
    Missing,
    #[error("an import that is {} cannot be {}{}", .state.as_str(), .change.done(), Change::instead(*.state))]
    WrongState { change: Change, state: ImportState },
    #[error("this import cannot be {}: it has no undo data; a dry run never has any, and of others it was deleted", .change.done())]
    Forgotten { change: Change },
    #[error("this file was imported before, as {import}: look there, or import it again by `again=true` (`--again`)")]
    FileKnown { import: ObjectId },
    #[error("{uploads} files are being received already; try again in {} s", retry_after.as_secs())]
    TooMany { uploads: usize, retry_after: Duration },
    #[error("the file has more than {most} rows: split it, or have the operator of this server allow more")]
    TooManyRows { most: u64 },
    #[error("the file has no rows")]
    Empty,
    #[error(transparent)]
    File(#[from] ReadError),
    #[error("the file did not arrive whole: {0}")]
    Upload(#[source] UploadError),
    #[error("this server does not allow {what}; its operator can, in the configuration")]
    NotAllowed { what: &'static str },
    #[error("many others are changing this import at the same time; try again")]
    Contended,
    #[error("reading the file went wrong inside")]
    Inside(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error(transparent)]
    Store(StoreError),
    #[error(transparent)]
    Vault(#[from] VaultError),
}

/// Why a file did not arrive.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum UploadError {
    #[error("{0}")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("nothing came for {} s", .0.as_secs())]
    Paused(Duration),
    #[error("the server is about to stop; send it again")]
    Stopping,
}

impl Conflict for ImportError {
    fn is_conflict(&self) -> bool {
        matches!(self, Self::Contended)
    }
}

impl From<StoreError> for ImportError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::FileKnown { import } => Self::FileKnown { import },
            StoreError::ImportChanged => Self::Contended,
            error => Self::Store(error),
        }
    }
}

impl ImportError {
    /// The error of unlocking an organisation's roots.
    pub(super) fn of_keys(error: ServiceError) -> Self {
        match error {
            ServiceError::Vault(error) => Self::Vault(error),
            ServiceError::Store(error) => Self::Store(error),
            // Unlocking has no other errors.
            _ => Self::Contended,
        }
    }
}
