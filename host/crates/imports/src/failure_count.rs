//! [`FailureCount`]: an import's failed rows against the limit of its policy.

use std::sync::atomic::{AtomicU64, Ordering};

use keyferry_store::{ImportRecord, RowState};

/// The number of failed rows since the last resumption, and the limit.
#[derive(Debug)]
pub(super) struct FailureCount {
    failed: AtomicU64,
    most: Option<u64>,
}

impl FailureCount {
    /// Creates the count for an import with this number of failed rows.
    pub(super) fn new(record: &ImportRecord, failed: u64) -> Self {
        Self {
            failed: AtomicU64::new(failed.saturating_sub(record.failures_seen)),
            most: record.policy.max_failures.map(|most| most.reached_at(record.rows)),
        }
    }

    /// Counts a settled row.
    pub(super) fn settled(&self, state: RowState) {
        if state == RowState::Failed {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Whether the limit is reached.
    pub(super) fn is_full(&self) -> bool {
        self.most.is_some_and(|most| self.failed.load(Ordering::Relaxed) >= most)
    }

    /// The limit, if there is one.
    pub(super) fn limit(&self) -> Option<u64> {
        self.most
    }
}
