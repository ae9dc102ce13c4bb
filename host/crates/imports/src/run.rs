//! Working on an import's rows: app by app, until all are settled, too many have failed, or the import is stopped.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::app_worker::{AppWorker, LaneEnd};
use super::error::ImportError;
use super::importer::{self, Importer};
use super::job::Job;
use super::outcome::WAIT;
use super::work::RowWorker;
use keyferry_store::{AuditAction, ImportRecord, ImportState, RowCounts, RowState, Timestamp};
use keyferry_types::ids::Slug;

/// The number of failed rows since the last check, and the limit.
#[derive(Debug)]
pub(super) struct FailureCount {
    failed: AtomicU64,
    most: Option<u64>,
}

impl FailureCount {
    /// Creates the count for an import with this number of failed rows.
    fn new(record: &ImportRecord, failed: u64) -> Self {
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

    /// Whether as many rows have failed as are too many.
    pub(super) fn is_full(&self) -> bool {
        self.most.is_some_and(|most| self.failed.load(Ordering::Relaxed) >= most)
    }
}

/// Processes an import's rows and returns the import's final state.
pub(super) async fn rows(importer: &Arc<Importer>, job: &Arc<Job>) {
    let (record, slugs, failed) = loop {
        match importer.store.import(&job.key).await {
            Ok(Some((record, counts))) if record.state == ImportState::Running => {
                let queued = counts.iter().filter(|(_, counts)| counts.queued > 0);
                let slugs: Vec<Slug> = queued.filter_map(|(slug, _)| slug.parse().ok()).collect();
                // Rows that could not be read have failed, too, and before any work.
                let failed = RowCounts::of_all(&counts).in_state(RowState::Failed);
                break (Arc::new(record), slugs, failed);
            }
            Ok(_) => return,
            Err(error) => tracing::warn!(%error, import = %job.key.id, "an import waits for the ledger"),
        }
        if job.is_stopping() {
            return;
        }
        tokio::time::sleep(WAIT).await;
    };
    let tally = Arc::new(FailureCount::new(&record, failed));
    let mut lanes = tokio::task::JoinSet::new();
    for slug in slugs {
        let bench =
            RowWorker { importer: Arc::clone(importer), job: Arc::clone(job), record: Arc::clone(&record), slug };
        lanes.spawn(AppWorker::new(bench, Arc::clone(&tally)).run(job.stop.subscribe()));
    }
    let ends: Vec<LaneEnd> = lanes.join_all().await;
    let (state, reason) = if tally.is_full() {
        let most = tally.most.unwrap_or_default();
        (
            ImportState::Stopped,
            Some(format!("{most} rows have failed, which is the limit; resume the import to continue")),
        )
    } else if ends.contains(&LaneEnd::Halted) {
        // A request that stopped the import has stored its state; a process that ends has not, and the next one resumes.
        return;
    } else if let Some(reason) = ends.iter().find_map(|end| match end {
        LaneEnd::GivenUp(reason) => Some(reason.clone()),
        LaneEnd::Done | LaneEnd::Halted => None,
    }) {
        (ImportState::Paused, Some(reason))
    } else {
        (ImportState::Finished, None)
    };
    ended(importer, &record, state, reason).await;
}

/// Stores an import's state at the end of its work, unless a request has changed the state meanwhile.
pub(super) async fn ended(importer: &Importer, record: &ImportRecord, state: ImportState, reason: Option<String>) {
    let how = state.as_str();
    let audit = importer::audit(AuditAction::ImportChanged, &record.key, &record.actor, how);
    let before = record.state;
    loop {
        let moved = importer
            .move_on(&record.key, Some(audit.clone()), |stored| {
                if stored.state != before {
                    return Err(ImportError::Contended);
                }
                let ended_at = (state != ImportState::Paused).then(Timestamp::now);
                Ok(ImportRecord { state, reason: reason.clone(), ended_at, ..stored })
            })
            .await;
        match moved {
            Ok(_) | Err(ImportError::Contended | ImportError::Missing) => return,
            Err(error) => tracing::warn!(%error, import = %record.key.id, "the end of an import cannot be stored"),
        }
        tokio::time::sleep(WAIT).await;
    }
}
