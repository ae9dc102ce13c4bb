//! Migrations on sled: a version of an integration, and the response for a repeated request.

use async_trait::async_trait;

use super::codec::encode;
use super::engine::SledStore;
use super::tables::Table;
use super::view::View;
use super::{accounts, audit_chain, keys, ledger, outbox, roots};
use crate::{
    AccountWrite, ConnectionEvent, Expect, IdempotencyKey, IdempotencyRecord, IntegrationKey, IntegrationRecord,
    MigrationStore, MigrationWrite, PutAccount, StoreError, StoreResult, Timestamp,
};

#[async_trait]
impl MigrationStore for SledStore {
    async fn commit_migration(&self, write: MigrationWrite) -> StoreResult<()> {
        let migration = Migration::new(write)?;
        let weight = migration.weight();
        self.write(weight, move |view| commit(view, migration, Timestamp::now())).await
    }

    async fn put_account_with(&self, write: AccountWrite, integration: MigrationWrite) -> StoreResult<PutAccount> {
        let integration = Migration::new(integration)?;
        let weight = accounts::weight(&write)? + integration.weight();
        self.write(weight, move |view| {
            let put = accounts::put(view, write)?;
            commit(view, integration, Timestamp::now())?;
            Ok(put)
        })
        .await
    }

    async fn idempotency(&self, key: &IdempotencyKey) -> StoreResult<Option<IdempotencyRecord>> {
        let kept: Option<IdempotencyRecord> = self.tables().record(Table::Idempotency, &keys::idempotency(key))?;
        let Some(kept) = kept.filter(|kept| Timestamp::now() < kept.expires_at) else { return Ok(None) };
        // It is about to be sent as a response.
        self.until_durable().await?;
        Ok(Some(kept))
    }
}

/// A migration whose records are encoded already: that is done before it is queued, by the thread of the caller.
struct Migration {
    write: MigrationWrite,
    key: IntegrationKey,
    integration: Vec<u8>,
    response: Option<Vec<u8>>,
    row: Option<ledger::Settlement>,
}

impl Migration {
    fn new(mut write: MigrationWrite) -> StoreResult<Self> {
        let version = match write.expect {
            Expect::Absent => Some(1),
            Expect::Version(current) => current.checked_add(1),
        };
        if version != Some(write.record.version) {
            return Err(StoreError::Contradiction("the new version does not follow the expected one"));
        }
        let key = write.record.key();
        if let Some(response) = &write.idempotency
            && (response.key.org != key.account.org || response.key.environment != key.account.environment)
        {
            return Err(StoreError::Contradiction("the idempotency key is another organisation's"));
        }
        let integration = encode(Table::Integrations, &write.record)?;
        let response = write.idempotency.as_ref().map(|response| encode(Table::Idempotency, response)).transpose()?;
        let row = write.row.take().map(ledger::Settlement::new).transpose()?;
        Ok(Self { write, key, integration, response, row })
    }

    fn weight(&self) -> usize {
        let row = self.row.as_ref().map_or(0, ledger::Settlement::weight);
        self.integration.len() + self.response.as_ref().map_or(0, Vec::len) + row + 1024
    }
}

/// Implements [`MigrationStore::commit_migration`].
fn commit(view: &mut View<'_>, migration: Migration, now: Timestamp) -> StoreResult<()> {
    let Migration { write, key, integration, response, row: settlement } = migration;
    if let Some(settlement) = settlement {
        ledger::settle(view, settlement)?;
    }
    if let (Some(record), Some(bytes)) = (&write.idempotency, response) {
        store_response(view, record, bytes, now)?;
    }
    let account = &key.account;
    if !view.has(Table::Accounts, &keys::account(account))? {
        return Err(StoreError::AccountMissing { account: account.account.clone(), environment: account.environment });
    }
    roots::require_in_use(view, &account.org, write.record.key_id)?;
    let row = keys::integration(&key);
    let stored: Option<IntegrationRecord> = view.get(Table::Integrations, &row)?;
    let current = stored.map(|stored| stored.version);
    let expected = match write.expect {
        Expect::Absent => None,
        Expect::Version(version) => Some(version),
    };
    if current != expected {
        return Err(StoreError::Conflict { current });
    }
    view.put_raw(Table::Integrations, row, integration)?;
    if expected.is_none() {
        outbox::put(view, &key, ConnectionEvent::Created, write.audit.at)?;
    }
    audit_chain::append(view, &account.org, &write.audit)
}

fn store_response(view: &mut View<'_>, record: &IdempotencyRecord, bytes: Vec<u8>, now: Timestamp) -> StoreResult<()> {
    let row = keys::idempotency(&record.key);
    if let Some(kept) = view.get::<IdempotencyRecord>(Table::Idempotency, &row)? {
        if now < kept.expires_at {
            return Err(if kept.fingerprint == record.fingerprint {
                StoreError::IdempotencyReplay(Box::new(kept))
            } else {
                StoreError::IdempotencyMismatch
            });
        }
        view.remove(Table::IdempotencyEnds, keys::end(kept.expires_at, &row));
    }
    view.put_raw(Table::IdempotencyEnds, keys::end(record.expires_at, &row), Vec::new())?;
    view.put_raw(Table::Idempotency, row, bytes)
}
