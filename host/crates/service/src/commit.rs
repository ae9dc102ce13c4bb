//! What every write of an integration has in common: its precondition, its events, and whether to start over.

use super::error::ServiceError;
use super::request::{Action, Proof, Revision, Stored};
use keyferry_store::{Expect, IntegrationRecord, StoreError, VerificationStatus};

/// The event of a record that replaces another one.
pub(super) fn stored_as(record: &IntegrationRecord, current: Option<&IntegrationRecord>) -> Stored {
    Stored {
        action: if current.is_some() { Action::Updated } else { Action::Created },
        proof: match record.standing {
            VerificationStatus::Verified => Proof::Verified,
            VerificationStatus::Unverified { .. } => Proof::Unverified,
        },
        revision: Revision { id: record.id, version: record.version },
        warnings: record.warnings.clone(),
    }
}

/// What has to be stored for a record to take its place.
pub(super) fn expected(current: Option<&IntegrationRecord>) -> Expect {
    current.map_or(Expect::Absent, |current| Expect::Version(current.version))
}

/// Whether to start over: another writer was faster, or the root was disabled meanwhile.
pub(super) fn again(error: StoreError) -> Result<(), ServiceError> {
    match error {
        StoreError::Conflict { .. } | StoreError::StaleRoot { .. } => Ok(()),
        StoreError::AccountMissing { account, environment } => {
            Err(ServiceError::AccountMissing { account, environment })
        }
        StoreError::TooLarge { limit, .. } => Err(ServiceError::RecordTooLarge { limit }),
        error => Err(ServiceError::Store(error)),
    }
}
