//! [`Importer`]: what can be done with imports, and which of them are under way in this process.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

use super::error::ImportError;
use super::progress::{Progress, Waiting};
use super::{forget, run, undo};
use crate::ids::Slug;
use crate::migrate::{Caller, Migrator};
use crate::store::{
    AppCounts, AuditAction, AuditEvent, ImportKey, ImportMode, ImportRecord, ImportState, ImportWrite, ObjectId,
    Restore, RowRecord, RowState, Store, StoreError, Timestamp,
};
use crate::vault::Vault;

/// How often a change is tried again that another one was faster than.
const ATTEMPTS: usize = 16;
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

/// Carries imports out.
pub struct Importer {
    pub(super) store: Arc<dyn Store>,
    pub(super) vault: Arc<Vault>,
    pub(super) migrator: Arc<Migrator>,
    pub(super) settings: ImportSettings,
    /// Rows under way, of all imports.
    pub(super) rows: Semaphore,
    pub(super) uploads: Semaphore,
    jobs: Mutex<HashMap<ImportKey, Arc<Job>>>,
}

/// An import that is under way in this process.
pub(super) struct Job {
    pub(super) key: ImportKey,
    pub(super) progress: Progress,
    pub(super) stop: watch::Sender<bool>,
    ended: watch::Sender<bool>,
}

/// What can be done with an import that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Nothing further is done until it is resumed.
    Pause,
    /// It goes on.
    Resume,
    /// It ends; rows that are not settled stay as they are.
    Cancel,
    /// Rows that have failed for a reason that can pass are tried again.
    RetryFailed,
    /// What it did is taken back.
    Undo,
    /// What it did stays: what it replaced is forgotten.
    Confirm,
    /// It is forgotten, ledger and all. What it stored stays.
    Delete,
}

/// An import and how it fares.
#[derive(Debug, Clone)]
pub struct ImportView {
    /// As it is stored.
    pub record: ImportRecord,
    /// How its rows fare, by app.
    pub counts: AppCounts,
    /// The apps whose rows wait, and for what.
    pub waiting: BTreeMap<Slug, Waiting>,
    /// Rows a second now; none while nothing is under way.
    pub rate: Option<f64>,
}

/// A row of the ledger, and whether it waits.
#[derive(Debug, Clone)]
pub struct RowView {
    /// As it is stored.
    pub row: RowRecord,
    /// Whether its app's rows wait.
    pub waits: bool,
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

    /// Where an import stands after it, if it can be done where it stands now.
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

impl Importer {
    /// An importer over these parts. [`go_on`](Self::go_on) begins its work.
    pub fn new(
        store: Arc<dyn Store>,
        vault: Arc<Vault>,
        migrator: Arc<Migrator>,
        settings: ImportSettings,
    ) -> Arc<Self> {
        let permits = |count: usize| Semaphore::new(count.clamp(1, Semaphore::MAX_PERMITS));
        let (rows, uploads) = (permits(settings.at_once), permits(settings.uploads));
        Arc::new(Self { store, vault, migrator, settings, rows, uploads, jobs: Mutex::default() })
    }

    /// Goes on with what a former process has left, and forgets imports when their time has come, for as long as this lives.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub async fn go_on(self: &Arc<Self>) -> Result<(), ImportError> {
        for record in self.store.all_imports().await? {
            match record.state {
                ImportState::Running => self.begin(record.key, Work::Rows),
                ImportState::Undoing => self.begin(record.key, Work::Undo),
                // Nobody can send the rest of a file; what is deleted is deleted whole.
                ImportState::Receiving | ImportState::Deleting => self.begin(record.key, Work::Delete),
                _ if record.restore == Restore::Over => self.begin(record.key, Work::ForgetSealed),
                _ => {}
            }
        }
        tokio::spawn(forget::in_time(Arc::downgrade(self)));
        Ok(())
    }

    /// One import, and how it fares.
    ///
    /// # Errors
    /// `Missing`.
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

    /// At most so many rows of an import after one of them, in the order of the file.
    ///
    /// # Errors
    /// `Missing`.
    pub async fn rows(&self, key: &ImportKey, after: u64, limit: usize) -> Result<Vec<RowView>, ImportError> {
        let waiting = self.show(key).await?.waiting;
        let rows = self.store.rows(key.id, after, limit).await?;
        let waits = |row: &RowRecord| {
            row.state == RowState::Queued && waiting.keys().any(|slug| row.slug.as_deref() == Some(slug.as_str()))
        };
        Ok(rows.into_iter().map(|row| RowView { waits: waits(&row), row }).collect())
    }

    /// Does something with an import. When it returns, it stands where it is to stand; undoing, trying again and deleting go on.
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
        let event = AuditEvent {
            action: if change == Change::Delete { AuditAction::ImportDeleted } else { AuditAction::ImportChanged },
            actor: caller.actor.clone(),
            environment: Some(caller.environment),
            account: None,
            slug: None,
            outcome: format!("import {id} {}", change.done()),
            request_id: Some(request_id.to_owned()),
            at: Timestamp::now(),
        };
        let failed = self
            .store
            .import(&key)
            .await?
            .map_or(0, |(_, counts)| counts.values().map(|counts| counts.in_state(RowState::Failed)).sum::<u64>());
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
        for _ in 0..ATTEMPTS {
            let (stored, _) = self.store.import(key).await?.ok_or(ImportError::Missing)?;
            let version = stored.version + 1;
            let record = ImportRecord { version, ..change(stored)? };
            match self.store.put_import(ImportWrite { record: record.clone(), audit: audit.clone() }).await {
                Ok(()) => return Ok(record),
                Err(StoreError::ImportChanged) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(ImportError::Contended)
    }

    /// Begins work on an import, unless some is under way.
    pub(super) fn begin(self: &Arc<Self>, key: ImportKey, work: Work) {
        let job = Arc::new(Job {
            key: key.clone(),
            progress: Progress::default(),
            stop: watch::Sender::new(false),
            ended: watch::Sender::new(false),
        });
        let former = self.jobs().insert(key.clone(), Arc::clone(&job));
        let importer = Arc::clone(self);
        tokio::spawn(async move {
            if let Some(former) = former {
                former.end().await;
            }
            match work {
                Work::Rows => run::rows(&importer, &job).await,
                Work::Undo => undo::undo(&importer, &job).await,
                Work::ForgetSealed => forget::sealed(&importer, &job.key).await,
                Work::Delete => forget::everything(&importer, &job.key).await,
            }
            job.ended.send_replace(true);
            let mut jobs = importer.jobs();
            if jobs.get(&key).is_some_and(|current| Arc::ptr_eq(current, &job)) {
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

    /// Stops all that is under way, and waits until it has stopped. It goes on in the next process.
    pub async fn stop(&self) {
        let jobs: Vec<_> = self.jobs().values().cloned().collect();
        for job in jobs {
            job.end().await;
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

impl Job {
    /// Has it stop, and waits until it has.
    async fn end(&self) {
        self.stop.send_replace(true);
        // It cannot go before it has said so, as long as this is here.
        let _ = self.ended.subscribe().wait_for(|ended| *ended).await;
    }

    /// Whether it is to stop.
    pub(super) fn is_stopping(&self) -> bool {
        *self.stop.borrow()
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

fn is_there(record: &ImportRecord) -> bool {
    record.state != ImportState::Deleting
}

/// The import as it is after a change, at which so many rows have failed.
fn decide(record: ImportRecord, change: Change, failed: u64) -> Result<ImportRecord, ImportError> {
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
