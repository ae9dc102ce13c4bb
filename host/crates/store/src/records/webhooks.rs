//! Webhooks: registration, change, deletion.

use async_trait::async_trait;

use super::codec::{decode, encode};
use super::engine::Engine;
use super::hints::Hints;
use super::rows::Range;
use super::table::Table;
use super::view::View;
use super::{audit_chain, keys, outbox, roots};
use crate::{AuditEvent, Expect, StoreError, StoreResult, WebhookKey, WebhookRecord, WebhookStore, WebhookWrite};
use keyferry_types::ids::{Environment, OrgId};

#[async_trait]
impl<E: Engine> WebhookStore for E {
    async fn put_webhook(&self, write: WebhookWrite) -> StoreResult<()> {
        let weight = encode(Table::Webhooks, &write.record)?.len() + 1024;
        self.write(weight, Hints::default(), move |view| put(view, &write)).await
    }

    async fn webhook(&self, key: &WebhookKey) -> StoreResult<Option<WebhookRecord>> {
        self.record(Table::Webhooks, &keys::webhook(key)).await
    }

    async fn webhooks(&self, org: &OrgId, environment: Environment) -> StoreResult<Vec<WebhookRecord>> {
        let prefix = keys::environment(org, environment);
        self.read(move |rows| Ok(sorted(rows.records(Table::Webhooks, Range::of(&prefix))?))).await
    }

    async fn delete_webhook(&self, key: &WebhookKey, audit: AuditEvent) -> StoreResult<Option<Vec<WebhookRecord>>> {
        let key = key.clone();
        self.write(1024, Hints::default(), move |view| delete(view, &key, &audit)).await
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
    let records = rows.iter().map(|(_, bytes)| decode(Table::Webhooks, bytes)).collect::<StoreResult<_>>()?;
    Ok(Some(sorted(records)))
}

/// The oldest first.
fn sorted(mut records: Vec<WebhookRecord>) -> Vec<WebhookRecord> {
    records.sort_by_key(|record| (record.created_at, record.key.id));
    records
}
