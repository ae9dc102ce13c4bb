//! Changes of an import, and the state after each.

use super::error::ImportError;
use keyferry_store::{ImportMode, ImportRecord, ImportState, Restore, Timestamp};

/// What can be done with an import that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Nothing further is done until it is resumed.
    Pause,
    /// Resumes the import.
    Resume,
    /// It ends; rows that are not settled stay as they are.
    Cancel,
    /// Rows that have failed for a reason that can pass are tried again.
    RetryFailed,
    /// Undoes what the import did.
    Undo,
    /// What it did stays: what it replaced is forgotten.
    Confirm,
    /// It is forgotten, ledger and all. What it stored stays.
    Delete,
}

impl Change {
    /// What was done then: `paused`.
    pub fn done(self) -> &'static str {
        match self {
            Self::Pause => "paused",
            Self::Resume => "resumed",
            Self::Cancel => "cancelled",
            Self::RetryFailed => "retried",
            Self::Undo => "undone",
            Self::Confirm => "confirmed",
            Self::Delete => "deleted",
        }
    }

    /// The changes that an import in this state allows, for people.
    pub(super) fn instead(state: ImportState) -> String {
        let all = [Self::Pause, Self::Resume, Self::Cancel, Self::RetryFailed, Self::Undo, Self::Confirm, Self::Delete];
        let possible: Vec<_> = all.into_iter().filter(|change| change.from(state).is_some()).map(Self::done).collect();
        if possible.is_empty() {
            "; wait for its end".to_owned()
        } else {
            format!("; it can be {}", possible.join(" or "))
        }
    }

    /// The state after this change; `None` if the present state does not allow it.
    fn from(self, state: ImportState) -> Option<ImportState> {
        use ImportState as S;
        match (self, state) {
            (Self::Pause, S::Running) => Some(S::Paused),
            (Self::Resume, S::Paused | S::Stopped) => Some(S::Running),
            (Self::Cancel, S::Running | S::Paused | S::Stopped) => Some(S::Cancelled),
            (Self::RetryFailed, S::Finished | S::Stopped | S::Paused) => Some(S::Running),
            (Self::Undo, S::Finished | S::Cancelled | S::Stopped) => Some(S::Undoing),
            (Self::Confirm, S::Finished | S::Cancelled | S::Stopped | S::Undone) => Some(state),
            (Self::Delete, S::Finished | S::Cancelled | S::Stopped | S::Undone) => Some(S::Deleting),
            _ => None,
        }
    }
}

/// Whether it is not being forgotten.
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
