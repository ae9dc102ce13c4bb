//! Organisations: their API keys and their roots.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{AuditEvent, Timestamp};
use crate::ids::{Environment, OrgId};

/// An API key as it is stored: its hash, and what it allows.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKeyRecord {
    /// SHA-256 of the key.
    #[serde(with = "serde_bytes")]
    pub hash: [u8; 32],
    /// Whose key it is.
    pub org: OrgId,
    /// The environment that it selects.
    pub environment: Environment,
    /// What it is for, in the words of the one who made it.
    pub label: String,
    /// What it allows.
    pub scopes: Vec<Scope>,
    /// The first characters of the key, by which people tell keys apart.
    pub shown: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it stops working.
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    #[serde(default)]
    pub revoked_at: Option<Timestamp>,
}

impl ApiKeyRecord {
    /// Whether the key may be used at this moment.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }

    /// Whether the key allows this.
    pub fn allows(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
    }
}

impl fmt::Debug for ApiKeyRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKeyRecord({} of {}, {})", self.shown, self.org, self.environment)
    }
}

/// Something that an API key can allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// To migrate credentials.
    Migrate,
    /// To create, read, change and delete linked accounts.
    Accounts,
}

/// A root as it is stored: wrapped, and of no use without the key that wrapped it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootRecord {
    /// Its number within the organisation.
    pub key_id: u32,
    /// Fingerprint of the key that wrapped it.
    pub kek_id: String,
    /// The wrapped root.
    #[serde(with = "serde_bytes")]
    pub wrapped: Vec<u8>,
    /// When it was made.
    pub created_at: Timestamp,
}

impl fmt::Debug for RootRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RootRecord({}, wrapped by {})", self.key_id, self.kek_id)
    }
}

/// An API key to store.
#[derive(Debug, Clone)]
pub struct NewApiKey {
    /// The key.
    pub record: ApiKeyRecord,
    /// The organisation's first root, for an organisation that has none. Where it has one already this one is dropped: read
    /// back what is stored before sealing anything.
    pub root: Option<RootRecord>,
    /// What is written down of it.
    pub audit: AuditEvent,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_live_until_it_ends_or_is_revoked() {
        let at = Timestamp::from_millis;
        let cases = [
            (None, None, true),
            (Some(11), None, true),
            (Some(10), None, false),
            (Some(9), None, false),
            (None, Some(9), false),
            (Some(11), Some(9), false),
        ];
        for (expires, revoked, live) in cases {
            let record = ApiKeyRecord {
                hash: [0; 32],
                org: "acme".parse().unwrap(),
                environment: Environment::Test,
                label: String::new(),
                scopes: vec![Scope::Migrate],
                shown: "tk_abcd".to_owned(),
                created_at: at(0),
                expires_at: expires.map(at),
                revoked_at: revoked.map(at),
            };
            assert_eq!(record.is_live(at(10)), live, "{expires:?} {revoked:?}");
            assert!(record.allows(Scope::Migrate) && !record.allows(Scope::Accounts));
        }
    }
}
