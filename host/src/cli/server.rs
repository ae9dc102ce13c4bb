//! The components of a server, put together in the order of their dependencies.

use std::sync::Arc;

use super::config::{Folders, PluginsFrom, Settings};
use super::error::CliError;
use super::store_and_vault::StoreAndVault;
use keyferry_api::{Api, KnownKeys, Readiness};
use keyferry_egress::{Egress, EgressSettings, WebhookClient};
use keyferry_imports::Importer;
use keyferry_sandbox::{CodeSeal, GrantPolicy, Registry, RegistrySettings, Sandbox, SandboxLimits};
use keyferry_service::{CredentialService, SharedPlugins};
use keyferry_store::Store;
use keyferry_store::postgres::Access;
use keyferry_types::bounded_file::{self, PATIENCE};
use keyferry_types::path_text::ShowPath as _;
use keyferry_vault::Vault;
use keyferry_webhooks::{Deliverer, Webhooks};

/// A server that does not listen yet.
pub(super) struct Server {
    pub(super) store: Arc<dyn Store>,
    pub(super) vault: Arc<Vault>,
    pub(super) registry: Arc<Registry>,
    /// The plugins of all servers of a database.
    pub(super) shared_plugins: Option<Arc<SharedPlugins>>,
    pub(super) readiness: Arc<Readiness>,
    pub(super) known_keys: Arc<KnownKeys>,
    pub(super) deliverer: Arc<Deliverer>,
    pub(super) importer: Arc<Importer>,
    pub(super) api: Arc<Api>,
    /// Whether the file of the key-encryption key was created.
    pub(super) is_key_new: bool,
}

impl Server {
    /// Assembles the server's components.
    pub(super) async fn assemble(settings: &Settings) -> Result<Self, CliError> {
        let opened = StoreAndVault::open(&settings.folders, Some(settings.store_cache), Access::Host).await;
        let opened = opened.inspect_err(|_| _ = settings.folders.data.remove_unused())?;
        opened.call_key_service(&settings.folders).await?;
        let StoreAndVault { store, vault, new_key } = opened;
        let folder = settings.folders.plugins.clone();
        bounded_file::within(&settings.folders.plugins, PATIENCE, move || std::fs::create_dir_all(folder))
            .map_err(|error| format!("cannot make the plugin folder {}: {error}", settings.folders.plugins.shown()))?;
        let registry = registry(
            &settings.folders,
            settings.grants,
            settings.limits.clone(),
            settings.egress.clone(),
            Some(Arc::clone(&vault)),
        )
        .await?;
        let shared_plugins = match settings.folders.plugins_from {
            PluginsFrom::Database => {
                let shared = SharedPlugins::new(Arc::clone(&store), Arc::clone(&registry));
                shared.pull().await.map_err(|error| error.to_string())?;
                Some(shared)
            }
            PluginsFrom::Folder => None,
        };
        if registry.apps().is_empty() {
            let folder = settings.folders.plugins.shown();
            tracing::info!(
                "no app is served: {folder} has no plugin that is granted; `keyferry plugin list` shows what is there"
            );
        }
        let service = Arc::new(CredentialService::new(
            Arc::clone(&store),
            Arc::clone(&vault),
            Arc::clone(&registry),
            settings.policy.clone(),
        ));
        let importer =
            Importer::new(Arc::clone(&store), Arc::clone(&vault), Arc::clone(&service), settings.imports.clone());
        let readiness = Arc::new(Readiness::default());
        let client = WebhookClient::new(Egress::new(settings.egress.clone())?, settings.webhooks.response_time)?;
        let webhooks = Webhooks::new(Arc::clone(&store), Arc::clone(&vault), client.clone());
        let deliverer =
            Arc::new(Deliverer::new(Arc::clone(&store), Arc::clone(&vault), client, settings.webhooks.clone()));
        let known_keys = KnownKeys::new(Arc::clone(&store));
        let api = Api::new(
            Arc::clone(&known_keys),
            service,
            Arc::clone(&importer),
            webhooks,
            Arc::clone(&readiness),
            settings.rate_limit,
            settings.http.body_timeout,
        );
        Ok(Self {
            store,
            vault,
            registry,
            shared_plugins,
            readiness,
            known_keys,
            deliverer,
            importer,
            api,
            is_key_new: new_key.is_some(),
        })
    }
}

/// Opens the registry of a plugin folder. Without a vault, compiled code is not kept: there is no key to seal it.
pub(super) async fn registry(
    folders: &Folders,
    policy: GrantPolicy,
    limits: SandboxLimits,
    egress: EgressSettings,
    vault: Option<Arc<Vault>>,
) -> Result<Arc<Registry>, CliError> {
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
