//! The audit trail: the actor, the action and its object of each event, in a hash chain that reveals later changes.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::error::StoreResult;
use crate::keys::{AccountKey, IntegrationKey};
use crate::values::Timestamp;
use keyferry_types::ids::{Environment, LinkedAccountId, OrgId, Slug};

/// Something that was done. It never holds a value of a credential.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AuditEvent {
    /// The action that was performed.
    pub action: AuditAction,
    /// The actor: an API key's first characters, or a name such as `cli`.
    pub actor: String,
    /// Environment of the action; none where it concerns both.
    #[serde(default)]
    pub environment: Option<Environment>,
    /// Linked account of the action; none where it concerns no single one.
    #[serde(default)]
    pub account: Option<LinkedAccountId>,
    /// App of the integration or webhook; none where the action concerns all of them.
    #[serde(default)]
    pub slug: Option<Slug>,
    /// Outcome in a word or two: `verified`, `unverified`.
    pub outcome: String,
    /// The request that asked for it.
    #[serde(default)]
    pub request_id: Option<String>,
    /// Time of the event.
    pub at: Timestamp,
}

impl AuditEvent {
    /// An event of this moment, of no environment, linked account or request.
    pub fn new(action: AuditAction, actor: impl Into<String>, outcome: impl Into<String>) -> Self {
        Self {
            action,
            actor: actor.into(),
            environment: None,
            account: None,
            slug: None,
            outcome: outcome.into(),
            request_id: None,
            at: Timestamp::now(),
        }
    }

    /// What the operator of the server did, by a command or the admin API.
    pub fn by_operator(action: AuditAction, outcome: impl Into<String>) -> Self {
        Self::new(action, "operator", outcome)
    }

    /// The event of an environment.
    #[must_use]
    pub fn in_environment(self, environment: Environment) -> Self {
        Self { environment: Some(environment), ..self }
    }

    /// The event of a linked account, and of its environment.
    #[must_use]
    pub fn on_account(self, key: &AccountKey) -> Self {
        Self { environment: Some(key.environment), account: Some(key.account.clone()), ..self }
    }

    /// The event of an integration, its account and its environment.
    #[must_use]
    pub fn on_integration(self, key: &IntegrationKey) -> Self {
        Self { slug: Some(key.slug.clone()), ..self.on_account(&key.account) }
    }

    /// The event of a request.
    #[must_use]
    pub fn for_request(self, id: &str) -> Self {
        Self { request_id: Some(id.to_owned()), ..self }
    }

    /// The event at another moment.
    #[must_use]
    pub fn at(self, at: Timestamp) -> Self {
        Self { at, ..self }
    }
}

/// The actions that the audit trail records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuditAction {
    /// An API key was made.
    ApiKeyCreated,
    /// An API key was revoked.
    ApiKeyRevoked,
    /// A linked account was created or updated.
    AccountPut,
    /// A linked account was deleted, with its integrations.
    AccountDeleted,
    /// A credential was stored, for the first time or in place of another.
    CredentialMigrated,
    /// A stored credential was read in plain.
    CredentialRead,
    /// A stored credential was opened for its app's plugin, to verify it again. No person and no caller has read it.
    CredentialUsed,
    /// It was found out how a stored credential fares at its provider.
    CredentialChecked,
    /// A stored credential's tokens were renewed, or why not.
    CredentialRenewed,
    /// An integration was deleted.
    IntegrationDeleted,
    /// A webhook was registered.
    WebhookCreated,
    /// A webhook was changed.
    WebhookUpdated,
    /// A webhook was deleted, with the deliveries that waited for it.
    WebhookDeleted,
    /// An OAuth client was stored, for the first time or in place of another.
    #[serde(rename = "oauth_client_put")]
    OAuthClientPut,
    /// An OAuth client was deleted.
    #[serde(rename = "oauth_client_deleted")]
    OAuthClientDeleted,
    /// A provider refused an OAuth client that it accepted before, or accepts it again.
    #[serde(rename = "oauth_client_refused")]
    OAuthClientRefused,
    /// Credentials of the organisation's own app were stored, or some of them replaced.
    AuthCredentialsPut,
    /// A credential of the organisation's own app was deleted.
    AuthCredentialDeleted,
    /// A session was made, or its tokens handed out again.
    SessionOpened,
    /// A session was ended before its time.
    SessionRevoked,
    /// All of an import's file is here, and work on its rows has begun.
    ImportStarted,
    /// An import was paused, resumed, cancelled, tried again, undone or confirmed.
    ImportChanged,
    /// An import and its ledger were deleted. What it stored stays.
    ImportDeleted,
    /// A credential that an import had replaced was put back.
    CredentialRestored,
    /// A root was made; what is sealed from then on is sealed under it.
    KeyRotated,
    /// A credential, or what is secret of a webhook or an OAuth client, was sealed under a newer root. Its value is as it was.
    CredentialResealed,
    /// A root is stored under other key-encryption keys. It is the same root.
    KeyRewrapped,
    /// A root was taken out of use.
    KeyDisabled,
    /// A root was removed for good: credentials that were sealed under it cannot be opened any more.
    KeyDestroyed,
}

/// An event in its organisation's chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Its place, from 1.
    pub seq: u64,
    /// Hash of the entry before it; of the organisation's name for the first one.
    pub prev_hash: [u8; 32],
    /// SHA-256 of organisation, place, `prev_hash` and event.
    pub hash: [u8; 32],
    /// The event that the entry records.
    pub event: AuditEvent,
}

/// A chain that was walked from end to end and holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditSummary {
    /// Organisation of the chain.
    pub org: OrgId,
    /// Number of entries in the chain.
    pub entries: u64,
    /// Hash of the last entry. A copy of it that is kept elsewhere shows later whether the chain was rewritten.
    pub head: [u8; 32],
    /// Time of the last one.
    pub newest: Option<Timestamp>,
}

/// Reads the audit trail. Entries are written by the transactions that they record, each organisation's in the order in which
/// these were committed, and never changed or removed.
#[async_trait]
pub trait AuditStore: Send + Sync + 'static {
    /// The newest entries of an organisation's audit chain, newest first.
    async fn audit_tail(&self, org: &OrgId, limit: usize) -> StoreResult<Vec<AuditEntry>>;

    /// At most `limit` entries of an organisation's audit chain that follow entry `after`, in their order. All of them are
    /// durable, so that a reader that continues after the last one misses none.
    async fn audit_after(&self, org: &OrgId, after: u64, limit: usize) -> StoreResult<Vec<AuditEntry>>;

    /// Walks an organisation's audit chain from end to end.
    ///
    /// # Errors
    /// `AuditBroken` names the first entry that is wrong.
    async fn verify_audit(&self, org: &OrgId) -> StoreResult<AuditSummary>;
}
