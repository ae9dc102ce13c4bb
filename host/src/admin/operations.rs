//! What an operation is, and those on API keys.

use std::time::Duration;

use async_trait::async_trait;
use http::Method;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{AdminError, Operator};
use crate::ids::{Environment, OrgId};
use crate::store::{ApiKeyRecord, AuditAction, AuditEvent, NewApiKey, RootRecord, Scope, Timestamp};
use crate::vault::{ApiKey, KeyId};

/// Something that an operator can ask for.
#[async_trait]
pub trait Operation: Serialize + DeserializeOwned + Send + Sync {
    /// What it gives.
    type Done: Serialize + DeserializeOwned + Send;
    /// How it is asked for over HTTP. The body is the operation itself as JSON; what the path says counts more.
    fn route(&self) -> (Method, String);
    /// Carries it out.
    async fn perform(&self, operator: &Operator) -> Result<Self::Done, AdminError>;
}

/// Makes an API key, and the organisation's root key with its first one.
#[derive(Debug, Serialize, Deserialize)]
pub struct CreateApiKey {
    /// Whose it is to be.
    pub org: OrgId,
    /// Which world it selects.
    pub environment: Environment,
    /// What it is for.
    pub label: String,
    /// What it allows.
    pub scopes: Vec<Scope>,
    /// How long it works, in days.
    #[serde(default)]
    pub days: Option<u32>,
}

/// The key, which is nowhere else.
#[derive(Serialize, Deserialize)]
pub struct CreatedApiKey {
    /// The key itself. Show it once.
    pub key: String,
}

#[async_trait]
impl Operation for CreateApiKey {
    type Done = CreatedApiKey;

    fn route(&self) -> (Method, String) {
        (Method::POST, "/admin/v1/api-keys".to_owned())
    }

    async fn perform(&self, operator: &Operator) -> Result<CreatedApiKey, AdminError> {
        let store = operator.store.as_ref().ok_or(AdminError::Missing("the store"))?;
        let vault = operator.vault.as_ref().ok_or(AdminError::Missing("the keys"))?;
        let key = ApiKey::generate(self.environment)?;
        let now = Timestamp::now();
        let root = vault.create_root(&self.org, KeyId::new(1))?;
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
        };
        let root =
            RootRecord { key_id: root.key_id.get(), kek_id: root.kek_id, wrapped: root.wrapped, created_at: now };
        let audit = AuditEvent {
            action: AuditAction::ApiKeyCreated,
            actor: "operator".to_owned(),
            environment: Some(self.environment),
            account: None,
            slug: None,
            outcome: record.shown.clone(),
            request_id: None,
            at: now,
        };
        // The root is dropped by the store where the organisation has one already.
        store.create_api_key(NewApiKey { record, root: Some(root), audit }).await?;
        Ok(CreatedApiKey { key: key.expose().to_owned() })
    }
}
