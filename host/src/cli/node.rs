//! A server's parts put together, in the one order in which they can be.

use std::sync::Arc;

use super::CliError;
use super::settings::{Folders, Settings};
use crate::egress::{Egress, EgressSettings};
use crate::http::{Api, Readiness};
use crate::migrate::Migrator;
use crate::plugins::{CodeSeal, GrantPolicy, Registry, RegistrySettings, Sandbox, SandboxLimits};
use crate::store::Store;
use crate::store::sled::{SledSettings, SledStore};
use crate::vault::{CreateKey, Vault};

/// Keys and what they protect: all that is needed where no plugin runs.
pub(super) struct Safe {
    pub(super) vault: Arc<Vault>,
    pub(super) store: Arc<dyn Store>,
}

/// A server that does not listen yet.
pub(super) struct Node {
    pub(super) safe: Safe,
    pub(super) registry: Arc<Registry>,
    pub(super) readiness: Arc<Readiness>,
    pub(super) api: Arc<Api>,
}

impl Safe {
    /// Loads the key, or makes one where there is neither key nor store, and opens the store.
    pub(super) async fn open(folders: &Folders) -> Result<Self, CliError> {
        // A new key beside an old store would open nothing in it: the missing key must be found, not replaced.
        let create = if folders.data.store().exists() { CreateKey::Refused } else { CreateKey::Allowed };
        let vault = Arc::new(Vault::new(folders.key.load(create)?));
        let store = SledStore::open(SledSettings::new(folders.data.store())).await?;
        Ok(Self { vault, store: Arc::new(store) })
    }
}

impl Node {
    /// Puts a server together.
    pub(super) async fn assemble(settings: &Settings) -> Result<Self, CliError> {
        let safe = Safe::open(&settings.folders).await?;
        let registry = registry(
            &settings.folders,
            settings.grants,
            settings.limits.clone(),
            settings.egress.clone(),
            Some(Arc::clone(&safe.vault)),
        )
        .await?;
        let migrator = Migrator::new(
            Arc::clone(&safe.store),
            Arc::clone(&safe.vault),
            Arc::clone(&registry),
            settings.policy.clone(),
        );
        let readiness = Arc::new(Readiness::default());
        let api = Api::new(
            Arc::clone(&safe.store),
            migrator,
            Arc::clone(&readiness),
            settings.rates,
            settings.http.body_timeout,
        );
        Ok(Self { safe, registry, readiness, api })
    }
}

/// The plugins of a folder. Without a vault there is no key to seal compiled code with, and none is kept.
pub(super) async fn registry(
    folders: &Folders,
    policy: GrantPolicy,
    limits: SandboxLimits,
    egress: EgressSettings,
    vault: Option<Arc<Vault>>,
) -> Result<Arc<Registry>, CliError> {
    std::fs::create_dir_all(&folders.plugins)
        .map_err(|error| format!("cannot make the plugin folder {}: {error}", folders.plugins.display()))?;
    let cache = vault.map(|vault| {
        let seal: CodeSeal = Arc::new(move |bytes| vault.cache_mac(bytes).ok());
        (folders.data.code_cache(), seal)
    });
    let sandbox = Arc::new(Sandbox::new(limits, cache)?);
    let settings = RegistrySettings {
        folder: folders.plugins.clone(),
        lock: folders.lock.clone(),
        versions: folders.data.plugin_versions(),
        policy,
    };
    Ok(Registry::open(settings, sandbox, Arc::new(Egress::new(egress)?)).await?)
}
