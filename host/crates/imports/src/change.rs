//! [`Change`]: what can be done with an import, and the state after it.

use keyferry_store::ImportState;

/// A change of an import by a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Stops work until the import is resumed.
    Pause,
    /// Resumes the import.
    Resume,
    /// Ends the import. Rows that are not settled stay as they are.
    Cancel,
    /// Tries rows again that failed for a reason that can pass.
    RetryFailed,
    /// Undoes what the import did.
    Undo,
    /// Keeps what the import did, and deletes its undo data.
    Confirm,
    /// Deletes the import with its ledger. The credentials that it stored stay.
    Delete,
}

impl Change {
    /// The participle, for messages and audit events: `paused`.
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
    pub(super) fn from(self, state: ImportState) -> Option<ImportState> {
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
