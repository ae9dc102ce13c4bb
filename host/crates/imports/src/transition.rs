//! The version of an import that follows from a change.

use super::change::Change;
use super::error::ImportError;
use keyferry_store::{ImportMode, ImportRecord, ImportState, Restore, Timestamp};

/// Whether an import is not being deleted.
pub(super) fn is_there(record: &ImportRecord) -> bool {
    record.state != ImportState::Deleting
}

/// The import after a change; `failed` is the number of failed rows at that time.
pub(super) fn decide(record: ImportRecord, change: Change, failed: u64) -> Result<ImportRecord, ImportError> {
    if !is_there(&record) {
        return Err(ImportError::Missing);
    }
    let state = change.from(record.state).ok_or(ImportError::WrongState { change, state: record.state })?;
    let is_dry = record.policy.mode == ImportMode::DryRun;
    let needs_sealed = matches!(change, Change::Undo | Change::RetryFailed | Change::Resume);
    if needs_sealed && record.restore == Restore::Over || change == Change::Undo && is_dry {
        return Err(ImportError::Forgotten { change });
    }
    let (restore, ended_at) = match change {
        Change::Confirm => (Restore::Over, record.ended_at),
        Change::Cancel => (record.restore, Some(Timestamp::now())),
        Change::Resume | Change::RetryFailed => (record.restore, None),
        _ => (record.restore, record.ended_at),
    };
    let reason = if state == record.state { record.reason.clone() } else { None };
    let failures_seen = if change == Change::Resume { failed } else { record.failures_seen };
    Ok(ImportRecord { state, restore, ended_at, reason, failures_seen, ..record })
}
