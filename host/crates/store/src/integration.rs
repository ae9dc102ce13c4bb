//! Integrations: a linked account's credential for one app, sealed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{AccountKey, AuditEvent, IdempotencyRecord, ObjectId, RowSettlement, Timestamp};
use keyferry_types::ids::{AuthTypeName, Environment, LinkedAccountId, OrgId, Slug};

/// Which integration: an account has at most one of each app.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IntegrationKey {
    /// The linked account of the integration.
    pub account: AccountKey,
    /// The app of the integration.
    pub slug: Slug,
}

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
}

impl IntegrationRecord {
    /// The key under which the integration is stored.
    pub fn key(&self) -> IntegrationKey {
        let account =
            AccountKey { org: self.org.clone(), environment: self.environment, account: self.account.clone() };
        IntegrationKey { account, slug: self.slug.clone() }
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

/// Result of verifying a stored credential again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Time of the verification.
    pub at: Timestamp,
    /// `verified`, or why not: `rejected`, `provider_error`.
    pub outcome: String,
    /// Explanation of a failure, as a sentence for people.
    #[serde(default)]
    pub detail: Option<String>,
}

/// The changes that a verification of a stored credential makes.
#[derive(Debug, Clone)]
pub struct CheckWrite {
    /// The integration as it was when it was verified, with all that was found out. Of it, only that is written which a
    /// verification can find out, and only if the integration has this id and version still.
    pub record: IntegrationRecord,
    /// The audit event, written in the same transaction.
    pub audit: AuditEvent,
}

/// Result of a [`CheckWrite`].
#[derive(Debug, Clone, PartialEq)]
pub enum Checked {
    /// This is what is stored now.
    Written(Box<IntegrationRecord>),
    /// The credential was replaced or deleted meanwhile: what was found out is of one that is no more.
    Overtaken,
}

/// What must be stored for a migration to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// No integration of that app.
    Absent,
    /// Its integration, in this version.
    Version(u64),
}

/// A new version of an integration, and all that is written with it.
#[derive(Debug, Clone)]
pub struct MigrationWrite {
    /// The integration as it is to be. Its version is 1 where none is expected, else one more than the expected one.
    pub record: IntegrationRecord,
    /// What must be stored for the write to succeed.
    pub expect: Expect,
    /// The audit event, written in the same transaction.
    pub audit: AuditEvent,
    /// The answer that a repeated request gets.
    pub idempotency: Option<IdempotencyRecord>,
    /// The row of an import that this is.
    pub row: Option<RowSettlement>,
}

/// The same credential under another root.
#[derive(Debug, Clone)]
pub struct Reseal {
    /// Key of the integration to write.
    pub key: IntegrationKey,
    /// The version that was opened.
    pub version: u64,
    /// The root that it was opened with.
    pub from: u32,
    /// The root that it is sealed under now.
    pub to: u32,
    /// The sealed values of the credential's fields, as an envelope of the vault.
    pub envelope: Vec<u8>,
    /// The audit event, written in the same transaction.
    pub audit: AuditEvent,
}

/// A change of a root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RootChange {
    /// It is taken out of use.
    Disable,
    /// It is removed for good. Only one that is out of use can be.
    Destroy,
}

/// Result of deleting an integration.
#[derive(Debug, Clone, PartialEq)]
pub enum DeleteOutcome {
    /// This one is gone.
    Deleted(Box<IntegrationRecord>),
    /// The account has none, or none of that auth type.
    Absent,
}
