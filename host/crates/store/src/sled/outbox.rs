//! Deliveries that wait for webhooks: added by the transaction of the change, removed once they are delivered or given
//! up.

use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::codec::decode;
use super::engine::SledStore;
use super::keys;
use super::tables::{Table, Tables, read_error};
use super::view::View;
use crate::{
    ConnectionEvent, Delivery, DeliveryLog, DeliveryStore, FailedDelivery, IntegrationKey, ObjectId, Settled,
    StoreError, StoreResult, Timestamp, WebhookKey, WebhookNotifier, WebhookRecord,
};
use keyferry_types::ids::Slug;

/// Key of the counter that gives the next delivery its place.
const NEXT_PLACE: &[u8] = b"outbox_places";
/// How long a delivery that was given up stays in a webhook's log.
const FAILURES_KEPT: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// Maximum number of such deliveries in one webhook's log.
const MOST_FAILURES: usize = 100;
/// Waiting deliveries of one webhook are counted up to this number.
const MOST_COUNTED: usize = 1000;

#[async_trait]
impl DeliveryStore for SledStore {
    async fn outbox(&self, key: &WebhookKey, limit: usize) -> StoreResult<Vec<Delivery>> {
        let key = key.clone();
        let waiting = self.scan(move |tables| waiting(tables, &key, limit)).await?;
        self.until_durable().await?;
        Ok(waiting)
    }

    async fn awaited_webhooks(&self) -> StoreResult<Vec<WebhookKey>> {
        self.scan(awaited).await
    }

    async fn settle(&self, attempts: Vec<(Delivery, Settled)>) -> StoreResult<()> {
        let weight = 1024 * attempts.len();
        self.write(weight, move |view| settle(view, attempts)).await
    }

    async fn delivery_log(&self, key: &WebhookKey) -> StoreResult<DeliveryLog> {
        let key = key.clone();
        self.scan(move |tables| log(tables, &key, Timestamp::now())).await
    }

    fn webhook_notifier(&self) -> Arc<WebhookNotifier> {
        Arc::clone(self.notifier())
    }
}

/// Puts an event in for each webhook that wants it. Credentials of the organisation's own app are no connection.
pub(super) fn put(view: &mut View<'_>, of: &IntegrationKey, event: ConnectionEvent, at: Timestamp) -> StoreResult<()> {
    if of.slug == Slug::custom() {
        return Ok(());
    }
    let account = &of.account;
    for (_, bytes) in view.scan(Table::Webhooks, &keys::environment(&account.org, account.environment))? {
        let webhook: WebhookRecord = decode(Table::Webhooks, &bytes)?;
        if !webhook.wants(event, &of.slug) {
            continue;
        }
        let place = next_place(view)?;
        let delivery = Delivery {
            webhook: webhook.key,
            place,
            id: ObjectId::generate(),
            event,
            account: account.account.clone(),
            slug: of.slug.clone(),
            at,
            attempts: 0,
            due: at,
        };
        view.put(Table::Outbox, keys::delivery(&delivery.webhook, place), &delivery)?;
        view.notify(delivery.webhook);
    }
    Ok(())
}

fn next_place(view: &mut View<'_>) -> StoreResult<u64> {
    let damaged = || StoreError::Damaged { table: Table::Meta.name(), reason: "it is no count".to_owned() };
    let last = match view.raw(Table::Meta, NEXT_PLACE)? {
        Some(bytes) => u64::from_be_bytes(bytes.as_ref().try_into().map_err(|_| damaged())?),
        None => 0,
    };
    let place = last.saturating_add(1);
    view.put_raw(Table::Meta, NEXT_PLACE.to_vec(), place.to_be_bytes().to_vec())?;
    Ok(place)
}

/// Implements [`DeliveryStore::settle`].
fn settle(view: &mut View<'_>, attempts: Vec<(Delivery, Settled)>) -> StoreResult<()> {
    for (delivery, settled) in attempts {
        let row = keys::delivery(&delivery.webhook, delivery.place);
        if !view.has(Table::Outbox, &row)? {
            continue;
        }
        let is_there = view.has(Table::Webhooks, &keys::webhook(&delivery.webhook))?;
        match settled {
            Settled::Again(due) if is_there => view.put(Table::Outbox, row, &Delivery { due, ..delivery })?,
            Settled::GivenUp { reason, at } if is_there => {
                view.remove(Table::Outbox, row);
                keep_failure(view, delivery, reason, at)?;
            }
            // Delivered, or its webhook is disabled or deleted.
            _ => view.remove(Table::Outbox, row),
        }
    }
    Ok(())
}

fn keep_failure(view: &mut View<'_>, delivery: Delivery, reason: String, at: Timestamp) -> StoreResult<()> {
    let kept = view.scan(Table::Undelivered, &keys::webhook(&delivery.webhook))?;
    // The oldest have the lowest places.
    for (row, bytes) in kept.iter().take((kept.len() + 1).saturating_sub(MOST_FAILURES)) {
        remove_failure(view, row, decode(Table::Undelivered, bytes)?);
    }
    let row = keys::delivery(&delivery.webhook, delivery.place);
    let expires_at = at.after(FAILURES_KEPT);
    view.put_raw(Table::UndeliveredEnds, keys::end(expires_at, &row), Vec::new())?;
    view.put(Table::Undelivered, row, &FailedDelivery { delivery, reason, at, expires_at })
}

fn remove_failure(view: &mut View<'_>, row: &[u8], failure: FailedDelivery) {
    view.remove(Table::UndeliveredEnds, keys::end(failure.expires_at, row));
    view.remove(Table::Undelivered, row.to_vec());
}

/// Removes a webhook's deliveries that were given up.
pub(super) fn forget_failures(view: &mut View<'_>, key: &WebhookKey) -> StoreResult<()> {
    for (row, bytes) in view.scan(Table::Undelivered, &keys::webhook(key))? {
        remove_failure(view, &row, decode(Table::Undelivered, &bytes)?);
    }
    Ok(())
}

/// Implements [`DeliveryStore::outbox`].
fn waiting(tables: &Tables, key: &WebhookKey, limit: usize) -> StoreResult<Vec<Delivery>> {
    let rows = tables.tree(Table::Outbox)?.scan_prefix(keys::webhook(key)).values().take(limit);
    rows.map(|row| decode(Table::Outbox, &row.map_err(read_error)?)).collect()
}

/// Implements [`DeliveryStore::awaited_webhooks`].
fn awaited(tables: &Tables) -> StoreResult<Vec<WebhookKey>> {
    let tree = tables.tree(Table::Outbox)?;
    let mut found = Vec::new();
    let mut from = Bound::Unbounded;
    // From each to the next one, over all that waits for it.
    while let Some(row) = tree.range((from, Bound::Unbounded)).values().next() {
        let delivery: Delivery = decode(Table::Outbox, &row.map_err(read_error)?)?;
        from = Bound::Excluded(keys::delivery(&delivery.webhook, u64::MAX));
        found.push(delivery.webhook);
    }
    Ok(found)
}

/// Implements [`DeliveryStore::delivery_log`].
pub(super) fn log(tables: &Tables, key: &WebhookKey, now: Timestamp) -> StoreResult<DeliveryLog> {
    let prefix = keys::webhook(key);
    let waiting = tables.tree(Table::Outbox)?.scan_prefix(&prefix).keys().take(MOST_COUNTED).count();
    let rows = tables.tree(Table::Undelivered)?.scan_prefix(&prefix).values().rev();
    let failed = rows.map(|row| decode(Table::Undelivered, &row.map_err(read_error)?));
    let failed = failed.collect::<StoreResult<Vec<FailedDelivery>>>()?;
    Ok(DeliveryLog { waiting, failed: failed.into_iter().filter(|failure| now < failure.expires_at).collect() })
}
