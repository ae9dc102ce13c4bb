//! What a migration is asked to do, and what it did.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::turned_away::CountedFor;
use keyferry_sandbox::Verdict;
use keyferry_schema::Input;
use keyferry_store::{AccountChange, AccountKey, AuditAction, AuditEvent, ObjectId, OnUnverified, Timestamp};
use keyferry_types::ids::{Environment, LinkedAccountId, OrgId};

/// Who asks.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The organisation.
    pub org: OrgId,
    /// Which of its worlds.
    pub environment: Environment,
    /// For the audit: the beginning of the API key.
    pub actor: String,
    /// For whom credentials count that providers turn away.
    pub counted: CountedFor,
}

impl Caller {
    /// What stands in the trail of something that was done to a linked account at this caller's request.
    pub fn audit(
        &self,
        action: AuditAction,
        key: &AccountKey,
        outcome: &str,
        request_id: &str,
        at: Timestamp,
    ) -> AuditEvent {
        AuditEvent {
            action,
            actor: self.actor.clone(),
            environment: Some(key.environment),
            account: Some(key.account.clone()),
            slug: None,
            outcome: outcome.to_owned(),
            request_id: Some(request_id.to_owned()),
            at,
        }
    }
}

/// A credential to put onto a linked account's integration.
#[derive(Debug)]
pub struct Migration {
    /// Who asks.
    pub caller: Caller,
    /// The linked account.
    pub account: LinkedAccountId,
    /// The app, as the caller wrote it.
    pub slug: String,
    /// The credential, as the caller wrote it.
    pub auth_object: Input,
    /// What must hold of the integration that is there.
    pub precondition: Precondition,
    /// How to go about it.
    pub preferences: Preferences,
    /// The same key and content within 24 hours is answered without being done again.
    pub idempotency_key: Option<String>,
    /// For audit and log.
    pub request_id: String,
}

/// What must hold of the integration that is there, for the migration to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Precondition {
    /// Nothing.
    None,
    /// There is none.
    Absent,
    /// There is one.
    Present,
    /// It is at one of these revisions.
    AnyOf(Vec<Revision>),
}

/// How to go about a migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Preferences {
    /// Whether to verify and store.
    pub verify: VerifyMode,
    /// What to do with a credential that could not be verified though nothing says that it is bad.
    pub on_unverified: OnUnverified,
    /// What to do where it turns out to be another account's than the stored one.
    pub account_change: AccountChange,
}

/// Whether to verify and store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum VerifyMode {
    /// Verify, then store.
    #[default]
    ThenStore,
    /// Verify and store nothing.
    Only,
    /// Store without verifying, marked unverified.
    Skip,
}

/// One state of one integration: its id and version. The id makes a re-created integration another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revision {
    /// The integration.
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
    /// It was.
    Created,
    /// It replaced another credential.
    Updated,
}

/// Whether a stored credential was proven to work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Proof {
    /// It was.
    Verified,
    /// It was not.
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

/// A credential that is stored, durably.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// Whether the integration was new.
    pub action: Action,
    /// Whether it was proven to work.
    pub proof: Proof,
    /// What it is now.
    pub revision: Revision,
    /// What is worth knowing of it, for people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// What a migration did.
#[derive(Debug)]
pub enum Migrated {
    /// It stored the credential.
    Stored(Stored),
    /// It had done so before, under the same idempotency key.
    Replayed(Stored),
    /// It only verified; nothing was stored.
    Checked(Verdict),
}
