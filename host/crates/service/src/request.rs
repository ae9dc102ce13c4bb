//! Requests for a migration, and their results.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::rejection_limit::CountedFor;
use keyferry_sandbox::Verdict;
use keyferry_schema::Input;
use keyferry_store::{AccountChange, AccountKey, AuditAction, AuditEvent, ObjectId, OnUnverified};
use keyferry_types::ids::{Environment, LinkedAccountId, OrgId};

/// The caller of the request.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The caller's organisation.
    pub org: OrgId,
    /// The environment that the request selects.
    pub environment: Environment,
    /// The actor in audit events: the first characters of the API key.
    pub actor: String,
    /// The API key that rejected credentials count against.
    pub counted: CountedFor,
}

impl Caller {
    /// Key of a linked account in the caller's environment.
    pub fn account_key(&self, account: &LinkedAccountId) -> AccountKey {
        AccountKey { org: self.org.clone(), environment: self.environment, account: account.clone() }
    }

    /// The audit event of a request by this caller.
    pub fn audit(&self, action: AuditAction, outcome: impl Into<String>, request_id: &str) -> AuditEvent {
        AuditEvent::new(action, &self.actor, outcome).in_environment(self.environment).for_request(request_id)
    }
}

/// A credential to put onto a linked account's integration.
#[derive(Debug)]
pub struct Migration {
    /// The caller of the request.
    pub caller: Caller,
    /// The linked account of the request.
    pub account: LinkedAccountId,
    /// The app, as the caller wrote it.
    pub slug: String,
    /// The credential, as the caller wrote it.
    pub auth_object: Input,
    /// The condition on the stored integration.
    pub precondition: Precondition,
    /// Whether to verify, and what to store.
    pub preferences: Preferences,
    /// The same key and content within 24 hours gets the stored response, without another migration.
    pub idempotency_key: Option<String>,
    /// The request's id, for audit trail and log.
    pub request_id: String,
}

/// The precondition on the stored integration for a migration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Precondition {
    /// No precondition.
    None,
    /// No integration exists.
    Absent,
    /// An integration exists.
    Present,
    /// It is at one of these revisions.
    AnyOf(Vec<Revision>),
}

impl Precondition {
    /// Whether it holds for what is stored; `None` where nothing is.
    pub(super) fn holds(&self, stored: Option<&Revision>) -> bool {
        match self {
            Self::None => true,
            Self::Absent => stored.is_none(),
            Self::Present => stored.is_some(),
            Self::AnyOf(revisions) => stored.is_some_and(|stored| revisions.contains(stored)),
        }
    }
}

/// Whether a migration verifies, and what it may store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Preferences {
    /// Whether to verify and store.
    pub verify: VerifyMode,
    /// What to do with a credential that could not be verified though nothing says that it is bad.
    pub on_unverified: OnUnverified,
    /// What to do with a credential of another provider account than the stored one's.
    pub account_change: AccountChange,
}

/// Whether to verify and store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum VerifyMode {
    /// Verify the credential, then store it.
    #[default]
    ThenStore,
    /// Verify and store nothing.
    Only,
    /// Store without verifying, marked unverified.
    Skip,
}

/// One state of one integration: its id and version. A re-created integration has another id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revision {
    /// The id of the integration.
    pub id: ObjectId,
    /// How often it has been written.
    pub version: u64,
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.id, self.version)
    }
}

impl FromStr for Revision {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        let (id, version) = text.split_once('-').ok_or(())?;
        Ok(Self { id: id.parse().map_err(|_| ())?, version: version.parse().map_err(|_| ())? })
    }
}

/// Whether an integration was new.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// The integration was created.
    Created,
    /// It replaced another credential.
    Updated,
}

/// Whether a stored credential was proven to work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Proof {
    /// The verdict was `verified`.
    Verified,
    /// The credential was stored without a verdict `verified`.
    Unverified,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Created => "created",
            Self::Updated => "updated",
        })
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Verified => "verified",
            Self::Unverified => "unverified",
        })
    }
}

/// A credential that is stored durably.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// Whether the integration was new.
    pub action: Action,
    /// Whether it was proven to work.
    pub proof: Proof,
    /// The revision after the migration.
    pub revision: Revision,
    /// Warnings for people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

impl Stored {
    /// The outcome in the audit trail, such as `created verified`.
    pub(super) fn audit_outcome(&self) -> String {
        format!("{} {}", self.action, self.proof)
    }
}

/// The result of a migration.
#[derive(Debug)]
pub enum Migrated {
    /// The credential was stored.
    Stored(Stored),
    /// The same request was processed before, under the same idempotency key.
    Replayed(Stored),
    /// The credential was verified, and nothing was stored.
    Checked(Verdict),
}
