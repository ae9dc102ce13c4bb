//! Operations of callers on imports: show, list, change.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::time::Instant;

use super::change::Change;
use super::error::ImportError;
use super::importer::{Importer, audit};
use super::job::Work;
use super::progress::{RowWaiting, Waiting, WaitingRows};
use super::transition::{decide, is_there};
use keyferry_service::Caller;
use keyferry_store::{
    AppCounts, AuditAction, ImportKey, ImportRecord, ImportState, ObjectId, RowCounts, RowRecord, RowState,
};
use keyferry_types::ids::Slug;

/// Rows that are queued again in one transaction.
const REQUEUED_AT_ONCE: usize = 256;

/// An import and the state of its rows.
#[derive(Debug, Clone)]
pub struct ImportView {
    /// The stored record.
    pub record: ImportRecord,
    /// The state of its rows, by app.
    pub counts: AppCounts,
    /// The apps whose rows wait, and for what.
    pub waiting: BTreeMap<Slug, Waiting>,
    /// Rows a second now; none while nothing is under way.
    pub rate: Option<f64>,
}

/// A row of the ledger, and whether it waits.
#[derive(Debug, Clone)]
pub struct RowView {
    /// The stored record.
    pub row: RowRecord,
    /// Whether it waits for something else than its turn.
    pub waits: bool,
    /// Why it waits, or did when the import paused.
    pub why: Option<RowWaiting>,
}

impl Importer {
    /// One import, and the state of its rows.
    ///
    /// # Errors
    /// `Missing` if there is no such import.
    pub async fn show(&self, key: &ImportKey) -> Result<ImportView, ImportError> {
        let found = self.store.import(key).await?;
        let (record, counts) = found.filter(|(record, _)| is_there(record)).ok_or(ImportError::Missing)?;
        Ok(self.view(record, counts))
    }

    /// All imports of the caller's, newest first.
    ///
    /// # Errors
    /// Where they cannot be read.
    pub async fn list(&self, caller: &Caller) -> Result<Vec<ImportView>, ImportError> {
        let mut views = Vec::new();
        for record in self.store.imports(&caller.org, caller.environment).await? {
            // One that was deleted meanwhile is left out.
            if let Some((record, counts)) = self.store.import(&record.key).await?.filter(|(record, _)| is_there(record))
            {
                views.push(self.view(record, counts));
            }
        }
        Ok(views)
    }

    /// Up to `limit` rows of an import after row `after`, in the order of the file.
    ///
    /// # Errors
    /// `Missing` if there is no such import.
    pub async fn rows(&self, key: &ImportKey, after: u64, limit: usize) -> Result<Vec<RowView>, ImportError> {
        let view = self.show(key).await?;
        let rows = self.store.rows(key.id, after, limit).await?;
        let job = self.jobs().get(key).cloned();
        let is_running = view.record.state == ImportState::Running;
        let why = |row: &RowRecord| {
            let job = job.as_ref().filter(|_| row.state == RowState::Queued)?;
            job.progress.waiting_row(row.number).or_else(|| {
                let app = view.waiting.iter().find(|(slug, _)| row.slug.as_deref() == Some(slug.as_str()))?.1;
                let Waiting { since, until, detail, rows, .. } = app;
                let waiting =
                    RowWaiting { since: *since, until: Some(*until), attempts: 0, detail: Some(detail.clone()) };
                (*rows == WaitingRows::All).then_some(waiting)
            })
        };
        let view = |row| {
            let why = why(&row);
            RowView { waits: is_running && why.is_some(), why, row }
        };
        Ok(rows.into_iter().map(view).collect())
    }

    /// Applies a change to an import. The import has its new state on return; undoing, retrying and deleting continue in the
    /// background.
    ///
    /// # Errors
    /// `Missing`, `WrongState`; `Forgotten` where what would be needed is no longer kept.
    pub async fn change(
        self: &Arc<Self>,
        caller: &Caller,
        id: ObjectId,
        change: Change,
        request_id: &str,
    ) -> Result<ImportView, ImportError> {
        let key = ImportKey { org: caller.org.clone(), environment: caller.environment, id };
        let action = if change == Change::Delete { AuditAction::ImportDeleted } else { AuditAction::ImportChanged };
        let event = audit(action, &key, &caller.actor, change.done()).for_request(request_id);
        let failed = RowCounts::of_all(&self.show(&key).await?.counts).in_state(RowState::Failed);
        let record = self.move_on(&key, Some(event), |record| decide(record, change, failed)).await?;
        // What is under way ends first: rows of it may be about to be settled.
        if matches!(change, Change::Pause | Change::Cancel) {
            self.halt(&key).await;
            self.await_others(&key).await;
        }
        match change {
            Change::Pause | Change::Cancel => {}
            Change::Resume => self.begin(key.clone(), Work::Rows),
            Change::RetryFailed => {
                while self.store.requeue_rows(&key, REQUEUED_AT_ONCE).await? > 0 {}
                self.begin(key.clone(), Work::Rows);
            }
            Change::Undo => self.begin(key.clone(), Work::Undo),
            Change::Confirm => self.begin(key.clone(), Work::ForgetSealed),
            Change::Delete => self.begin(key.clone(), Work::Delete),
        }
        if change == Change::Delete {
            return Ok(self.view(record, AppCounts::new()));
        }
        self.show(&key).await
    }

    fn view(&self, record: ImportRecord, counts: AppCounts) -> ImportView {
        let job = self.jobs().get(&record.key).cloned();
        let job = job.filter(|_| matches!(record.state, ImportState::Running | ImportState::Undoing));
        ImportView {
            waiting: job.as_ref().map(|job| job.progress.waiting()).unwrap_or_default(),
            rate: job.map(|job| job.progress.rate(Instant::now())),
            record,
            counts,
        }
    }
}
