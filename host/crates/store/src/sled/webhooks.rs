//! Webhooks on sled: registration, change, deletion.

use async_trait::async_trait;

use super::codec::{decode, encode};
use super::engine::SledStore;
use super::tables::{Table, Tables, read_error};
use super::view::View;
use super::{audit_chain, keys, outbox, roots};
use crate::{AuditEvent, Expect, StoreError, StoreResult, WebhookKey, WebhookRecord, WebhookStore, WebhookWrite};
use keyferry_types::ids::{Environment, OrgId};

#[async_trait]
impl WebhookStore for SledStore {
    async fn put_webhook(&self, write: WebhookWrite) -> StoreResult<()> {
        let weight = encode(Table::Webhooks, &write.record)?.len() + 1024;
        self.write(weight, move |view| put(view, &write)).await
    }

    async fn webhook(&self, key: &WebhookKey) -> StoreResult<Option<WebhookRecord>> {
        let found = self.tables().record(Table::Webhooks, &keys::webhook(key))?;
        self.until_durable().await?;
        Ok(found)
    }

    async fn webhooks(&self, org: &OrgId, environment: Environment) -> StoreResult<Vec<WebhookRecord>> {
        let found = all(self.tables(), org, environment)?;
        self.until_durable().await?;
        Ok(found)
    }

    async fn delete_webhook(&self, key: &WebhookKey, audit: AuditEvent) -> StoreResult<Option<Vec<WebhookRecord>>> {
        let key = key.clone();
        self.write(1024, move |view| delete(view, &key, &audit)).await
    }
}

/// Implements [`WebhookStore::put_webhook`].
fn put(view: &mut View<'_>, write: &WebhookWrite) -> StoreResult<()> {
    let WebhookWrite { record, expect, most, audit: event } = write;
    let row = keys::webhook(&record.key);
    let current = view.get::<WebhookRecord>(Table::Webhooks, &row)?.map(|stored| stored.version);
    let expected = match expect {
        Expect::Absent => None,
        Expect::Version(version) => Some(*version),
    };
    if current != expected {
        return Err(StoreError::Conflict { current });
    }
    let all = keys::environment(&record.key.org, record.key.environment);
    if current.is_none() && view.scan(Table::Webhooks, &all)?.len() >= *most {
        return Err(StoreError::TooManyWebhooks { most: *most });
    }
    roots::require_in_use(view, &record.key.org, record.key_id)?;
    view.put(Table::Webhooks, row, record)?;
    view.notify(record.key.clone());
    audit_chain::append(view, &record.key.org, event)
}

/// Implements [`WebhookStore::delete_webhook`]. The deliveries that wait for it are left to the
/// task that delivers: there can be more of them than fit into one transaction.
fn delete(view: &mut View<'_>, key: &WebhookKey, event: &AuditEvent) -> StoreResult<Option<Vec<WebhookRecord>>> {
    let row = keys::webhook(key);
    if !view.has(Table::Webhooks, &row)? {
        return Ok(None);
    }
    view.remove(Table::Webhooks, row);
    view.notify(key.clone());
    outbox::forget_failures(view, key)?;
    audit_chain::append(view, &key.org, event)?;
    let rows = view.scan(Table::Webhooks, &keys::environment(&key.org, key.environment))?;
    sorted(rows.iter().map(|(_, bytes)| decode(Table::Webhooks, bytes))).map(Some)
}

/// Implements [`WebhookStore::webhooks`].
fn all(tables: &Tables, org: &OrgId, environment: Environment) -> StoreResult<Vec<WebhookRecord>> {
    let rows = tables.tree(Table::Webhooks)?.scan_prefix(keys::environment(org, environment)).values();
    sorted(rows.map(|row| decode(Table::Webhooks, &row.map_err(read_error)?)))
}

fn sorted(records: impl Iterator<Item = StoreResult<WebhookRecord>>) -> StoreResult<Vec<WebhookRecord>> {
    let mut records = records.collect::<StoreResult<Vec<_>>>()?;
    records.sort_by_key(|record| (record.created_at, record.key.id));
    Ok(records)
}
