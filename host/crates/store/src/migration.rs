//! A migration: a new version of an integration, with all that is written in the same transaction; and
//! [`MigrationStore`].

use async_trait::async_trait;

use crate::account::{AccountWrite, PutAccount};
use crate::audit::AuditEvent;
use crate::error::StoreResult;
use crate::idempotency::IdempotencyRecord;
use crate::integration::IntegrationRecord;
use crate::keys::IdempotencyKey;
use crate::row::RowSettlement;
use crate::values::Expect;

/// A new version of an integration, and all that is written with it.
#[derive(Debug, Clone)]
pub struct MigrationWrite {
    /// The integration as it is to be. Its version is 1 where none is expected, else one more than the expected one.
    pub record: IntegrationRecord,
    /// What must be stored for the write to succeed.
    pub expect: Expect,
    /// The audit event, written in the same transaction.
    pub audit: AuditEvent,
    /// The response that a repeated request gets.
    pub idempotency: Option<IdempotencyRecord>,
    /// The settlement of the import's row that this migration is.
    pub row: Option<RowSettlement>,
}

/// The transactions that store a credential.
///
/// A migration is one transaction: the integration, its audit event, the response for a repeated request, the settlement of
/// an import's row and the deliveries to webhooks are all durable, or none of them is written. Writers of one integration are
/// serialised by its version: of two that expect the same version, one gets `Conflict`.
#[async_trait]
pub trait MigrationStore: Send + Sync + 'static {
    /// Writes a version of an integration. Queues `Connection Created` if the integration is new.
    ///
    /// # Errors
    /// The first that applies: `RowSettled` if the row was settled before; `IdempotencyReplay` or `IdempotencyMismatch` if the
    /// idempotency key is taken; `AccountMissing`; `StaleRoot` if the envelope is sealed under a root that is out of use;
    /// `Conflict` if another version is stored than is expected.
    async fn commit_migration(&self, write: MigrationWrite) -> StoreResult<()>;

    /// Creates or updates a linked account together with one of its integrations.
    ///
    /// # Errors
    /// As [`put_account`](crate::AccountStore::put_account) and [`commit_migration`](Self::commit_migration). Neither the
    /// account nor the integration is written then.
    async fn put_account_with(&self, write: AccountWrite, integration: MigrationWrite) -> StoreResult<PutAccount>;

    /// The durable response that is stored for an idempotency key. `None` if none is stored, or it has expired.
    async fn idempotency(&self, key: &IdempotencyKey) -> StoreResult<Option<IdempotencyRecord>>;
}
