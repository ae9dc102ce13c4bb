//! [`Job`]: an import that is under way in this process, and how it is stopped.

use tokio::sync::watch;

use super::progress::Progress;
use keyferry_store::{ImportKey, ImportState};

/// Whether a job is to stop, and how soon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stop {
    /// The work continues.
    Not,
    /// No more rows are started; started rows are completed.
    AfterRows,
    /// Started rows are abandoned: they are not settled, and the next process repeats them.
    AtOnce,
}

/// What can be done with an import in the background.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    Rows,
    Undo,
    ForgetSealed,
    Delete,
}

impl Work {
    /// What is to be done with an import in this state.
    pub(super) fn due(state: ImportState) -> Option<Self> {
        match state {
            ImportState::Running => Some(Self::Rows),
            ImportState::Undoing => Some(Self::Undo),
            // The rest of a file that no server receives cannot arrive any more; a deletion deletes the whole import.
            ImportState::Receiving | ImportState::Deleting => Some(Self::Delete),
            _ => None,
        }
    }
}

/// An import that is under way in this process.
pub(super) struct Job {
    pub(super) key: ImportKey,
    pub(super) work: Work,
    pub(super) progress: Progress,
    pub(super) stop: watch::Sender<Stop>,
    ended: watch::Sender<bool>,
}

impl Job {
    pub(super) fn new(key: ImportKey, work: Work) -> Self {
        Self {
            key,
            work,
            progress: Progress::default(),
            stop: watch::Sender::new(Stop::Not),
            ended: watch::Sender::new(false),
        }
    }

    /// Stops the job once its started rows are completed, and waits for that.
    pub(super) async fn end(&self) {
        self.request_stop(Stop::AfterRows);
        self.has_ended().await;
    }

    /// Asks the job to stop. An earlier, stronger request stays.
    pub(super) fn request_stop(&self, stop: Stop) {
        self.stop.send_modify(|requested| *requested = stop.max(*requested));
    }

    /// Waits until it has stopped.
    pub(super) async fn has_ended(&self) {
        // The sender lives as long as this job.
        let _ = self.ended.subscribe().wait_for(|ended| *ended).await;
    }

    /// Marks the work as ended.
    pub(super) fn set_ended(&self) {
        self.ended.send_replace(true);
    }

    /// Whether the work has not ended.
    pub(super) fn is_under_way(&self) -> bool {
        !*self.ended.borrow()
    }

    /// Whether it is to stop.
    pub(super) fn is_stopping(&self) -> bool {
        *self.stop.borrow() != Stop::Not
    }
}
