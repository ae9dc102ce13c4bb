//! Plugins that all servers of a database have in common, and [`PluginStore`].

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::error::StoreResult;

/// Bytes of one part of a component: a row has 64 KiB at most.
pub const PLUGIN_PART: usize = 32 * 1024;

/// A component, by its content.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ComponentKey {
    /// SHA-256 in hexadecimal digits.
    pub sha256: String,
    /// Number of its parts.
    pub parts: u32,
}

/// A plugin file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedFile {
    /// Name of the file, `stripe.wasm`.
    pub name: String,
    /// What is in it.
    pub component: ComponentKey,
    /// What was in it before, the oldest first, to go back to.
    pub former: Vec<ComponentKey>,
}

/// The grant of a component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedGrant {
    /// SHA-256 of the component in hexadecimal digits.
    pub sha256: String,
    /// What is granted, as JSON.
    pub grant: String,
}

/// All plugin files and grants, as of one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SharedPlugins {
    /// Number of changes so far.
    pub version: u64,
    /// The files, in the order of their names.
    pub files: Vec<SharedFile>,
    /// The grants.
    pub grants: Vec<SharedGrant>,
}

/// A change of plugin files and grants.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PluginChange {
    /// The version that it was made of.
    pub expected: u64,
    /// Files that are new or have another component.
    pub put: Vec<SharedFile>,
    /// Names of files that go.
    pub removed: Vec<String>,
    /// Grants that are new or have changed.
    pub grants: Vec<SharedGrant>,
}

/// The plugins of all servers of a database.
#[async_trait]
pub trait PluginStore: Send + Sync + 'static {
    /// All files and grants.
    async fn shared_plugins(&self) -> StoreResult<SharedPlugins>;

    /// One part of a component, `PLUGIN_PART` bytes of it or, of the last one, fewer.
    async fn component_part(&self, sha256: &str, part: u32) -> StoreResult<Option<Vec<u8>>>;

    /// Stores one part of a component. A component that no file names in the end does no harm.
    async fn put_component_part(&self, sha256: &str, part: u32, bytes: Vec<u8>) -> StoreResult<()>;

    /// Changes files and grants, and removes components that no file names any more. Returns the new version.
    ///
    /// # Errors
    /// `Conflict` where another change came first.
    async fn change_plugins(&self, change: PluginChange) -> StoreResult<u64>;
}
