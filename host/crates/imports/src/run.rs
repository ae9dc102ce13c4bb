//! Working on an import's rows: app by app, until all are settled, too many have failed, or the import is stopped.

use std::sync::Arc;

use super::app_worker::{AppWorker, WorkerEnd};
use super::error::ImportError;
use super::failure_count::FailureCount;
use super::importer::{self, Importer};
use super::job::Job;
use super::outcome::WAIT;
use super::row_worker::RowWorker;
use keyferry_store::{AuditAction, ImportRecord, ImportState, RowCounts, RowState, Timestamp};
use keyferry_types::ids::Slug;

/// Processes an import's rows and returns the import's final state.
pub(super) async fn rows(importer: &Arc<Importer>, job: &Arc<Job>) {
    let (record, slugs, failed) = loop {
        match importer.store.import(&job.key).await {
            Ok(Some((record, counts))) if record.state == ImportState::Running => {
                let queued = counts.iter().filter(|(_, counts)| counts.queued > 0);
                let slugs: Vec<Slug> = queued.filter_map(|(slug, _)| slug.parse().ok()).collect();
                // Rows that could not be read have failed before any work.
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
    let failures = Arc::new(FailureCount::new(&record, failed));
    let mut workers = tokio::task::JoinSet::new();
    for slug in slugs {
        let worker =
            RowWorker { importer: Arc::clone(importer), job: Arc::clone(job), record: Arc::clone(&record), slug };
        workers.spawn(AppWorker::new(worker, Arc::clone(&failures)).run(job.stop.subscribe()));
    }
    let ends: Vec<WorkerEnd> = workers.join_all().await;
    let (state, reason) = if failures.is_full() {
        let most = failures.limit().unwrap_or_default();
        (
            ImportState::Stopped,
            Some(format!("{most} rows have failed, which is the limit; resume the import to continue")),
        )
    } else if ends.contains(&WorkerEnd::Halted) {
        // A request that stopped the import has stored its state; a process that ends has not, and the next one resumes.
        return;
    } else if let Some(reason) = ends.iter().find_map(|end| match end {
        WorkerEnd::GivenUp(reason) => Some(reason.clone()),
        WorkerEnd::Done | WorkerEnd::Halted => None,
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
