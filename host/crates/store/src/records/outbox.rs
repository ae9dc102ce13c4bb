//! Deliveries that wait for webhooks: added by the transaction of the change, removed once they are delivered or given
//! up.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::codec::decode;
use super::engine::Engine;
use super::hints::Hints;
use super::keys;
use super::rows::{ENOUGH, NEXT, Range, Rows};
use super::table::Table;
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
impl<E: Engine> DeliveryStore for E {
    async fn outbox(&self, key: &WebhookKey, limit: usize) -> StoreResult<Vec<Delivery>> {
        let key = key.clone();
        self.scan(move |rows| waiting(rows, &key, limit)).await
    }

    async fn awaited_webhooks(&self) -> StoreResult<Vec<WebhookKey>> {
        self.scan(awaited).await
    }

    async fn settle(&self, attempts: Vec<(Delivery, Settled)>) -> StoreResult<()> {
        let weight = 1024 * attempts.len();
        let hints = self.hints(|hints| {
            for (delivery, _) in &attempts {
                hints.row(Table::Outbox, keys::delivery(&delivery.webhook, delivery.place));
                hints.row(Table::Webhooks, keys::webhook(&delivery.webhook));
            }
        });
        self.write(weight, hints, move |view| settle(view, &attempts)).await
    }

    async fn delivery_log(&self, key: &WebhookKey) -> StoreResult<DeliveryLog> {
        let key = key.clone();
        self.scan(move |rows| log(rows, &key, Timestamp::now())).await
    }

    fn webhook_notifier(&self) -> Arc<WebhookNotifier> {
        Arc::clone(self.notifier())
    }
}

/// What [`put`] reads.
pub(super) fn hint(hints: &mut Hints, of: &IntegrationKey) {
    if of.slug != Slug::custom() {
        hints.prefix(Table::Webhooks, keys::environment(&of.account.org, of.account.environment));
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
    if let Some(place) = view.stored().next_place() {
        return Ok(place);
    }
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
fn settle(view: &mut View<'_>, attempts: &[(Delivery, Settled)]) -> StoreResult<()> {
    for (delivery, settled) in attempts {
        let row = keys::delivery(&delivery.webhook, delivery.place);
        if !view.has(Table::Outbox, &row)? {
            continue;
        }
        let is_there = view.has(Table::Webhooks, &keys::webhook(&delivery.webhook))?;
        match settled {
            Settled::Again(due) if is_there => {
                view.put(Table::Outbox, row, &Delivery { due: *due, ..delivery.clone() })?;
            }
            Settled::GivenUp { reason, at } if is_there => {
                view.remove(Table::Outbox, row);
                keep_failure(view, delivery.clone(), reason.clone(), *at)?;
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
fn waiting(rows: &dyn Rows, key: &WebhookKey, limit: usize) -> StoreResult<Vec<Delivery>> {
    rows.records(Table::Outbox, Range::of(&keys::webhook(key)).most(limit))
}

/// Implements [`DeliveryStore::awaited_webhooks`].
fn awaited(rows: &dyn Rows) -> StoreResult<Vec<WebhookKey>> {
    let mut found = Vec::new();
    let mut after: Option<Vec<u8>> = None;
    // From each to the next one, over all that waits for it.
    loop {
        let next = rows.records::<Delivery>(Table::Outbox, Range::of(&[]).after(after.as_deref()).most(1))?;
        let Some(Delivery { webhook, .. }) = next.into_iter().next() else { return Ok(found) };
        after = Some(keys::delivery(&webhook, u64::MAX));
        found.push(webhook);
    }
}

/// Implements [`DeliveryStore::delivery_log`].
pub(crate) fn log(rows: &dyn Rows, key: &WebhookKey, now: Timestamp) -> StoreResult<DeliveryLog> {
    let prefix = keys::webhook(key);
    rows.together(|| {
        let mut waiting = 0;
        rows.walk(Table::Outbox, Range::of(&prefix).most(MOST_COUNTED), &mut |_, _| {
            waiting += 1;
            if waiting < MOST_COUNTED { NEXT } else { ENOUGH }
        })?;
        let mut failed: Vec<FailedDelivery> = rows.records(Table::Undelivered, Range::of(&prefix).backwards())?;
        failed.retain(|failure| now < failure.expires_at);
        Ok(DeliveryLog { waiting, failed })
    })
}
