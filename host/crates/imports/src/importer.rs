//! [`Importer`]: its parts and settings, and what all work on imports shares.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};

use super::error::ImportError;
use super::job::Job;
use keyferry_service::{CredentialService, retry_on_conflict};
use keyferry_store::{AuditAction, AuditEvent, ImportKey, ImportRecord, ImportWrite, Store};
use keyferry_vault::Vault;

/// The settings of imports.
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
    /// Whether this process is about to end. No work is begun then.
    pub(super) stopping: watch::Sender<bool>,
    /// Imports are worked on here. The runtime of a request that begins one serves requests only.
    pub(super) runtime: Handle,
    jobs: Mutex<HashMap<ImportKey, Arc<Job>>>,
}

impl Importer {
    /// An importer over these parts, which works on the runtime that this is called on. [`resume`](Self::resume) begins its work.
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
            runtime: Handle::current(),
            jobs: Mutex::default(),
        })
    }

    /// Stores the next version of an import, as `change` makes it of the stored one.
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

    /// The jobs in progress, locked.
    pub(super) fn jobs(&self) -> MutexGuard<'_, HashMap<ImportKey, Arc<Job>>> {
        self.jobs.lock()
    }
}

/// The audit event of an import; `how` is what was done.
pub(super) fn audit(action: AuditAction, key: &ImportKey, actor: &str, how: &str) -> AuditEvent {
    AuditEvent::new(action, actor, format!("import {} {how}", key.id)).in_environment(key.environment)
}
