//! Deliveries of events to webhooks: those that wait, those that failed; and [`DeliveryStore`].

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::error::StoreResult;
use crate::keys::WebhookKey;
use crate::values::{ObjectId, Timestamp};
use crate::webhook::ConnectionEvent;
use crate::webhook_notifier::WebhookNotifier;
use keyferry_types::ids::{LinkedAccountId, Slug};

/// One event that waits for delivery to one webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Key of the webhook that receives it.
    pub webhook: WebhookKey,
    /// Its place: later events have higher ones.
    pub place: u64,
    /// Its own id, the same in each attempt.
    pub id: ObjectId,
    /// The event that is delivered.
    pub event: ConnectionEvent,
    /// Linked account of the connection.
    pub account: LinkedAccountId,
    /// App of the connection.
    pub slug: Slug,
    /// Time of the event.
    pub at: Timestamp,
    /// Number of attempts so far.
    pub attempts: u32,
    /// When it is to be tried next.
    pub due: Timestamp,
}

/// Result of an attempt to deliver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// The receiver responded with 200.
    Delivered,
    /// The attempt failed; the next one is due at that time.
    Again(Timestamp),
    /// The attempt failed, and there is no further one.
    GivenUp {
        /// Why it was given up, as a sentence for people.
        reason: String,
        /// Time at which it was given up.
        at: Timestamp,
    },
}

/// An event whose delivery was given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedDelivery {
    /// The delivery that was given up.
    pub delivery: Delivery,
    /// Why it was given up, as a sentence for people.
    pub reason: String,
    /// Time at which it was given up.
    pub at: Timestamp,
    /// When the entry is removed from the log.
    pub expires_at: Timestamp,
}

/// The deliveries of a webhook that wait, and those that were given up.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeliveryLog {
    /// Number of deliveries that wait. Not counted beyond 1,000.
    pub waiting: usize,
    /// Deliveries that were given up, the newest first.
    pub failed: Vec<FailedDelivery>,
}

/// The outbox: deliveries are queued by the transaction that causes their event, and removed when they are settled.
///
/// A delivery that was attempted and not settled before a crash is returned again, so that receivers get each event at least
/// once. Deliveries of one webhook are in the order in which the transactions of their events were committed.
#[async_trait]
pub trait DeliveryStore: Send + Sync + 'static {
    /// At most `limit` deliveries that wait for a webhook, oldest event first. All of them are durable.
    async fn outbox(&self, key: &WebhookKey, limit: usize) -> StoreResult<Vec<Delivery>>;

    /// The keys of all webhooks with waiting deliveries. A webhook may have been deleted since.
    async fn awaited_webhooks(&self) -> StoreResult<Vec<WebhookKey>>;

    /// Writes the results of attempts, with their numbers. Deliveries that no longer wait are ignored, and those of deleted
    /// webhooks are removed.
    async fn settle(&self, attempts: Vec<(Delivery, Settled)>) -> StoreResult<()>;

    /// The deliveries of a webhook that wait, and those that were given up.
    async fn delivery_log(&self, key: &WebhookKey) -> StoreResult<DeliveryLog>;

    /// Reports webhooks with new deliveries once these are durable, and webhooks that were changed or deleted.
    fn webhook_notifier(&self) -> Arc<WebhookNotifier>;
}
