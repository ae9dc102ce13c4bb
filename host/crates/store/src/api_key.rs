//! API keys of organisations: records, scopes, and [`ApiKeyStore`].

use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::audit::AuditEvent;
use crate::error::StoreResult;
use crate::root::RootRecord;
use crate::values::Timestamp;
use keyferry_types::ids::{Environment, OrgId};

/// An API key as it is stored: its hash, and what it allows.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKeyRecord {
    /// SHA-256 of the key.
    #[serde(with = "serde_bytes")]
    pub hash: [u8; 32],
    /// Organisation of the key.
    pub org: OrgId,
    /// The environment that it selects.
    pub environment: Environment,
    /// Purpose of the key, as its creator described it.
    pub label: String,
    /// Scopes of requests with this key.
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
    /// When it was last used, to the minute or so.
    #[serde(default)]
    pub last_used_at: Option<Timestamp>,
}

/// Digits of a hash that name a key.
const ID: usize = 12;

impl ApiKeyRecord {
    /// The first digits of its hash: no two keys have the same.
    pub fn id(&self) -> String {
        hex::encode(self.hash).chars().take(ID).collect()
    }

    /// Whether the key may be used at this moment.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }

    /// Whether the key allows this. `admin` allows all but to read credentials, which has to be said.
    pub fn allows(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope) || (scope != Scope::ReadCredentials && self.scopes.contains(&Scope::Admin))
    }
}

impl fmt::Debug for ApiKeyRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKeyRecord({} of {}, {})", self.shown, self.org, self.environment)
    }
}

/// Something that an API key can allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// To migrate credentials, and to create and update the linked accounts that they go to.
    Migrate,
    /// To read linked accounts and what is connected to them, without secrets.
    Read,
    /// To read credentials with their secrets.
    ReadCredentials,
    /// All of it but to read credentials; to delete accounts and integrations, too.
    #[serde(alias = "accounts")]
    Admin,
}

impl Scope {
    /// All scopes, in the order of their definition.
    pub const ALL: [Self; 4] = [Self::Migrate, Self::Read, Self::ReadCredentials, Self::Admin];

    /// The serialised name, such as `read_credentials`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Migrate => "migrate",
            Self::Read => "read",
            Self::ReadCredentials => "read_credentials",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Text that is no scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there are the scopes migrate, read, read_credentials and admin")]
pub struct UnknownScope;

impl FromStr for Scope {
    type Err = UnknownScope;
    fn from_str(text: &str) -> Result<Self, UnknownScope> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text).ok_or(UnknownScope)
    }
}

/// An API key to store.
#[derive(Debug, Clone)]
pub struct NewApiKey {
    /// The API key to store.
    pub record: ApiKeyRecord,
    /// The organisation's first root. It is dropped if the organisation has a root already: read back what is stored before
    /// sealing anything.
    pub root: Option<RootRecord>,
    /// The audit event, written in the same transaction.
    pub audit: AuditEvent,
}

/// Transactions on API keys.
///
/// A caller is authenticated by [`api_key`](Self::api_key) with each request, so that it does not wait for the disk: a key
/// that was just stored or revoked may be returned in its new form before that is durable.
#[async_trait]
pub trait ApiKeyStore: Send + Sync + 'static {
    /// Stores an API key, and the organisation's first root if it has none.
    ///
    /// # Errors
    /// `ApiKeyExists` if a key with this hash is stored.
    async fn create_api_key(&self, new: NewApiKey) -> StoreResult<()>;

    /// The API key with this hash, also if it has expired or was revoked.
    async fn api_key(&self, hash: &[u8; 32]) -> StoreResult<Option<ApiKeyRecord>>;

    /// All API keys of an organisation, oldest first.
    async fn api_keys(&self, org: &OrgId) -> StoreResult<Vec<ApiKeyRecord>>;

    /// Revokes an API key at the time of the event. Returns `None` if the organisation has no such key. A key that was revoked
    /// before stays as it is, and no event is written.
    async fn revoke_api_key(
        &self,
        org: &OrgId,
        hash: &[u8; 32],
        audit: AuditEvent,
    ) -> StoreResult<Option<ApiKeyRecord>>;

    /// Writes that an API key was used, unless a later use is stored. A crash may lose it, and an unknown key is ignored.
    async fn touch_api_key(&self, hash: &[u8; 32], at: Timestamp) -> StoreResult<()>;
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
                last_used_at: None,
            };
            assert_eq!(record.is_live(at(10)), live, "{expires:?} {revoked:?}");
            assert!(record.allows(Scope::Migrate) && !record.allows(Scope::Read) && !record.allows(Scope::Admin));
            let admin = ApiKeyRecord { scopes: vec![Scope::Admin], ..record };
            assert!(admin.allows(Scope::Migrate) && admin.allows(Scope::Read) && admin.allows(Scope::Admin));
            assert!(!admin.allows(Scope::ReadCredentials), "it has to be said");
        }
    }

    #[test]
    fn a_scope_reads_back_and_the_name_of_an_earlier_version_counts_as_admin() {
        for scope in Scope::ALL {
            assert_eq!(scope.to_string().parse(), Ok(scope));
            assert_eq!(serde_json::to_value(scope).unwrap(), scope.as_str());
        }
        assert_eq!("accounts".parse::<Scope>(), Err(UnknownScope));
        assert_eq!(serde_json::from_str::<Scope>("\"accounts\"").unwrap(), Scope::Admin);
    }
}
