//! Integrations: a linked account's credential for one app, sealed; and [`IntegrationStore`].

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::audit::AuditEvent;
use crate::error::StoreResult;
use crate::keys::{AccountKey, IntegrationKey};
use crate::renewal_state::{Check, RenewalState};
use crate::values::{ObjectId, Timestamp};
use keyferry_types::ids::{AuthTypeName, Environment, FieldName, LinkedAccountId, OrgId, Slug};

/// An integration as it is stored. The credential's values are in the envelope; all else is plain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IntegrationRecord {
    /// Id that the server gave the integration.
    pub id: ObjectId,
    /// Organisation of the integration.
    pub org: OrgId,
    /// Environment of the integration.
    pub environment: Environment,
    /// Linked account of the integration.
    pub account: LinkedAccountId,
    /// App of the integration.
    pub slug: Slug,
    /// Auth type of the credential.
    pub auth_type: AuthTypeName,
    /// 1 for the first credential, one more for each that replaces it. The envelope is bound to it.
    pub version: u64,
    /// Number of the root that the envelope is sealed under.
    pub key_id: u32,
    /// The sealed values of the credential's fields, as an envelope of the vault.
    #[serde(with = "serde_bytes")]
    pub envelope: Vec<u8>,
    /// Whether the provider has confirmed the credential.
    pub standing: VerificationStatus,
    /// The provider's id of the account behind the credential.
    #[serde(default)]
    pub provider_account_id: Option<String>,
    /// Name of that account, as the provider shows it.
    #[serde(default)]
    pub display_name: Option<String>,
    /// The scopes that the provider says the credential has.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// When the credential ends.
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
    /// Warnings of the plugin about a credential that works.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// Plain values worth keeping, such as an `instance_url`.
    #[serde(default)]
    pub config: BTreeMap<String, String>,
    /// Whether the user has to connect again.
    #[serde(default)]
    pub reauth: Reauth,
    /// When the integration was made.
    pub created_at: Timestamp,
    /// When it was last written.
    pub updated_at: Timestamp,
    /// When the provider last confirmed the credential.
    #[serde(default)]
    pub verified_at: Option<Timestamp>,
    /// Result of the last verification since the credential was stored.
    #[serde(default)]
    pub check: Option<Check>,
    /// Renewals of its tokens since the credential was stored, by the field of the access token.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub renewals: BTreeMap<FieldName, RenewalState>,
}

impl IntegrationRecord {
    /// The key under which the integration is stored.
    pub fn key(&self) -> IntegrationKey {
        let account =
            AccountKey { org: self.org.clone(), environment: self.environment, account: self.account.clone() };
        IntegrationKey { account, slug: self.slug.clone() }
    }
}

/// What a writer has to know of the integration that it replaces. The rest of the record is not read.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct IntegrationVersion {
    /// Id that the server gave the integration.
    pub id: ObjectId,
    /// Version of the integration.
    pub version: u64,
    /// The provider's id of the account behind the credential.
    #[serde(default)]
    pub provider_account_id: Option<String>,
    /// When the integration was made.
    pub created_at: Timestamp,
}

impl From<&IntegrationRecord> for IntegrationVersion {
    fn from(record: &IntegrationRecord) -> Self {
        Self {
            id: record.id,
            version: record.version,
            provider_account_id: record.provider_account_id.clone(),
            created_at: record.created_at,
        }
    }
}

/// Whether the provider has confirmed a stored credential.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VerificationStatus {
    /// The provider has confirmed the credential.
    Verified,
    /// It was stored unconfirmed, as the caller asked.
    Unverified {
        /// Why it could not be confirmed.
        reason: String,
    },
}

impl VerificationStatus {
    /// The serialised name: `verified` or `unverified`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Unverified { .. } => "unverified",
        }
    }
}

/// Whether the user has to connect again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reauth {
    /// The credential works, as far as is known.
    #[default]
    NotRequired,
    /// The credential no longer works.
    Required,
}

/// The changes that a verification of a stored credential makes.
#[derive(Debug, Clone)]
pub struct CheckWrite {
    /// The integration as it was when it was verified, with the result. Only the members that a verification finds out are
    /// written, and only if the integration still has this id and version.
    pub record: IntegrationRecord,
    /// The audit event, written in the same transaction.
    pub audit: AuditEvent,
}

/// Result of a [`CheckWrite`].
#[derive(Debug, Clone, PartialEq)]
pub enum Checked {
    /// The integration as it is stored now.
    Written(Box<IntegrationRecord>),
    /// The credential was replaced or deleted meanwhile, so that the result is about another one. Nothing is written.
    Overtaken,
}

/// Result of deleting an integration.
#[derive(Debug, Clone, PartialEq)]
pub enum DeleteOutcome {
    /// The integration as it was before it was deleted.
    Deleted(Box<IntegrationRecord>),
    /// The account has none, or none of that auth type.
    Absent,
}

/// Transactions on integrations that are stored. New versions are written by
/// [`MigrationStore`](crate::MigrationStore), and sealed under other roots by [`RootStore`](crate::RootStore).
///
/// [`integration`](Self::integration) is the read before a write: it may return a version that is not durable yet. A write
/// that builds on that version is part of a later transaction, which cannot be durable without it.
#[async_trait]
pub trait IntegrationStore: Send + Sync + 'static {
    /// One integration. Its version may not be durable yet.
    async fn integration(&self, key: &IntegrationKey) -> StoreResult<Option<IntegrationRecord>>;

    /// The version of one integration. It may not be durable yet.
    async fn integration_version(&self, key: &IntegrationKey) -> StoreResult<Option<IntegrationVersion>>;

    /// One integration, for a caller that may open its envelope: the audit event is durable before this returns. Returns
    /// `None`, and writes no event, if the integration does not exist.
    async fn read_integration(&self, key: &IntegrationKey, audit: AuditEvent)
    -> StoreResult<Option<IntegrationRecord>>;

    /// Writes the result of verifying a stored credential again, if the integration still has the id and version that
    /// were verified. Queues `Connection Expired` if the credential stopped working with this result.
    async fn commit_check(&self, write: CheckWrite) -> StoreResult<Checked>;

    /// Deletes an integration; with `only_auth_type`, only if its credential is of that auth type. Queues
    /// `Connection Deleted`.
    async fn delete_integration(
        &self,
        key: &IntegrationKey,
        only_auth_type: Option<AuthTypeName>,
        audit: AuditEvent,
    ) -> StoreResult<DeleteOutcome>;

    /// Deletes an integration if it is at this version. It is an integration of the organisation's own app, so that no
    /// webhook is notified.
    ///
    /// # Errors
    /// `Conflict` if another version, or no integration, is stored.
    async fn delete_version(&self, key: &IntegrationKey, version: u64, audit: AuditEvent) -> StoreResult<()>;
}
