//! The transactions of the use cases.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::watch;

use super::{
    AccountKey, AccountPage, AccountView, AccountWrite, ApiKeyRecord, AuditEntry, AuditEvent, AuditSummary, CheckWrite,
    Checked, DeleteOutcome, Deleted, Delivery, DeliveryLog, IdempotencyKey, IdempotencyRecord, IntegrationKey,
    IntegrationRecord, Ledger, ListAccounts, MigrationWrite, NewApiKey, NewSession, ObjectId, PutAccount, Reseal,
    Rewrap, RootChange, RootRecord, SessionRecord, Settled, StoreResult, Timestamp, WebhookKey, WebhookNotifier,
    WebhookRecord, WebhookWrite,
};
use keyferry_types::ids::{AuthTypeName, Environment, OrgId};

/// Stores accounts, sealed credentials and the audit trail.
///
/// Each writing method is one transaction: all of it is durable when it returns `Ok`, and nothing of it is there when it
/// returns an error of that one transaction. A caller that stops waiting does not take back a write that is under way.
///
/// An event (a connection is created, deleted, or expires) is queued for each webhook that wants it, in the same
/// transaction as the change.
#[async_trait]
pub trait Store: Ledger {
    /// Stores an API key, and the organisation's first root where it has none.
    async fn create_api_key(&self, new: NewApiKey) -> StoreResult<()>;

    /// The API key of this hash, also if it has expired or was revoked.
    async fn api_key(&self, hash: &[u8; 32]) -> StoreResult<Option<ApiKeyRecord>>;

    /// All API keys of an organisation, oldest first.
    async fn api_keys(&self, org: &OrgId) -> StoreResult<Vec<ApiKeyRecord>>;

    /// Revokes an API key at the time of the event. `None` where the organisation has no such key; a key that was revoked
    /// before stays as it is.
    async fn revoke_api_key(
        &self,
        org: &OrgId,
        hash: &[u8; 32],
        audit: AuditEvent,
    ) -> StoreResult<Option<ApiKeyRecord>>;

    /// Notes that an API key was used. It returns before that is durable: callers do not need the outcome.
    async fn touch_api_key(&self, hash: &[u8; 32], at: Timestamp) -> StoreResult<()>;

    /// All roots of an organisation, in the order of their numbers.
    async fn roots(&self, org: &OrgId) -> StoreResult<Vec<RootRecord>>;

    /// All roots of all organisations.
    async fn all_roots(&self) -> StoreResult<Vec<(OrgId, RootRecord)>>;

    /// Stores the same root under other key-encryption keys. `false` where the stored form is not the expected one.
    ///
    /// # Errors
    /// `Root` where the root does not exist, `Contradiction` where it would be left without a wrapped form.
    async fn rewrap_root(&self, rewrap: Rewrap) -> StoreResult<bool>;

    /// Stores a further root: from then on the highest number seals.
    ///
    /// # Errors
    /// `Root` where its number is not the one after the highest.
    async fn add_root(&self, org: &OrgId, root: RootRecord, audit: AuditEvent) -> StoreResult<()>;

    /// Takes a root out of use, or removes one that is.
    ///
    /// # Errors
    /// `Root` where the root does not exist, is the highest, or is to be removed while still in use.
    async fn change_root(
        &self,
        org: &OrgId,
        key_id: u32,
        change: RootChange,
        audit: AuditEvent,
    ) -> StoreResult<RootRecord>;

    /// How many credentials and webhooks are sealed under each of an organisation's roots, by its number.
    async fn sealed_under(&self, org: &OrgId) -> StoreResult<BTreeMap<u32, u64>>;

    /// Integrations of an organisation in a stable order: at most `limit` of them, those after `after`.
    async fn integrations_after(
        &self,
        org: &OrgId,
        after: Option<&IntegrationKey>,
        limit: usize,
    ) -> StoreResult<Vec<IntegrationRecord>>;

    /// Puts the same credential under another root. `false` where it was changed, or sealed anew, since it was opened.
    ///
    /// # Errors
    /// `StaleRoot` where the new root is out of use.
    async fn reseal(&self, reseal: Reseal) -> StoreResult<bool>;

    /// Creates or updates a linked account.
    ///
    /// # Errors
    /// `AccountExists` where it is to be created and exists, `AccountMissing` where it is to be updated and does not.
    async fn put_account(&self, write: AccountWrite) -> StoreResult<PutAccount>;

    /// Creates or updates a linked account together with one of its integrations.
    ///
    /// # Errors
    /// As [`put_account`](Self::put_account) and [`commit_migration`](Self::commit_migration); neither is written then.
    async fn put_account_with(&self, write: AccountWrite, integration: MigrationWrite) -> StoreResult<PutAccount>;

    /// Whether there is such a linked account. One that is just being written may show here before it is durable, as with
    /// [`integration`](Self::integration).
    async fn has_account(&self, key: &AccountKey) -> StoreResult<bool>;

    /// A linked account and its integrations.
    async fn account(&self, key: &AccountKey) -> StoreResult<Option<AccountView>>;

    /// One page of an environment's linked accounts, newest first.
    async fn accounts(&self, org: &OrgId, environment: Environment, list: ListAccounts) -> StoreResult<AccountPage>;

    /// Deletes a linked account with its integrations and its sessions. `None` where it does not exist.
    async fn delete_account(&self, key: &AccountKey, audit: AuditEvent) -> StoreResult<Option<Deleted>>;

    /// One integration. A version that is being written may be visible here before it is durable; a write that builds
    /// on it is part of a later transaction, which cannot be durable without it.
    async fn integration(&self, key: &IntegrationKey) -> StoreResult<Option<IntegrationRecord>>;

    /// One integration, for a caller that may read its secrets: the audit event is durable before this returns. `None`,
    /// without an event, where the integration does not exist.
    async fn read_integration(&self, key: &IntegrationKey, audit: AuditEvent)
    -> StoreResult<Option<IntegrationRecord>>;

    /// Writes a version of an integration, its audit event, and the answer for a repeated request.
    ///
    /// # Errors
    /// In this order: `AlreadyAnswered` and `IdempotencyMismatch` where the idempotency key is taken; `AccountMissing`;
    /// `StaleRoot` where it is sealed under a root that is out of use; `Conflict` where something else is stored than is
    /// expected.
    async fn commit_migration(&self, write: MigrationWrite) -> StoreResult<()>;

    /// Writes what a verification of a stored credential found out.
    async fn commit_check(&self, write: CheckWrite) -> StoreResult<Checked>;

    /// Deletes an integration; with an auth type, only if it is of that one.
    async fn delete_integration(
        &self,
        key: &IntegrationKey,
        only_auth_type: Option<AuthTypeName>,
        audit: AuditEvent,
    ) -> StoreResult<DeleteOutcome>;

    /// Deletes an integration that is in this version.
    ///
    /// # Errors
    /// `Conflict` where something else is stored.
    async fn delete_version(&self, key: &IntegrationKey, version: u64, audit: AuditEvent) -> StoreResult<()>;

    /// Makes a session. Those of the account that are over are forgotten, and the oldest one ends where there are too many.
    ///
    /// # Errors
    /// `AccountMissing`; `StaleRoot` where it hangs on a root that is out of use; `SessionEnded` where the one that it
    /// replaces has.
    async fn create_session(&self, new: NewSession) -> StoreResult<()>;

    /// One session, even if it has expired. `None` where it does not exist or was ended.
    async fn session(&self, key: &AccountKey, id: ObjectId) -> StoreResult<Option<SessionRecord>>;

    /// All sessions of an account, oldest first, also those that are over.
    async fn sessions(&self, key: &AccountKey) -> StoreResult<Vec<SessionRecord>>;

    /// One session, for a caller that gets its tokens again: the audit event is durable before this returns. `None`,
    /// without an event, where the session does not exist.
    async fn reuse_session(
        &self,
        key: &AccountKey,
        id: ObjectId,
        audit: AuditEvent,
    ) -> StoreResult<Option<SessionRecord>>;

    /// Ends a session. `false`, without an event, where it does not exist.
    async fn end_session(&self, key: &AccountKey, id: ObjectId, audit: AuditEvent) -> StoreResult<bool>;

    /// The answer kept for an idempotency key, once it is durable. What has expired counts as absent.
    async fn idempotency(&self, key: &IdempotencyKey) -> StoreResult<Option<IdempotencyRecord>>;

    /// Stores a version of a webhook.
    ///
    /// # Errors
    /// `Conflict` where something else is stored than is expected, `TooManyWebhooks`, and `StaleRoot` where it is sealed under
    /// a root that is out of use.
    async fn put_webhook(&self, write: WebhookWrite) -> StoreResult<()>;

    /// The webhook with this key.
    async fn webhook(&self, key: &WebhookKey) -> StoreResult<Option<WebhookRecord>>;

    /// All webhooks of an environment, oldest first.
    async fn webhooks(&self, org: &OrgId, environment: Environment) -> StoreResult<Vec<WebhookRecord>>;

    /// Deletes a webhook. Those that remain, oldest first; `None` where there is no such one.
    async fn delete_webhook(&self, key: &WebhookKey, audit: AuditEvent) -> StoreResult<Option<Vec<WebhookRecord>>>;

    /// The deliveries of a webhook that wait, and those that were given up.
    async fn delivery_log(&self, key: &WebhookKey) -> StoreResult<DeliveryLog>;

    /// All webhooks with waiting deliveries. One of them can have been deleted since.
    async fn awaited_webhooks(&self) -> StoreResult<Vec<WebhookKey>>;

    /// Deliveries that wait for a webhook, at most `limit` of them, in the order of their events. All of them are
    /// durable.
    async fn outbox(&self, key: &WebhookKey, limit: usize) -> StoreResult<Vec<Delivery>>;

    /// Writes down what became of attempts to deliver, with how many there were. What does not wait any more is left out.
    async fn settle(&self, attempts: Vec<(Delivery, Settled)>) -> StoreResult<()>;

    /// Reports webhooks with new deliveries, once those are durable, and webhooks that were changed or deleted.
    fn bell(&self) -> Arc<WebhookNotifier>;

    /// The newest entries of an organisation's audit chain, newest first.
    async fn audit_tail(&self, org: &OrgId, limit: usize) -> StoreResult<Vec<AuditEntry>>;

    /// Entries of an organisation's audit chain in their order: at most `limit` of them, those after entry `after`.
    async fn audit_after(&self, org: &OrgId, after: u64, limit: usize) -> StoreResult<Vec<AuditEntry>>;

    /// Walks an organisation's audit chain from end to end.
    ///
    /// # Errors
    /// `AuditBroken` names the first entry that is wrong.
    async fn verify_audit(&self, org: &OrgId) -> StoreResult<AuditSummary>;

    /// Whether writes can be taken right now.
    fn health(&self) -> StoreHealth;

    /// Signals that the store has failed for good. The server must then exit and be restarted.
    fn fatal(&self) -> FatalWatch;

    /// Finishes what is queued and brings all of it to disk. Later writes get `Closed`.
    async fn close(&self) -> StoreResult<()>;
}

/// Whether a store accepts writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreHealth {
    /// It accepts writes.
    Ready,
    /// Not until there is space. It can be read.
    NoSpace {
        /// Bytes that are free on the volume.
        free: u64,
        /// Bytes that must be free.
        needed: u64,
    },
    /// Never again in this process.
    Failed(Arc<str>),
}

/// Waits for a store's failure.
#[derive(Debug, Clone)]
pub struct FatalWatch(watch::Receiver<Option<Arc<str>>>);

impl FatalWatch {
    /// A watch over this cell: `Some` is the reason of the failure.
    pub fn new(cell: watch::Receiver<Option<Arc<str>>>) -> Self {
        Self(cell)
    }

    /// Returns when the store has failed, with the reason; never for a store that ends without failing.
    pub async fn failed(&mut self) -> Arc<str> {
        match self.0.wait_for(Option::is_some).await.map(|reason| reason.clone()) {
            Ok(Some(reason)) => reason,
            _ => std::future::pending().await,
        }
    }
}
