//! Why an operation was not carried out.

use http::StatusCode;

use keyferry_sandbox::RegistryError;
use keyferry_service::{ServiceError, SharedPluginError};
use keyferry_service_client::ExchangeError;
use keyferry_store::StoreError;
use keyferry_types::ids::OrgId;
use keyferry_vault::VaultError;

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
    #[error(
        "there is no organisation {org}; `keyferry org list` lists those that exist, and `keyferry api-key create --org {org}` \
         creates it with its first API key"
    )]
    NoSuchOrganisation { org: OrgId },
    #[error("{org} has no such API key; `keyferry api-key list --org {org}` shows those that it has")]
    NoSuchApiKey { org: OrgId },
    #[error("several API keys begin like that; name one by its id: {ids}")]
    SeveralApiKeys { ids: String },
    #[error(
        "the audit chain of {org} holds, but no entry has the hash {known}: it was rewritten since that was written down"
    )]
    Rewritten { org: OrgId, known: String },
    #[error(
        "root {key_id} of organisation {org} would no longer open with {own}, the key that the running server has: nothing was \
         forgotten. Restart the server with the new key, then run this command again"
    )]
    OwnKeyForgotten { org: OrgId, key_id: u32, own: String },
    #[error("this operation needs {0}, which is not open here")]
    Missing(&'static str),
    #[error("the plugins of this server are the files in {folder}: copy the component there, and it is loaded")]
    OwnPlugins { folder: String },
    #[error(transparent)]
    SharedPlugins(SharedPluginError),
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
            Self::Registry(RegistryError::NoSuchPlugin { .. })
            | Self::NoSuchOrganisation { .. }
            | Self::NoSuchApiKey { .. } => StatusCode::NOT_FOUND,
            Self::Keys(ServiceError::Store(StoreError::Root { .. })) => StatusCode::CONFLICT,
            Self::OwnPlugins { .. } | Self::SharedPlugins(SharedPluginError::Contended) => StatusCode::CONFLICT,
            Self::SeveralApiKeys { .. } | Self::Rewritten { .. } | Self::OwnKeyForgotten { .. } => StatusCode::CONFLICT,
            Self::Store(StoreError::AuditBroken { .. } | StoreError::CopyRunning) => StatusCode::CONFLICT,
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
            Self::NoSuchOrganisation { .. } => "no_such_organisation",
            Self::NoSuchApiKey { .. } => "no_such_api_key",
            Self::Keys(ServiceError::Store(StoreError::Root { .. })) => "key_refused",
            Self::OwnPlugins { .. } => "own_plugins",
            Self::SharedPlugins(SharedPluginError::Contended) => "contended",
            Self::SeveralApiKeys { .. } => "several_api_keys",
            Self::Rewritten { .. } => "audit_rewritten",
            Self::OwnKeyForgotten { .. } => "own_key_forgotten",
            Self::Store(StoreError::AuditBroken { .. }) => "audit_broken",
            Self::Store(StoreError::CopyRunning) => "backup_running",
            Self::Registry(RegistryError::Refused { .. }) | Self::Refused(_) => "refused",
            Self::Registry(RegistryError::NoWayBack { .. }) => "no_earlier_version",
            Self::Registry(RegistryError::Lock(_)) => "lock_file",
            _ => "internal",
        }
    }
}

impl From<SharedPluginError> for AdminError {
    fn from(error: SharedPluginError) -> Self {
        match error {
            SharedPluginError::Registry(error) => Self::Registry(error),
            SharedPluginError::Store(error) => Self::Store(error),
            SharedPluginError::Refused(reason) => Self::Refused(reason),
            other => Self::SharedPlugins(other),
        }
    }
}
