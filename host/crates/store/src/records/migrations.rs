//! Migrations: a version of an integration, and the response for a repeated request.

use async_trait::async_trait;
use bytes::Bytes;
use serde::Deserialize;

use super::codec::encode;
use super::engine::Engine;
use super::hints::Hints;
use super::table::Table;
use super::view::View;
use super::{accounts, audit_chain, keys, ledger, outbox, roots};
use crate::{
    AccountWrite, ConnectionEvent, Expect, IdempotencyKey, IdempotencyRecord, IntegrationKey, MigrationStore,
    MigrationWrite, PutAccount, StoreError, StoreResult, Timestamp,
};

#[async_trait]
impl<E: Engine> MigrationStore for E {
    async fn commit_migration(&self, write: MigrationWrite) -> StoreResult<()> {
        let migration = Migration::new(write)?;
        let weight = migration.weight();
        let hints = self.hints(|hints| migration.hint(hints));
        self.write(weight, hints, move |view| commit(view, &migration, Timestamp::now())).await
    }

    async fn put_account_with(&self, write: AccountWrite, integration: MigrationWrite) -> StoreResult<PutAccount> {
        let integration = Migration::new(integration)?;
        let weight = accounts::weight(&write)? + integration.weight();
        let hints = self.hints(|hints| integration.hint(hints));
        self.write(weight, hints, move |view| {
            let put = accounts::put(view, &write)?;
            commit(view, &integration, Timestamp::now())?;
            Ok(put)
        })
        .await
    }

    async fn idempotency(&self, key: &IdempotencyKey) -> StoreResult<Option<IdempotencyRecord>> {
        let kept: Option<IdempotencyRecord> = self.record(Table::Idempotency, &keys::idempotency(key)).await?;
        Ok(kept.filter(|kept| Timestamp::now() < kept.expires_at))
    }
}

/// A migration whose records are encoded already: that is done before it is queued, by the thread of the caller.
struct Migration {
    write: MigrationWrite,
    key: IntegrationKey,
    integration: Bytes,
    response: Option<Bytes>,
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
        let integration = encode(Table::Integrations, &write.record)?.into();
        let response = write.idempotency.as_ref().map(|response| encode(Table::Idempotency, response)).transpose()?;
        let row = write.row.take().map(ledger::Settlement::new).transpose()?;
        Ok(Self { write, key, integration, response: response.map(Into::into), row })
    }

    /// What [`commit`] reads.
    fn hint(&self, hints: &mut Hints) {
        let account = &self.key.account;
        if let Some(row) = &self.row {
            row.hint(hints);
        }
        if let Some(response) = &self.write.idempotency {
            hints.row(Table::Idempotency, keys::idempotency(&response.key));
        }
        hints.row(Table::Integrations, keys::integration(&self.key));
        accounts::hint(hints, account);
        roots::hint(hints, &account.org, self.write.record.key_id);
        if self.write.expect == Expect::Absent {
            outbox::hint(hints, &self.key);
        }
    }

    fn weight(&self) -> usize {
        let row = self.row.as_ref().map_or(0, ledger::Settlement::weight);
        self.integration.len() + self.response.as_ref().map_or(0, Bytes::len) + row + 1024
    }
}

/// What a write has to know of the integration that it replaces.
#[derive(Deserialize)]
struct Version {
    version: u64,
}

/// Implements [`MigrationStore::commit_migration`].
fn commit(view: &mut View<'_>, migration: &Migration, now: Timestamp) -> StoreResult<()> {
    let Migration { write, key, integration, response, row: settlement } = migration;
    if let Some(settlement) = settlement {
        ledger::settle(view, settlement)?;
    }
    if let (Some(record), Some(bytes)) = (&write.idempotency, response) {
        store_response(view, record, bytes.clone(), now)?;
    }
    let account = &key.account;
    let row = keys::integration(key);
    let stored: Option<Version> = view.get(Table::Integrations, &row)?;
    // An integration goes with its account: where there is one, the account is there as well.
    if stored.is_none() && !view.has(Table::Accounts, &keys::account(account))? {
        return Err(StoreError::AccountMissing { account: account.account.clone(), environment: account.environment });
    }
    roots::require_in_use(view, &account.org, write.record.key_id)?;
    let current = stored.map(|stored| stored.version);
    let expected = match write.expect {
        Expect::Absent => None,
        Expect::Version(version) => Some(version),
    };
    if current != expected {
        return Err(StoreError::Conflict { current });
    }
    view.put_raw(Table::Integrations, row, integration.clone())?;
    if expected.is_none() {
        outbox::put(view, key, ConnectionEvent::Created, write.audit.at)?;
    }
    audit_chain::append(view, &account.org, &write.audit)
}

fn store_response(view: &mut View<'_>, record: &IdempotencyRecord, bytes: Bytes, now: Timestamp) -> StoreResult<()> {
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
