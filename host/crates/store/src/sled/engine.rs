//! [`Store`] on sled: sends writes to the committer, and reads without it.

use std::collections::BTreeMap;
use std::fs::File;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use async_trait::async_trait;
use tokio::sync::{Semaphore, oneshot};

use super::committer::{Committer, Message, Write};
use super::durability::{FileSyncer, Progress, Space, Syncer, watch_over};
use super::open::{Opened, open};
use super::settings::SledSettings;
use super::tables::{Table, Tables};
use super::view::View;
use super::write::{self, Migration};
use super::{audit, codec, keys, outbox, roots, sessions, webhooks};
use crate::{
    AccountKey, AccountPage, AccountView, AccountWrite, ApiKeyRecord, AuditEntry, AuditEvent, AuditSummary, CheckWrite,
    Checked, DeleteOutcome, Deleted, Delivery, DeliveryLog, FatalWatch, IdempotencyKey, IdempotencyRecord,
    IntegrationKey, IntegrationRecord, ListAccounts, MigrationWrite, NewApiKey, NewSession, ObjectId, PutAccount,
    Reseal, Rewrap, RootChange, RootRecord, SessionRecord, Settled, Store, StoreError, StoreHealth, StoreResult,
    Timestamp, WebhookKey, WebhookNotifier, WebhookRecord, WebhookWrite,
};
use keyferry_types::ids::{AuthTypeName, Environment, OrgId};

/// A store in a folder of one machine. One process at a time.
pub struct SledStore {
    tables: Tables,
    queue: Sender<Message>,
    permits: Arc<Semaphore>,
    progress: Arc<Progress>,
    space: Space,
    bell: Arc<WebhookNotifier>,
    committer: Mutex<Option<JoinHandle<()>>>,
    /// Declared last: let go of when all else is.
    _lock: File,
}

impl SledStore {
    /// Opens or makes the store.
    ///
    /// # Errors
    /// `Locked` where another process has it; `Corrupt` and `Format` where it cannot be read, and it is left as it is then;
    /// `NoSpace` where there is not even enough to open it; `Open`.
    pub async fn open(settings: SledSettings) -> StoreResult<Self> {
        Self::open_with(settings, |file| Box::new(FileSyncer(file))).await
    }

    pub(super) async fn open_with(
        settings: SledSettings,
        syncer: impl FnOnce(File) -> Box<dyn Syncer> + Send + 'static,
    ) -> StoreResult<Self> {
        let patience = settings.patience;
        let store = blocking(move || {
            let Opened { tables, file, watermark, lock } = open(&settings)?;
            let progress = Arc::new(Progress::new());
            let space = Space { path: settings.path.clone(), needed: settings.min_free };
            let committer = Committer {
                tables: tables.clone(),
                syncer: syncer(file),
                watermark,
                progress: Arc::clone(&progress),
                space: space.clone(),
                sweep_every: settings.sweep_every,
            };
            // The queue itself has no bound: the permits bound it, and a caller that waits for one blocks no thread.
            let (queue, jobs) = mpsc::channel();
            let thread =
                thread::Builder::new().name("store-committer".to_owned()).spawn(move || committer.run(&jobs)).map_err(
                    |source| StoreError::Open { action: "start the committer of", path: settings.path.clone(), source },
                )?;
            let permits = Arc::new(Semaphore::new(settings.queue.clamp(1, Semaphore::MAX_PERMITS)));
            let committer = Mutex::new(Some(thread));
            let bell = Arc::default();
            Ok(Self { tables, queue, permits, progress, space, bell, committer, _lock: lock })
        })
        .await?;
        tokio::spawn(watch_over(Arc::downgrade(&store.progress), patience));
        Ok(store)
    }

    /// Queues a write and waits for its answer.
    pub(super) async fn write<T, F>(&self, weight: usize, function: F) -> StoreResult<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut View<'_>) -> StoreResult<T> + Send + 'static,
    {
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| self.gone())?;
        let (reply, answer) = oneshot::channel();
        let bell = Arc::clone(&self.bell);
        let job =
            Write { function: Some(function), result: None, woken: Vec::new(), bell, reply, weight, _permit: permit };
        self.queue.send(Message::Write(Box::new(job))).map_err(|_| self.gone())?;
        let mut fatal = self.fatal();
        tokio::select! {
            biased;
            answer = answer => answer.map_err(|_| self.gone())?,
            _ = fatal.failed() => Err(self.gone()),
        }
    }

    /// Why the committer does not answer any more.
    fn gone(&self) -> StoreError {
        self.progress.failure().unwrap_or(StoreError::Closed)
    }

    /// Reads on a thread that may block: for what walks many rows.
    pub(super) async fn scan<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Tables) -> StoreResult<T> + Send + 'static,
    ) -> StoreResult<T> {
        let tables = self.tables.clone();
        blocking(move || read(&tables)).await
    }

    /// Waits until all that can be read is on disk.
    pub(super) async fn settled(&self) -> StoreResult<()> {
        self.progress.settled().await
    }

    /// One record, straight from its tree.
    pub(super) fn read_record<T: serde::de::DeserializeOwned>(
        &self,
        table: Table,
        key: &[u8],
    ) -> StoreResult<Option<T>> {
        self.tables.record(table, key)
    }

    #[cfg(test)]
    pub(super) fn tables(&self) -> &Tables {
        &self.tables
    }

    /// Writes that are queued or under way.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        super::SledSettings::new("").queue - self.permits.available_permits()
    }

    fn join(&self) {
        let thread = self.committer.lock().unwrap_or_else(PoisonError::into_inner).take();
        // It does not panic: its work is guarded.
        let _ = thread.map(JoinHandle::join);
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> StoreResult<T> + Send + 'static) -> StoreResult<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(StoreError::Read(Box::new(error))))
}

impl Drop for SledStore {
    /// Finishes what is queued, so that the folder's lock is released after the last write. It does not wait for a
    /// thread that is stuck.
    fn drop(&mut self) {
        if self.progress.is_stuck() {
            return;
        }
        let (reply, _) = oneshot::channel();
        let _ = self.queue.send(Message::Close(reply));
        self.join();
    }
}

#[async_trait]
impl Store for SledStore {
    async fn create_api_key(&self, new: NewApiKey) -> StoreResult<()> {
        codec::encode(Table::ApiKeys, &new.record)?;
        self.write(1024, move |view| write::create_api_key(view, &new)).await
    }

    async fn api_key(&self, hash: &[u8; 32]) -> StoreResult<Option<ApiKeyRecord>> {
        self.tables.record(Table::ApiKeys, hash)
    }

    async fn api_keys(&self, org: &OrgId) -> StoreResult<Vec<ApiKeyRecord>> {
        let org = org.clone();
        self.scan(move |tables| tables.api_keys(&org)).await
    }

    async fn revoke_api_key(
        &self,
        org: &OrgId,
        hash: &[u8; 32],
        audit: AuditEvent,
    ) -> StoreResult<Option<ApiKeyRecord>> {
        let (org, hash) = (org.clone(), *hash);
        self.write(1024, move |view| write::revoke_api_key(view, &org, &hash, &audit)).await
    }

    async fn touch_api_key(&self, hash: &[u8; 32], at: Timestamp) -> StoreResult<()> {
        let hash = *hash;
        self.write(512, move |view| write::touch_api_key(view, &hash, at)).await
    }

    async fn roots(&self, org: &OrgId) -> StoreResult<Vec<RootRecord>> {
        self.progress.settled().await?;
        self.tables.roots(org)
    }

    async fn all_roots(&self) -> StoreResult<Vec<(OrgId, RootRecord)>> {
        self.progress.settled().await?;
        self.scan(roots::all).await
    }

    async fn rewrap_root(&self, rewrap: Rewrap) -> StoreResult<bool> {
        let weight: usize = rewrap.to.iter().map(|form| form.kek_id.len() + form.wrapped.len()).sum();
        codec::check_size(Table::Roots, weight)?;
        self.write(weight + 1024, move |view| roots::rewrap(view, rewrap)).await
    }

    async fn add_root(&self, org: &OrgId, root: RootRecord, audit: AuditEvent) -> StoreResult<()> {
        let org = org.clone();
        self.write(1024, move |view| roots::add(view, &org, &root, &audit)).await
    }

    async fn change_root(
        &self,
        org: &OrgId,
        key_id: u32,
        change: RootChange,
        audit: AuditEvent,
    ) -> StoreResult<RootRecord> {
        let org = org.clone();
        self.write(1024, move |view| roots::change(view, &org, key_id, change, &audit)).await
    }

    async fn sealed_under(&self, org: &OrgId) -> StoreResult<BTreeMap<u32, u64>> {
        let org = org.clone();
        self.progress.settled().await?;
        self.scan(move |tables| roots::sealed_under(tables, &org)).await
    }

    async fn integrations_after(
        &self,
        org: &OrgId,
        after: Option<&IntegrationKey>,
        limit: usize,
    ) -> StoreResult<Vec<IntegrationRecord>> {
        let (org, after) = (org.clone(), after.cloned());
        self.scan(move |tables| roots::integrations_after(tables, &org, after.as_ref(), limit)).await
    }

    async fn reseal(&self, reseal: Reseal) -> StoreResult<bool> {
        self.write(reseal.envelope.len() + 1024, move |view| roots::reseal(view, reseal)).await
    }

    async fn put_account(&self, write: AccountWrite) -> StoreResult<PutAccount> {
        let weight = write::weight(&write)?;
        self.write(weight, move |view| write::put_account(view, write)).await
    }

    async fn put_account_with(&self, write: AccountWrite, integration: MigrationWrite) -> StoreResult<PutAccount> {
        let integration = Migration::new(integration)?;
        let weight = write::weight(&write)? + integration.weight();
        self.write(weight, move |view| {
            let put = write::put_account(view, write)?;
            write::commit_migration(view, integration, Timestamp::now())?;
            Ok(put)
        })
        .await
    }

    async fn has_account(&self, key: &AccountKey) -> StoreResult<bool> {
        Ok(self.tables.get(Table::Accounts, &keys::account(key))?.is_some())
    }

    async fn account(&self, key: &AccountKey) -> StoreResult<Option<AccountView>> {
        let view = self.tables.account_view(key)?;
        self.progress.settled().await?;
        Ok(view)
    }

    async fn accounts(&self, org: &OrgId, environment: Environment, list: ListAccounts) -> StoreResult<AccountPage> {
        let org = org.clone();
        let page = self.scan(move |tables| tables.account_page(&org, environment, &list)).await?;
        self.progress.settled().await?;
        Ok(page)
    }

    async fn delete_account(&self, key: &AccountKey, audit: AuditEvent) -> StoreResult<Option<Deleted>> {
        let key = key.clone();
        self.write(1024, move |view| write::delete_account(view, &key, &audit)).await
    }

    async fn integration(&self, key: &IntegrationKey) -> StoreResult<Option<IntegrationRecord>> {
        self.tables.record(Table::Integrations, &keys::integration(key))
    }

    async fn read_integration(
        &self,
        key: &IntegrationKey,
        audit: AuditEvent,
    ) -> StoreResult<Option<IntegrationRecord>> {
        let key = key.clone();
        self.write(1024, move |view| write::read_integration(view, &key, &audit)).await
    }

    async fn commit_migration(&self, write: MigrationWrite) -> StoreResult<()> {
        let migration = Migration::new(write)?;
        let weight = migration.weight();
        self.write(weight, move |view| write::commit_migration(view, migration, Timestamp::now())).await
    }

    async fn commit_check(&self, write: CheckWrite) -> StoreResult<Checked> {
        let weight = write.record.envelope.len() + 1024;
        self.write(weight, move |view| write::commit_check(view, write)).await
    }

    async fn delete_integration(
        &self,
        key: &IntegrationKey,
        only_auth_type: Option<AuthTypeName>,
        audit: AuditEvent,
    ) -> StoreResult<DeleteOutcome> {
        let key = key.clone();
        self.write(1024, move |view| write::delete_integration(view, &key, only_auth_type.as_ref(), &audit)).await
    }

    async fn delete_version(&self, key: &IntegrationKey, version: u64, audit: AuditEvent) -> StoreResult<()> {
        let key = key.clone();
        self.write(1024, move |view| write::delete_version(view, &key, version, &audit)).await
    }

    async fn create_session(&self, new: NewSession) -> StoreResult<()> {
        self.write(1024, move |view| sessions::create(view, &new)).await
    }

    async fn session(&self, key: &AccountKey, id: ObjectId) -> StoreResult<Option<SessionRecord>> {
        self.tables.record(Table::Sessions, &keys::session(key, id))
    }

    async fn sessions(&self, key: &AccountKey) -> StoreResult<Vec<SessionRecord>> {
        sessions::of_account(&self.tables, key)
    }

    async fn reuse_session(
        &self,
        key: &AccountKey,
        id: ObjectId,
        audit: AuditEvent,
    ) -> StoreResult<Option<SessionRecord>> {
        let key = key.clone();
        self.write(512, move |view| sessions::reuse(view, &key, id, &audit)).await
    }

    async fn end_session(&self, key: &AccountKey, id: ObjectId, audit: AuditEvent) -> StoreResult<bool> {
        let key = key.clone();
        self.write(512, move |view| sessions::end(view, &key, id, &audit)).await
    }

    async fn idempotency(&self, key: &IdempotencyKey) -> StoreResult<Option<IdempotencyRecord>> {
        let kept: Option<IdempotencyRecord> = self.tables.record(Table::Idempotency, &keys::idempotency(key))?;
        let Some(kept) = kept.filter(|kept| Timestamp::now() < kept.expires_at) else { return Ok(None) };
        // It is about to be sent as an answer, and answers are durable.
        self.progress.settled().await?;
        Ok(Some(kept))
    }

    async fn put_webhook(&self, write: WebhookWrite) -> StoreResult<()> {
        let weight = codec::encode(Table::Webhooks, &write.record)?.len() + 1024;
        self.write(weight, move |view| webhooks::put(view, &write)).await
    }

    async fn webhook(&self, key: &WebhookKey) -> StoreResult<Option<WebhookRecord>> {
        let found = self.tables.record(Table::Webhooks, &keys::webhook(key))?;
        self.progress.settled().await?;
        Ok(found)
    }

    async fn webhooks(&self, org: &OrgId, environment: Environment) -> StoreResult<Vec<WebhookRecord>> {
        let found = webhooks::all(&self.tables, org, environment)?;
        self.progress.settled().await?;
        Ok(found)
    }

    async fn delete_webhook(&self, key: &WebhookKey, audit: AuditEvent) -> StoreResult<Option<Vec<WebhookRecord>>> {
        let key = key.clone();
        self.write(1024, move |view| webhooks::delete(view, &key, &audit)).await
    }

    async fn delivery_log(&self, key: &WebhookKey) -> StoreResult<DeliveryLog> {
        let key = key.clone();
        self.scan(move |tables| outbox::log(tables, &key, Timestamp::now())).await
    }

    async fn awaited_webhooks(&self) -> StoreResult<Vec<WebhookKey>> {
        self.scan(outbox::awaited).await
    }

    async fn outbox(&self, key: &WebhookKey, limit: usize) -> StoreResult<Vec<Delivery>> {
        let key = key.clone();
        let waiting = self.scan(move |tables| outbox::waiting(tables, &key, limit)).await?;
        // A reader must not see anything that a crash could undo.
        self.progress.settled().await?;
        Ok(waiting)
    }

    async fn settle(&self, attempts: Vec<(Delivery, Settled)>) -> StoreResult<()> {
        let weight = 1024 * attempts.len();
        self.write(weight, move |view| outbox::settle(view, attempts)).await
    }

    fn bell(&self) -> Arc<WebhookNotifier> {
        Arc::clone(&self.bell)
    }

    async fn audit_tail(&self, org: &OrgId, limit: usize) -> StoreResult<Vec<AuditEntry>> {
        let org = org.clone();
        self.scan(move |tables| audit::tail(tables, &org, limit)).await
    }

    async fn audit_after(&self, org: &OrgId, after: u64, limit: usize) -> StoreResult<Vec<AuditEntry>> {
        let org = org.clone();
        let entries = self.scan(move |tables| audit::after(tables, &org, after, limit)).await?;
        self.progress.settled().await?;
        Ok(entries)
    }

    async fn verify_audit(&self, org: &OrgId) -> StoreResult<AuditSummary> {
        let org = org.clone();
        self.scan(move |tables| audit::verify(tables, &org)).await
    }

    fn health(&self) -> StoreHealth {
        self.progress.health(&self.space)
    }

    fn fatal(&self) -> FatalWatch {
        self.progress.watch()
    }

    async fn close(&self) -> StoreResult<()> {
        let (reply, answer) = oneshot::channel();
        self.queue.send(Message::Close(reply)).map_err(|_| self.gone())?;
        let mut fatal = self.fatal();
        tokio::select! {
            biased;
            answer = answer => answer.map_err(|_| self.gone())?,
            _ = fatal.failed() => Err(self.gone()),
        }
    }
}
