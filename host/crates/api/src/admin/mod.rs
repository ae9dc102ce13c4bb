//! What an operator can ask of a running server: HTTP on a Unix socket in the data folder that only its owner can use.
//!
//! ```sh
//! curl --unix-socket keyferry-data/admin.sock http://keyferry/admin/v1/plugins
//! ```
//!
//! | file | answers |
//! |---|---|
//! | `operations` | what is an operation, and what is its form in a request? |
//! | `plugins`, `api_keys`, `keys`, `rewrap`, `audit`, `health` | what can be asked for? |
//! | `openapi` | how is that described to a machine? |
//! | `routes`, `socket` | how does a server answer? |
//! | `guard` | who may ask over TCP, where that is switched on? |
//! | `client` | how does a command ask? |
//!
//! The same [`Operation`]s are carried out in the command's own process where no server runs.

mod api_keys;
mod audit;
mod client;
mod guard;
mod health;
mod keys;
mod openapi;
mod operations;
mod plugins;
mod rewrap;
mod routes;
mod socket;

use std::sync::Arc;

use http::StatusCode;

use keyferry_sandbox::{Registry, RegistryError};
use keyferry_service::ServiceError;
use keyferry_service_client::ExchangeError;
use keyferry_store::{Store, StoreError};
use keyferry_types::ids::OrgId;
use keyferry_vault::{Vault, VaultError};

pub use api_keys::{ApiKeyState, CreateApiKey, CreatedApiKey, ListApiKeys, RevokeApiKey, ShownApiKey};
pub use audit::{AuditLine, ReadAudit, VerifiedAudit, VerifyAudit};
pub use client::call;
pub use guard::{OperatorToken, TokenError, guarded};
pub use health::{ServerHealth, ShowHealth};
pub use keys::{DestroyKey, DisableKey, KeyState, ListKeys, Place, ResealCredentials, ResealStep, RotateKey, ShownKey};
pub use operations::{Operation, Route, Verb};
pub use plugins::{GrantPlugin, ListPlugins, RevokePlugin, RollbackPlugin, ShowPlugin};
pub use rewrap::{Form, ListRoots, NewForms, RewrapRoots, Rewrapped, StoredRoot};
pub use socket::{Socket, listen};

/// Reports conditions that an operator should fix.
pub type Warnings = Arc<dyn Fn() -> Vec<String> + Send + Sync>;

/// The components that operations use; a command without a server opens only those that it needs.
#[derive(Clone, Default)]
pub struct Operator {
    /// What a running server warns of besides its store and key service.
    pub warnings: Option<Warnings>,
    /// The store; `None` if this process has not opened it.
    pub store: Option<Arc<dyn Store>>,
    /// The keys; `None` if this process has not opened them.
    pub vault: Option<Arc<Vault>>,
    /// The plugins; `None` if this process has not loaded them.
    pub registry: Option<Arc<Registry>>,
}

/// Why an operation was not carried out.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum AdminError {
    #[error("no server runs on this data folder")]
    NotRunning,
    #[error("the server's socket {path} cannot be used: {source}")]
    Socket { path: String, source: std::io::Error },
    #[error(
        "the server ended the connection before it responded ({0}): it was stopped or killed, and may have carried the \
         operation out or not; its log says more"
    )]
    ServerGone(#[from] ExchangeError),
    #[error("the server's response is not of the expected form: {0}")]
    Protocol(#[from] serde_json::Error),
    #[error("{0}")]
    Refused(String),
    #[error("the request is not understood: {0}")]
    Request(String),
    #[error("{org} has no such API key; `keyferry api-key list --org {org}` shows those that it has")]
    NoSuchApiKey { org: OrgId },
    #[error("several API keys begin like that; name one by its id: {ids}")]
    SeveralApiKeys { ids: String },
    #[error(
        "the audit chain of {org} holds, but no entry has the hash {known}: it was rewritten since that was written down"
    )]
    Rewritten { org: OrgId, known: String },
    #[error("this operation needs {0}, which is not open here")]
    Missing(&'static str),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Vault(#[from] VaultError),
    #[error(transparent)]
    Keys(#[from] ServiceError),
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

impl AdminError {
    /// Whether it is that roots cannot be unlocked for now.
    fn is_locked(&self) -> bool {
        match self {
            Self::Vault(error) | Self::Keys(ServiceError::Vault(error)) => error.locked().is_some(),
            _ => false,
        }
    }

    /// The HTTP status that says it.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            _ if self.is_locked() => StatusCode::SERVICE_UNAVAILABLE,
            Self::Request(_) => StatusCode::BAD_REQUEST,
            Self::Registry(RegistryError::NoSuchPlugin { .. }) | Self::NoSuchApiKey { .. } => StatusCode::NOT_FOUND,
            Self::Keys(ServiceError::Store(StoreError::Root { .. })) => StatusCode::CONFLICT,
            Self::SeveralApiKeys { .. } | Self::Rewritten { .. } => StatusCode::CONFLICT,
            Self::Store(StoreError::AuditBroken { .. }) => StatusCode::CONFLICT,
            Self::Registry(RegistryError::Refused { .. } | RegistryError::NoWayBack { .. }) | Self::Refused(_) => {
                StatusCode::CONFLICT
            }
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The stable error code.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            _ if self.is_locked() => "keys_locked",
            Self::Request(_) => "invalid_request",
            Self::Registry(RegistryError::NoSuchPlugin { .. }) => "no_such_plugin",
            Self::NoSuchApiKey { .. } => "no_such_api_key",
            Self::Keys(ServiceError::Store(StoreError::Root { .. })) => "key_refused",
            Self::SeveralApiKeys { .. } => "several_api_keys",
            Self::Rewritten { .. } => "audit_rewritten",
            Self::Store(StoreError::AuditBroken { .. }) => "audit_broken",
            Self::Registry(RegistryError::Refused { .. }) | Self::Refused(_) => "refused",
            Self::Registry(RegistryError::NoWayBack { .. }) => "no_earlier_version",
            Self::Registry(RegistryError::Lock(_)) => "lock_file",
            _ => "internal",
        }
    }
}
