//! What an operator can ask of a running server: HTTP on a Unix socket in the data folder that only its owner can use.
//!
//! ```sh
//! curl --unix-socket keyferry-data/admin.sock http://keyferry/admin/v1/plugins
//! ```
//!
//! | file | answers |
//! |---|---|
//! | `operations`, `plugins` | what can be asked for? |
//! | `routes`, `socket` | how does a server answer? |
//! | `client` | how does a command ask? |
//!
//! The same [`Operation`]s are carried out in the command's own process where no server runs.

mod client;
mod operations;
mod plugins;
mod routes;
mod socket;

use std::sync::Arc;

use http::StatusCode;

use crate::plugins::{Registry, RegistryError};
use crate::store::{Store, StoreError};
use crate::vault::{Vault, VaultError};

pub use client::call;
pub use operations::{CreateApiKey, CreatedApiKey, Operation};
pub use plugins::{GrantPlugin, ListPlugins, RevokePlugin, RollbackPlugin, ShowPlugin};
pub use socket::{Socket, listen};

/// The parts that operations work on; a command that runs by itself opens only those that it needs.
#[derive(Clone, Default)]
pub struct Operator {
    /// Where records are kept.
    pub store: Option<Arc<dyn Store>>,
    /// The keys.
    pub vault: Option<Arc<Vault>>,
    /// The plugins.
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
    #[error("the server answered with something else than was asked for: {0}")]
    Protocol(#[from] serde_json::Error),
    #[error("{0}")]
    Refused(String),
    #[error("the request is not understood: {0}")]
    Request(String),
    #[error("this operation needs {0}, which is not open here")]
    Missing(&'static str),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Vault(#[from] VaultError),
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

impl AdminError {
    /// The HTTP status that says it.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Request(_) => StatusCode::BAD_REQUEST,
            Self::Registry(RegistryError::NoSuchPlugin { .. }) => StatusCode::NOT_FOUND,
            Self::Registry(RegistryError::Refused { .. } | RegistryError::NoWayBack { .. }) | Self::Refused(_) => {
                StatusCode::CONFLICT
            }
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Stable, for programs.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Request(_) => "invalid_request",
            Self::Registry(RegistryError::NoSuchPlugin { .. }) => "no_such_plugin",
            Self::Registry(RegistryError::Refused { .. }) | Self::Refused(_) => "refused",
            Self::Registry(RegistryError::NoWayBack { .. }) => "no_earlier_version",
            Self::Registry(RegistryError::Lock(_)) => "lock_file",
            _ => "internal",
        }
    }
}
