//! Response bodies of webhooks.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use keyferry_store::{ConnectionEvent, DeliveryLog, FailedDelivery, WebhookMethod, WebhookRecord, WebhookState};
use keyferry_types::ids::Environment;
use keyferry_types::secret::SharedSecret;
use keyferry_webhooks::Registered;

/// A webhook: a receiver of connection events. Values of its headers are shown as `***`.
#[derive(Serialize, ToSchema)]
pub(crate) struct Webhook {
    /// The webhook's id.
    #[serde(rename = "_id")]
    #[schema(pattern = "^[0-9a-f]{24}$")]
    id: String,
    /// The organisation whose API key it was made with.
    associated_org: String,
    /// The environment of the API key that it was made with.
    environment: Environment,
    /// The webhook's URL.
    webhook_url: String,
    /// The events that are sent to the webhook.
    webhook_events: Vec<WebhookEvent>,
    /// Additional headers of each delivery: each value is `***`.
    webhook_headers: BTreeMap<String, Masked>,
    /// A description for people.
    #[schema(required = true)]
    webhook_description: Option<String>,
    /// The HTTP method of a delivery.
    method: WebhookMethod,
    /// The only app whose events are sent; `null` for all apps.
    #[schema(required = true)]
    slug: Option<String>,
    /// The type of webhook: always `default`.
    webhook_type: WebhookType,
    /// Whether events are sent.
    is_enabled: bool,
    /// The time of creation.
    #[serde(rename = "createdAt")]
    #[schema(format = DateTime)]
    created_at: String,
    /// The time of the last write.
    #[serde(rename = "updatedAt")]
    #[schema(format = DateTime)]
    updated_at: String,
    /// Always 0; the documented product has it.
    #[serde(rename = "__v")]
    v: u8,
}

/// The events of webhooks.
#[derive(Serialize, ToSchema)]
pub(crate) enum WebhookEvent {
    /// An app was connected to a linked account that had none of it.
    #[serde(rename = "Connection Created")]
    Created,
    /// An app's credential was deleted.
    #[serde(rename = "Connection Deleted")]
    Deleted,
    /// The provider no longer takes a credential.
    #[serde(rename = "Connection Expired")]
    Expired,
}

/// The one type of webhooks that there is.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum WebhookType {
    Default,
}

/// Replaces a secret in a response.
#[derive(Serialize, ToSchema)]
pub(crate) enum Masked {
    #[serde(rename = "***")]
    Masked,
}

/// A webhook that was just registered.
#[derive(Serialize, ToSchema)]
pub(crate) struct WebhookCreated {
    /// The webhook's members.
    #[serde(flatten)]
    webhook: Webhook,
    /// The secret that signs deliveries. It is shown only once; absent if the request set one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false, example = "whsec_QqUJo-fyaZ-PlMSbej8GG0x-_JExUp3cTQyndZerE_I")]
    signing_secret: Option<Exposed>,
}

/// A secret that is shown to its owner.
pub(crate) struct Exposed(SharedSecret);

impl Serialize for Exposed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.expose())
    }
}

/// A webhook with the state of its deliveries.
#[derive(Serialize, ToSchema)]
pub(crate) struct WebhookShown {
    /// The webhook's members.
    #[serde(flatten)]
    webhook: Webhook,
    /// The state of its deliveries.
    deliveries: Deliveries,
}

/// The state of a webhook's deliveries.
#[derive(Serialize, ToSchema)]
struct Deliveries {
    /// The number of waiting deliveries, counted up to 1000.
    #[schema(maximum = 1000)]
    waiting: usize,
    /// The failed deliveries of a week, newest first, at most 100.
    failed: Vec<DeliveryFailed>,
}

/// A delivery that was given up.
#[derive(Serialize, ToSchema)]
struct DeliveryFailed {
    /// The `Idempotency-Key` that it was sent with.
    #[schema(pattern = "^[0-9a-f]{24}$")]
    id: String,
    /// The event.
    event: WebhookEvent,
    /// The linked account's id.
    linked_account_id: String,
    /// The slug of the app.
    slug: String,
    /// The number of attempts.
    attempts: u32,
    /// The reason for giving up, for people.
    reason: String,
    /// The time of the event.
    #[serde(rename = "createdAt")]
    #[schema(format = DateTime)]
    created_at: String,
    /// The time of the last attempt.
    #[serde(rename = "failedAt")]
    #[schema(format = DateTime)]
    failed_at: String,
}

impl WebhookEvent {
    fn from_event(event: ConnectionEvent) -> Self {
        match event {
            ConnectionEvent::Created => Self::Created,
            ConnectionEvent::Deleted => Self::Deleted,
            ConnectionEvent::Expired => Self::Expired,
        }
    }
}

impl Webhook {
    /// A webhook as it is stored.
    pub(crate) fn new(record: &WebhookRecord) -> Self {
        Self {
            id: record.key.id.to_string(),
            associated_org: record.key.org.to_string(),
            environment: record.key.environment,
            webhook_url: record.url.clone(),
            webhook_events: record.events.iter().copied().map(WebhookEvent::from_event).collect(),
            webhook_headers: record.header_names.iter().map(|name| (name.clone(), Masked::Masked)).collect(),
            webhook_description: record.description.clone(),
            method: record.method,
            slug: record.slug.as_ref().map(ToString::to_string),
            webhook_type: WebhookType::Default,
            is_enabled: record.state == WebhookState::Enabled,
            created_at: record.created_at.to_string(),
            updated_at: record.updated_at.to_string(),
            v: 0,
        }
    }
}

impl WebhookCreated {
    /// A webhook that was just registered.
    pub(crate) fn new(registered: Registered) -> Self {
        Self { webhook: Webhook::new(&registered.record), signing_secret: registered.signing_secret.map(Exposed) }
    }
}

impl WebhookShown {
    /// Builds the response from a webhook and its deliveries.
    pub(crate) fn new(record: &WebhookRecord, log: &DeliveryLog) -> Self {
        let failed = log.failed.iter().map(DeliveryFailed::new).collect();
        Self { webhook: Webhook::new(record), deliveries: Deliveries { waiting: log.waiting, failed } }
    }
}

impl DeliveryFailed {
    fn new(failed: &FailedDelivery) -> Self {
        let delivery = &failed.delivery;
        Self {
            id: delivery.id.to_string(),
            event: WebhookEvent::from_event(delivery.event),
            linked_account_id: delivery.account.to_string(),
            slug: delivery.slug.to_string(),
            attempts: delivery.attempts,
            reason: failed.reason.clone(),
            created_at: delivery.at.to_string(),
            failed_at: failed.at.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyferry_types::echo::MASK;

    #[test]
    fn the_words_of_a_response_are_those_of_the_store() {
        for event in ConnectionEvent::ALL {
            assert_eq!(serde_json::to_value(WebhookEvent::from_event(event)).unwrap(), event.as_str());
        }
        assert_eq!(serde_json::to_value(Masked::Masked).unwrap(), MASK);
    }
}
