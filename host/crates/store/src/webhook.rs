//! Webhooks and the events that they receive; and [`WebhookStore`].

use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::audit::AuditEvent;
use crate::error::StoreResult;
use crate::keys::WebhookKey;
use crate::values::{Expect, Timestamp};
use keyferry_types::ids::{Environment, OrgId, Slug};

/// The events that webhooks receive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionEvent {
    /// An app was connected to a linked account that had none of it.
    Created,
    /// An app's credential is gone.
    Deleted,
    /// The provider no longer takes a credential.
    Expired,
}

impl ConnectionEvent {
    /// All events, in the order of their definition.
    pub const ALL: [Self; 3] = [Self::Created, Self::Deleted, Self::Expired];

    /// The serialised name, such as `Connection Created`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "Connection Created",
            Self::Deleted => "Connection Deleted",
            Self::Expired => "Connection Expired",
        }
    }
}

impl fmt::Display for ConnectionEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Text that names no event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the events are Connection Created, Connection Deleted and Connection Expired")]
pub struct UnknownEvent;

impl FromStr for ConnectionEvent {
    type Err = UnknownEvent;
    fn from_str(text: &str) -> Result<Self, UnknownEvent> {
        Self::ALL.into_iter().find(|event| event.as_str() == text).ok_or(UnknownEvent)
    }
}

/// How a webhook is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum WebhookMethod {
    /// HTTP `POST`.
    Post,
    /// HTTP `PUT`.
    Put,
    /// HTTP `PATCH`.
    Patch,
}

/// Whether a webhook receives events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WebhookState {
    /// It receives events.
    Enabled,
    /// It receives none, and waiting deliveries are given up.
    Disabled,
}

/// A webhook as it is stored. Its signing secret and the values of its headers are in the envelope; all else is plain.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct WebhookRecord {
    /// The key under which it is stored.
    pub key: WebhookKey,
    /// URL of the webhook. It was checked when it was stored, and is checked again at each call.
    pub url: String,
    /// The events that it receives.
    pub events: Vec<ConnectionEvent>,
    /// The only app whose events it receives; `None` for all apps.
    #[serde(default)]
    pub slug: Option<Slug>,
    /// HTTP method of the calls.
    pub method: WebhookMethod,
    /// Purpose of the webhook, as the caller described it.
    #[serde(default)]
    pub description: Option<String>,
    /// Whether it receives events.
    pub state: WebhookState,
    /// Names of its headers, in the order of their values in the envelope.
    #[serde(default)]
    pub header_names: Vec<String>,
    /// 1 for the first form, one more for each that replaces it. The envelope is bound to it.
    pub version: u64,
    /// Number of the root that the envelope is sealed under.
    pub key_id: u32,
    /// The sealed signing secret and header values, as an envelope of the vault.
    #[serde(with = "serde_bytes")]
    pub envelope: Vec<u8>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last written.
    pub updated_at: Timestamp,
}

impl WebhookRecord {
    /// Whether it receives this event of this app.
    pub fn wants(&self, event: ConnectionEvent, slug: &Slug) -> bool {
        self.state == WebhookState::Enabled
            && self.events.contains(&event)
            && self.slug.as_ref().is_none_or(|only| only == slug)
    }
}

/// A URL can have a password of its receiver's in its path.
impl fmt::Debug for WebhookRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebhookRecord({} of {}, {})", self.key.id, self.key.org, self.key.environment)
    }
}

/// A version of a webhook to store.
#[derive(Debug, Clone)]
pub struct WebhookWrite {
    /// The webhook as it is to be. Its version is 1 where none is expected, else one more than the expected one.
    pub record: WebhookRecord,
    /// What must be stored for the write to succeed.
    pub expect: Expect,
    /// Maximum number of webhooks in the environment.
    pub most: usize,
    /// The audit event, written in the same transaction.
    pub audit: AuditEvent,
}

/// Transactions on webhooks. All that is read is durable. A change or deletion is reported to the
/// [notifier](crate::DeliveryStore::webhook_notifier) once it is durable.
#[async_trait]
pub trait WebhookStore: Send + Sync + 'static {
    /// Stores a version of a webhook.
    ///
    /// # Errors
    /// `Conflict` if another version is stored than is expected, `TooManyWebhooks`, and `StaleRoot` if it is sealed under a
    /// root that is out of use.
    async fn put_webhook(&self, write: WebhookWrite) -> StoreResult<()>;

    /// The webhook with this key.
    async fn webhook(&self, key: &WebhookKey) -> StoreResult<Option<WebhookRecord>>;

    /// All webhooks of an environment, oldest first.
    async fn webhooks(&self, org: &OrgId, environment: Environment) -> StoreResult<Vec<WebhookRecord>>;

    /// Deletes a webhook and the log of its failed deliveries. Returns the webhooks that remain, oldest first; `None` if it
    /// does not exist. Waiting deliveries stay until they are settled: there may be more of them than fit one transaction.
    async fn delete_webhook(&self, key: &WebhookKey, audit: AuditEvent) -> StoreResult<Option<Vec<WebhookRecord>>>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_read_back_as_they_are_documented() {
        for event in ConnectionEvent::ALL {
            assert_eq!(event.to_string().parse(), Ok(event));
        }
        for text in ["", "connection created", "Workflow Completed", "Connection Updated"] {
            assert_eq!(text.parse::<ConnectionEvent>(), Err(UnknownEvent), "{text}");
        }
    }
}
