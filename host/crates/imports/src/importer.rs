//! [`Importer`]: operations on imports, and the running imports of this process.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

use super::change::{Change, decide, is_there};
use super::error::ImportError;
use super::job::{Job, Stop};
use super::progress::{RowWaiting, Waiting, WaitingRows};
use super::{forget, run, undo};
use keyferry_service::{Caller, CredentialService, retry_on_conflict};
use keyferry_store::{
    AppCounts, AuditAction, AuditEvent, ImportKey, ImportRecord, ImportState, ImportWrite, ObjectId, Restore,
    RowCounts, RowRecord, RowState, Store,
};
use keyferry_telemetry::metrics;
use keyferry_types::ids::Slug;
use keyferry_vault::Vault;

/// Imports that paused, and of whose rows is remembered why they waited.
const MOST_REMEMBERED: usize = 64;
/// The longest time in which work stops after `Stop::AtOnce`.
const LAST_WORD: Duration = Duration::from_millis(500);
/// Rows that are queued again in one transaction.
const REQUEUED_AT_ONCE: usize = 256;

/// How imports are carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportSettings {
    /// Rows under way at once, of all imports together.
    pub at_once: usize,
    /// Rows under way at once for one app of one import.
    pub per_app: usize,
    /// How long a provider may be down until an import pauses.
    pub patience: Duration,
    /// How long an import can be undone after its end, unless it is confirmed.
    pub retention: Duration,
    /// Rows that a file may have.
    pub most_rows: u64,
    /// Files that are received at once.
    pub uploads: usize,
    /// How long a sender may take from one part of a file to the next.
    pub upload_pause: Duration,
}

impl Default for ImportSettings {
    fn default() -> Self {
        Self {
            at_once: 64,
            per_app: 32,
            patience: Duration::from_secs(15 * 60),
            retention: Duration::from_secs(7 * 24 * 60 * 60),
            most_rows: 10_000_000,
            uploads: 4,
            upload_pause: Duration::from_secs(30),
        }
    }
}

/// Receives, processes and undoes imports.
pub struct Importer {
    pub(super) store: Arc<dyn Store>,
    pub(super) vault: Arc<Vault>,
    pub(super) credentials: Arc<CredentialService>,
    pub(super) settings: ImportSettings,
    /// Rows under way, of all imports.
    pub(super) rows: Semaphore,
    pub(super) uploads: Semaphore,
    /// Whether this process is about to end. Nothing is begun then.
    pub(super) stopping: watch::Sender<bool>,
    jobs: Mutex<HashMap<ImportKey, Arc<Job>>>,
}

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
    /// An importer over these parts. [`go_on`](Self::go_on) begins its work.
    pub fn new(
        store: Arc<dyn Store>,
        vault: Arc<Vault>,
        credentials: Arc<CredentialService>,
        settings: ImportSettings,
    ) -> Arc<Self> {
        let permits = |count: usize| Semaphore::new(count.clamp(1, Semaphore::MAX_PERMITS));
        let (rows, uploads) = (permits(settings.at_once), permits(settings.uploads));
        Arc::new(Self {
            store,
            vault,
            credentials,
            settings,
            rows,
            uploads,
            stopping: watch::Sender::new(false),
            jobs: Mutex::default(),
        })
    }

    /// Resumes the imports of a former process, and deletes imports at the end of their retention, while the importer lives.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub async fn go_on(self: &Arc<Self>) -> Result<(), ImportError> {
        for record in self.store.all_imports().await? {
            match record.state {
                ImportState::Running => self.begin(record.key, Work::Rows),
                ImportState::Undoing => self.begin(record.key, Work::Undo),
                // The rest of a file cannot arrive any more; a deletion deletes the whole import.
                ImportState::Receiving | ImportState::Deleting => self.begin(record.key, Work::Delete),
                _ if record.restore == Restore::Over => self.begin(record.key, Work::ForgetSealed),
                _ => {}
            }
        }
        tokio::spawn(forget::in_time(Arc::downgrade(self)));
        Ok(())
    }

    /// One import, and the state of its rows.
    ///
    /// # Errors
    /// `Missing` if there is no such import.
    pub async fn show(&self, key: &ImportKey) -> Result<ImportView, ImportError> {
        let found = self.store.import(key).await?;
        let (record, counts) = found.filter(|(record, _)| is_there(record)).ok_or(ImportError::Missing)?;
        Ok(self.view(record, counts))
    }

    /// All imports of the caller's, newest first, without their counts.
    ///
    /// # Errors
    /// Where they cannot be read.
    pub async fn list(&self, caller: &Caller) -> Result<Vec<ImportRecord>, ImportError> {
        let mut records = self.store.imports(&caller.org, caller.environment).await?;
        records.retain(is_there);
        Ok(records)
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

    /// Stores an import as `change` wants it, and tries again where another change was faster.
    pub(super) async fn move_on(
        &self,
        key: &ImportKey,
        audit: Option<AuditEvent>,
        change: impl Fn(ImportRecord) -> Result<ImportRecord, ImportError>,
    ) -> Result<ImportRecord, ImportError> {
        retry_on_conflict(|| async {
            let (stored, _) = self.store.import(key).await?.ok_or(ImportError::Missing)?;
            let version = stored.version + 1;
            let record = ImportRecord { version, ..change(stored)? };
            self.store.put_import(ImportWrite { record: record.clone(), audit: audit.clone() }).await?;
            Ok(record)
        })
        .await
    }

    /// Begins work on an import, once what is under way on it has stopped.
    pub(super) fn begin(self: &Arc<Self>, key: ImportKey, work: Work) {
        if *self.stopping.borrow() {
            // The next process begins it.
            return;
        }
        let job = Arc::new(Job::new(key.clone()));
        let former = self.jobs().insert(key.clone(), Arc::clone(&job));
        let importer = Arc::clone(self);
        tokio::spawn(async move {
            if let Some(former) = former {
                former.end().await;
            }
            let _running = matches!(work, Work::Rows | Work::Undo).then(metrics::import_running);
            match work {
                Work::Rows => run::rows(&importer, &job).await,
                Work::Undo => undo::undo(&importer, &job).await,
                Work::ForgetSealed => forget::sealed(&importer, &job.key).await,
                Work::Delete => forget::everything(&importer, &job.key).await,
            }
            job.set_ended();
            let mut jobs = importer.jobs();
            let is_current = jobs.get(&key).is_some_and(|current| Arc::ptr_eq(current, &job));
            // Why its rows could not be done is worth knowing after it has paused.
            if is_current && !(job.progress.has_rows() && jobs.len() <= MOST_REMEMBERED) {
                jobs.remove(&key);
            }
        });
    }

    /// Stops what is under way, and waits until it has stopped.
    async fn halt(&self, key: &ImportKey) {
        let job = self.jobs().get(key).cloned();
        if let Some(job) = job {
            job.end().await;
        }
    }

    /// Stops all that is under way, and waits until it has stopped. Rows that were begun have so long to end; what takes longer
    /// is given up. The next process resumes all of it.
    pub async fn stop(&self, patience: Duration) {
        self.stopping.send_replace(true);
        let jobs: Vec<_> = self.jobs().values().cloned().collect();
        jobs.iter().for_each(|job| job.tell(Stop::AfterRows));
        let ended = async {
            for job in &jobs {
                job.has_ended().await;
            }
        };
        if tokio::time::timeout(patience, ended).await.is_err() {
            jobs.iter().for_each(|job| job.tell(Stop::AtOnce));
            let ended = async {
                for job in &jobs {
                    job.has_ended().await;
                }
            };
            if tokio::time::timeout(LAST_WORD, ended).await.is_err() {
                tracing::warn!("work on imports did not stop in time; the next process resumes it");
            }
        }
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

    /// A panic elsewhere leaves the list as good as it was.
    fn jobs(&self) -> MutexGuard<'_, HashMap<ImportKey, Arc<Job>>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What can be under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    Rows,
    Undo,
    ForgetSealed,
    Delete,
}

/// The audit event of an import; `how` is what was done.
pub(super) fn audit(action: AuditAction, key: &ImportKey, actor: &str, how: &str) -> AuditEvent {
    AuditEvent::new(action, actor, format!("import {} {how}", key.id)).in_environment(key.environment)
}
