//! Working on an import's rows: app by app, until all are settled, or too many have failed, or somebody stops it.

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

/// How many rows have failed since somebody has last looked, and how many may.
#[derive(Debug)]
pub(super) struct FailureCount {
    failed: AtomicU64,
    most: Option<u64>,
}

impl FailureCount {
    /// Of an import of which so many rows have failed already.
    fn new(record: &ImportRecord, failed: u64) -> Self {
        Self {
            failed: AtomicU64::new(failed.saturating_sub(record.failures_seen)),
            most: record.policy.max_failures.map(|most| most.reached_at(record.rows)),
        }
    }

    /// A row is settled.
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

/// Works on an import's rows and says at its end where it stands.
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
        (ImportState::Stopped, Some(format!("{most} rows have failed, as many as may; resume to go on")))
    } else if ends.contains(&LaneEnd::Halted) {
        // Whoever stopped it has said where it stands; a process that ends has not, and the next one goes on.
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

/// Stores where an import stands at the end of its work, unless somebody has moved it on meanwhile.
pub(super) async fn ended(importer: &Importer, record: &ImportRecord, state: ImportState, reason: Option<String>) {
    let how = state.as_str();
    let audit = importer::audit(AuditAction::ImportChanged, &record.key, &record.actor, how, None);
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
