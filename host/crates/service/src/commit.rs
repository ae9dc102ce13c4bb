//! What each write of an integration has in common: its precondition, what it reports, and its errors.

use super::error::ServiceError;
use super::request::{Action, Precondition, Proof, Revision, Stored};
use keyferry_store::{Expect, IntegrationRecord, IntegrationVersion, StoreError, VerificationStatus};

/// What a record that replaces `current` is reported as.
pub(super) fn stored_as(record: &IntegrationRecord, current: Option<&IntegrationVersion>) -> Stored {
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

/// What must be stored for a record to replace `current`.
pub(super) fn expected(current: Option<&IntegrationVersion>) -> Expect {
    current.map_or(Expect::Absent, |current| Expect::Version(current.version))
}

/// Refuses a migration whose precondition the stored integration does not meet.
pub(super) fn check_precondition(
    precondition: &Precondition,
    current: Option<&IntegrationVersion>,
) -> Result<(), ServiceError> {
    let revision = current.map(|current| Revision { id: current.id, version: current.version });
    if precondition.holds(revision.as_ref()) {
        return Ok(());
    }
    Err(ServiceError::Precondition { current: revision.map(|revision| revision.to_string()) })
}

/// Why a version of an integration was not written.
pub(super) fn commit_error(error: StoreError) -> ServiceError {
    match error {
        StoreError::TooLarge { limit, .. } => ServiceError::RecordTooLarge { limit },
        error => error.into(),
    }
}
