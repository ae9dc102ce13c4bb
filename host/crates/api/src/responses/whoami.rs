//! The response body of `whoami`.

use serde::Serialize;
use utoipa::ToSchema;

use keyferry_store::{ApiKeyRecord, Scope};
use keyferry_types::ids::Environment;

/// What an API key stands for, and what it may do.
#[derive(Serialize, ToSchema)]
pub(crate) struct KeyIdentity {
    /// The organisation that the key belongs to.
    org: String,
    /// The environment that the key selects.
    environment: Environment,
    /// The key, without its secret part.
    key: KeyName,
    /// The scopes that the key was made with. `admin` includes `migrate` and `read`.
    scopes: Vec<Scope>,
    /// The time of the key's creation.
    #[schema(format = DateTime)]
    created_at: String,
    /// The time of the key's expiry.
    #[schema(required = true, format = DateTime)]
    expires_at: Option<String>,
    /// The server's version.
    #[schema(value_type = String, example = "0.1.0")]
    version: &'static str,
}

/// How the operator tells API keys apart.
#[derive(Serialize, ToSchema)]
struct KeyName {
    /// The first digits of its hash.
    #[schema(pattern = "^[0-9a-f]{12}$")]
    id: String,
    /// The first characters of the key.
    shown: String,
    /// The description of the key's use, which its creator gave it.
    label: String,
}

impl KeyIdentity {
    /// Of the key as it is stored.
    pub(crate) fn new(record: &ApiKeyRecord) -> Self {
        Self {
            org: record.org.to_string(),
            environment: record.environment,
            key: KeyName { id: record.id(), shown: record.shown.clone(), label: record.label.clone() },
            scopes: record.scopes.clone(),
            created_at: record.created_at.to_string(),
            expires_at: record.expires_at.map(|at| at.to_string()),
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}
