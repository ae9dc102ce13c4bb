//! Renewals of the tokens of a stored credential, and [`RenewalStore`].
//!
//! A refresh token that ends when it is used must not be used twice, and what came in its place must not be lost. So a renewal is
//! written before the provider is asked ([`begin_renewal`](RenewalStore::begin_renewal)) and with its result afterwards. A renewal
//! whose result is missing was interrupted, and it is not known whether the token was spent.

use std::collections::BTreeMap;

use async_trait::async_trait;

use crate::audit::AuditEvent;
use crate::error::StoreResult;
use crate::integration::{IntegrationRecord, Reauth};
use crate::keys::IntegrationKey;
use crate::renewal_state::{RenewalIntent, RenewalState};
use crate::values::{ObjectId, Timestamp};
use keyferry_types::ids::FieldName;

/// A renewal to begin.
#[derive(Debug, Clone)]
pub struct BeginRenewal {
    /// The integration.
    pub key: IntegrationKey,
    /// Its id and version when its credential was read.
    pub id: ObjectId,
    /// The version.
    pub version: u64,
    /// The pair, by the field of its access token.
    pub pair: FieldName,
    /// What is recorded of this renewal.
    pub intent: RenewalIntent,
    /// The interrupted renewal that this one follows, if its token can be used again.
    pub after: Option<RenewalIntent>,
}

/// Result of [`RenewalStore::begin_renewal`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// The renewal is recorded, and no other host begins one of this integration until it has ended.
    Ours,
    /// Another host renews this integration.
    Theirs,
    /// The integration has changed since it was read. Nothing is written.
    Overtaken,
    /// A renewal of this pair was interrupted. Nothing is written.
    Interrupted(RenewalIntent),
}

/// A renewal that succeeded.
#[derive(Debug, Clone)]
pub struct RenewalWrite {
    /// The integration.
    pub key: IntegrationKey,
    /// Its id.
    pub id: ObjectId,
    /// The version that was renewed. The renewed credential is sealed as the next one.
    pub version: u64,
    /// The pair, by the field of its access token.
    pub pair: FieldName,
    /// What is known of the pair now.
    pub state: RenewalState,
    /// The renewed credential, sealed.
    pub envelope: Vec<u8>,
    /// Number of the root that it is sealed under.
    pub key_id: u32,
    /// When the credential ends.
    pub expires_at: Option<Timestamp>,
    /// The scopes, if the provider named them.
    pub scopes: Option<Vec<String>>,
    /// Plain values that changed.
    pub config: BTreeMap<String, String>,
    /// The audit event, written in the same transaction.
    pub audit: AuditEvent,
}

/// A renewal that failed.
#[derive(Debug, Clone)]
pub struct RenewalEnd {
    /// The integration.
    pub key: IntegrationKey,
    /// Its id.
    pub id: ObjectId,
    /// The version that was to be renewed.
    pub version: u64,
    /// The pair, by the field of its access token.
    pub pair: FieldName,
    /// What is known of the pair now.
    pub state: RenewalState,
    /// Whether the user has to connect again. Queues `Connection Expired` if that is new.
    pub reauth: Reauth,
    /// The audit event, written in the same transaction.
    pub audit: AuditEvent,
}

/// Result of writing the end of a renewal.
#[derive(Debug, Clone, PartialEq)]
pub enum Renewal {
    /// The integration as it is stored now.
    Written(Box<IntegrationRecord>),
    /// The credential was replaced or deleted meanwhile. Nothing is written.
    Overtaken,
}

/// Transactions of renewals. Those of one integration exclude each other over all hosts; hosts that end give theirs up.
#[async_trait]
pub trait RenewalStore: Send + Sync + 'static {
    /// Records that a refresh token is about to be used. When it returns `Ours`, that is durable.
    async fn begin_renewal(&self, begin: BeginRenewal) -> StoreResult<Begun>;

    /// Writes the renewed credential as the next version of the integration, and ends the renewal.
    ///
    /// # Errors
    /// `StaleRoot` if the envelope is sealed under a root that is out of use. The renewal has not ended then.
    async fn commit_renewal(&self, write: RenewalWrite) -> StoreResult<Renewal>;

    /// Ends a renewal without a new credential.
    async fn end_renewal(&self, end: RenewalEnd) -> StoreResult<Renewal>;
}
