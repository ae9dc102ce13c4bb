//! Webhooks on sled: registration, change, deletion.

use super::codec::decode;
use super::tables::{Table, Tables, read_error};
use super::view::View;
use super::{audit, keys, outbox, roots};
use crate::{AuditEvent, Expect, StoreError, StoreResult, WebhookKey, WebhookRecord, WebhookWrite};
use keyferry_types::ids::{Environment, OrgId};

/// Implements [`Store::put_webhook`](crate::Store::put_webhook).
pub(super) fn put(view: &mut View<'_>, write: &WebhookWrite) -> StoreResult<()> {
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
    view.wake(record.key.clone());
    audit::append(view, &record.key.org, event)
}

/// Implements [`Store::delete_webhook`](crate::Store::delete_webhook). The deliveries that wait for it are left to the
/// task that delivers: there can be more of them than fit into one transaction.
pub(super) fn delete(
    view: &mut View<'_>,
    key: &WebhookKey,
    event: &AuditEvent,
) -> StoreResult<Option<Vec<WebhookRecord>>> {
    let row = keys::webhook(key);
    if !view.has(Table::Webhooks, &row)? {
        return Ok(None);
    }
    view.remove(Table::Webhooks, row);
    view.wake(key.clone());
    outbox::forget_failures(view, key)?;
    audit::append(view, &key.org, event)?;
    let rows = view.scan(Table::Webhooks, &keys::environment(&key.org, key.environment))?;
    sorted(rows.iter().map(|(_, bytes)| decode(Table::Webhooks, bytes))).map(Some)
}

/// Implements [`Store::webhooks`](crate::Store::webhooks).
pub(super) fn all(tables: &Tables, org: &OrgId, environment: Environment) -> StoreResult<Vec<WebhookRecord>> {
    let rows = tables.tree(Table::Webhooks)?.scan_prefix(keys::environment(org, environment)).values();
    sorted(rows.map(|row| decode(Table::Webhooks, &row.map_err(read_error)?)))
}

fn sorted(records: impl Iterator<Item = StoreResult<WebhookRecord>>) -> StoreResult<Vec<WebhookRecord>> {
    let mut records = records.collect::<StoreResult<Vec<_>>>()?;
    records.sort_by_key(|record| (record.created_at, record.key.id));
    Ok(records)
}
