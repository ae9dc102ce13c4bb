//! What operations work on.

use std::sync::Arc;

use crate::auth::known_keys::KnownKeys;
use keyferry_sandbox::Registry;
use keyferry_service::SharedPlugins;
use keyferry_store::Store;
use keyferry_vault::Vault;

/// Reports conditions that an operator should fix.
pub type Warnings = Arc<dyn Fn() -> Vec<String> + Send + Sync>;

/// The components that operations use; a command without a server opens only those that it needs.
#[derive(Clone, Default)]
pub struct Operator {
    /// What a running server warns of besides its store and key service.
    pub warnings: Option<Warnings>,
    /// The store; `None` if this process has not opened it.
    pub store: Option<Arc<dyn Store>>,
    /// The API keys that a running server has in memory.
    pub known_keys: Option<Arc<KnownKeys>>,
    /// The keys; `None` if this process has not opened them.
    pub vault: Option<Arc<Vault>>,
    /// The plugins; `None` if this process has not loaded them.
    pub registry: Option<Arc<Registry>>,
    /// The plugins of all servers of a database; `None` if those of this server are its own.
    pub shared_plugins: Option<Arc<SharedPlugins>>,
}
