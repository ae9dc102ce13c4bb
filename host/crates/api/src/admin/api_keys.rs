//! Operations of the admin API on API keys.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::admin::error::AdminError;
use crate::admin::operations::{Operation, Route};
use crate::admin::operator::Operator;
use crate::admin::organisations::store_with;
use keyferry_service::keys;
use keyferry_store::{ApiKeyRecord, AuditAction, AuditEvent, NewApiKey, Scope, StoreError, Timestamp};
use keyferry_types::ids::{Environment, OrgId};
use keyferry_vault::{ApiKey, KeyId};

/// Makes an API key, and the organisation's root key with its first one.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateApiKey {
    /// The organisation that the key is to belong to.
    pub org: OrgId,
    /// The environment that the key selects.
    pub environment: Environment,
    /// The description of the key's use.
    pub label: String,
    /// The scopes.
    pub scopes: Vec<Scope>,
    /// Days until the key expires; absent for no expiry.
    #[serde(default)]
    pub days: Option<u32>,
}

/// A created API key. The server keeps only its hash.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct CreatedApiKey {
    /// The key itself. Show it once.
    pub key: String,
}

impl Operation for CreateApiKey {
    type Done = CreatedApiKey;
    const ROUTE: Route = Route::change("/admin/v1/organisations/{org}/api-keys", "createApiKey");

    async fn perform(&self, operator: &Operator) -> Result<CreatedApiKey, AdminError> {
        let store = operator.store.as_ref().ok_or(AdminError::Missing("the store"))?;
        let vault = operator.vault.as_ref().ok_or(AdminError::Missing("the keys"))?;
        let key = ApiKey::generate(self.environment)?;
        let now = Timestamp::now();
        // An organisation that has a root needs no other, and no key service that makes one.
        let root = match store.roots(&self.org).await?.is_empty() {
            true => Some(vault.create_root(&self.org, KeyId::FIRST).await?.wrapped),
            false => None,
        };
        let record = ApiKeyRecord {
            hash: key.hash(),
            org: self.org.clone(),
            environment: self.environment,
            label: self.label.clone(),
            scopes: self.scopes.clone(),
            shown: key.shown().to_owned(),
            created_at: now,
            expires_at: self.days.map(|days| now.after(Duration::from_secs(u64::from(days) * 24 * 60 * 60))),
            revoked_at: None,
            last_used_at: None,
        };
        let root = root.map(|root| keys::stored(&root, now));
        let audit = audit(AuditAction::ApiKeyCreated, &record, now);
        // The root is dropped by the store where the organisation has got one meanwhile.
        store.create_api_key(NewApiKey { record, root, audit }).await?;
        Ok(CreatedApiKey { key: key.expose().to_owned() })
    }
}

/// Lists an organisation's API keys.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ListApiKeys {
    /// The organisation.
    pub org: OrgId,
}

/// Revokes an API key. Requests with it are refused from then on. Its `Debug` leaves out which: it can be the whole key.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RevokeApiKey {
    /// The organisation.
    pub org: OrgId,
    /// The key's first characters, as `list` shows them, or its id.
    pub key: String,
}

impl fmt::Debug for RevokeApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RevokeApiKey").field("org", &self.org).field("key", &"***").finish()
    }
}

/// An API key, without its secret part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ShownApiKey {
    /// The first digits of its hash: no two keys have the same.
    pub id: String,
    /// The first characters of the key.
    pub shown: String,
    /// The description of the key's use.
    pub label: String,
    /// The environment that the key selects.
    pub environment: Environment,
    /// The scopes.
    pub scopes: Vec<Scope>,
    /// The state of the key.
    pub state: ApiKeyState,
    /// The time of creation.
    pub created_at: String,
    /// The time of expiry; absent for a key without one.
    pub expires_at: Option<String>,
    /// The time of revocation.
    pub revoked_at: Option<String>,
    /// The time of the last use, accurate to about a minute.
    pub last_used_at: Option<String>,
}

/// Whether an API key works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ApiKeyState {
    /// The key is accepted.
    Live,
    /// The key is past its expiry.
    Expired,
    /// The key was revoked.
    Revoked,
}

impl ShownApiKey {
    fn new(record: &ApiKeyRecord, now: Timestamp) -> Self {
        let text = |at: Option<Timestamp>| at.map(|at| at.to_string());
        Self {
            id: record.id(),
            shown: record.shown.clone(),
            label: record.label.clone(),
            environment: record.environment,
            scopes: record.scopes.clone(),
            state: match record.revoked_at {
                Some(_) => ApiKeyState::Revoked,
                None if record.is_live(now) => ApiKeyState::Live,
                None => ApiKeyState::Expired,
            },
            created_at: record.created_at.to_string(),
            expires_at: text(record.expires_at),
            revoked_at: text(record.revoked_at),
            last_used_at: text(record.last_used_at),
        }
    }
}

impl Operation for ListApiKeys {
    type Done = Vec<ShownApiKey>;
    const ROUTE: Route = Route::read("/admin/v1/organisations/{org}/api-keys", "listApiKeys");

    async fn perform(&self, operator: &Operator) -> Result<Vec<ShownApiKey>, AdminError> {
        let (store, now) = (store_with(operator, &self.org).await?, Timestamp::now());
        Ok(store.api_keys(&self.org).await?.iter().map(|record| ShownApiKey::new(record, now)).collect())
    }
}

impl Operation for RevokeApiKey {
    type Done = ShownApiKey;
    const ROUTE: Route = Route::change("/admin/v1/organisations/{org}/api-keys/revoke", "revokeApiKey");

    async fn perform(&self, operator: &Operator) -> Result<ShownApiKey, AdminError> {
        let (store, now) = (store_with(operator, &self.org).await?, Timestamp::now());
        // Whole keys are accepted as well: for a leaked key, the operator may have nothing else at hand.
        let hash = self.key.parse::<ApiKey>().ok().map(|key| key.hash());
        let known = store.api_keys(&self.org).await?;
        let is_meant = |record: &&ApiKeyRecord| match hash {
            Some(hash) => record.hash == hash,
            None => record.shown == self.key || record.id() == self.key,
        };
        let meant: Vec<_> = known.iter().filter(is_meant).collect();
        let record = match meant.as_slice() {
            [] => return Err(AdminError::NoSuchApiKey { org: self.org.clone() }),
            [record] => *record,
            several => {
                let ids = several.iter().map(|record| record.id()).collect::<Vec<_>>().join(", ");
                return Err(AdminError::SeveralApiKeys { ids });
            }
        };
        let audit = audit(AuditAction::ApiKeyRevoked, record, now);
        // A task of its own: once the write is queued, the key has to be forgotten even if this request is dropped.
        let (store, known_keys) = (Arc::clone(store), operator.known_keys.clone());
        let (org, hash) = (self.org.clone(), record.hash);
        let revoked = tokio::spawn(async move {
            let revoked = store.revoke_api_key(&org, &hash, audit).await;
            // Whatever came of it: a failed write may have been carried out.
            if let Some(known) = known_keys {
                known.forget(&hash);
            }
            revoked
        });
        match revoked.await.map_err(|_| StoreError::Closed)?? {
            Some(revoked) => Ok(ShownApiKey::new(&revoked, now)),
            None => Err(AdminError::NoSuchApiKey { org: self.org.clone() }),
        }
    }
}

fn audit(action: AuditAction, record: &ApiKeyRecord, at: Timestamp) -> AuditEvent {
    AuditEvent::by_operator(action, &record.shown).in_environment(record.environment).at(at)
}
