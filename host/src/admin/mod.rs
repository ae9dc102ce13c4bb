//! What an operator's commands say to a running server: one JSON request a connection, over a Unix socket in the data
//! folder that only its owner can use.
//!
//! The same [`Operation`]s are carried out in the command's own process where no server runs.

mod operations;
mod socket;

use std::sync::Arc;

use crate::plugins::{Registry, RegistryError};
use crate::store::{Store, StoreError};
use crate::vault::{Vault, VaultError};

pub use operations::{CreateApiKey, CreatedApiKey, GrantPlugin, ListPlugins, Operation};
pub use socket::{Socket, call, listen};

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
    #[error("this operation needs {0}, which is not open here")]
    Missing(&'static str),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Vault(#[from] VaultError),
    #[error(transparent)]
    Registry(#[from] RegistryError),
}
