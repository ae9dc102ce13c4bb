//! A server's parts put together, in the one order in which they can be.

use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::CliError;
use super::settings::{Folders, Settings};
use keyferry_api::{Api, Readiness};
use keyferry_egress::{Egress, EgressSettings, WebhookClient};
use keyferry_imports::Importer;
use keyferry_sandbox::{CodeSeal, GrantPolicy, Registry, RegistrySettings, Sandbox, SandboxLimits};
use keyferry_service::{CredentialService, ServiceError, rewrap};
use keyferry_store::Store;
use keyferry_store::sled::{SledSettings, SledStore};
use keyferry_types::bounded_file::{self, PATIENCE};
use keyferry_types::path_text::ShowPath as _;
use keyferry_vault::{CreateKey, KeyProvider, KeyServiceState, Vault, VaultError};
use keyferry_webhooks::{Deliverer, Webhooks};

/// How soon a key service that fails is asked again, and how long it takes at most until it is.
const FIRST_WAIT: Duration = Duration::from_secs(2);
const LONGEST_WAIT: Duration = Duration::from_secs(15);

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
    pub(super) deliverer: Arc<Deliverer>,
    pub(super) importer: Arc<Importer>,
    pub(super) api: Arc<Api>,
}

impl Safe {
    /// Loads the key, or makes one where there is neither key nor store, and opens the store.
    pub(super) async fn open(folders: &Folders, store: SledSettings) -> Result<Self, CliError> {
        // A new key beside an old store would open nothing in it: the missing key must be found, not replaced.
        let create = if folders.data.store().exists() { CreateKey::Refused } else { CreateKey::Allowed };
        let vault = Arc::new(Vault::new(folders.key.load(create).await?));
        let store = SledStore::open(store).await?;
        match rewrap::check(&store, vault.kek()).await {
            // Only the key service knows the key; its error is reported by the operation that needs the key.
            Ok(()) | Err(ServiceError::Vault(VaultError::KeyService(_))) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(Self { vault, store: Arc::new(store) })
    }

    /// Asks the key service for the first time.
    ///
    /// One that is not there for now keeps nothing from starting: what needs no key is answered, `/readyz` says that no
    /// organisation can be unlocked, and it is asked again until it answers. One that refuses, or has no such key, will not
    /// come round by waiting, so that there is no start.
    async fn ask_key_service(&self, folders: &Folders) -> Result<(), CliError> {
        match self.vault.open_code_key(&folders.data.code_key()).await {
            Ok(()) => {}
            Err(error) if error.may_pass() => {
                tracing::error!(%error, "the server starts without its key service, and cannot unlock any organisation");
            }
            Err(error) => return Err(error.into()),
        }
        if matches!(folders.key, KeyProvider::Kms { .. } | KeyProvider::Transit(_)) {
            tokio::spawn(follow(Arc::downgrade(&self.vault), Arc::downgrade(&self.store), folders.data.code_key()));
        }
        Ok(())
    }
}

/// Asks a key service that fails again, until it answers. One that works is left alone.
async fn follow(vault: Weak<Vault>, store: Weak<dyn Store>, code_key: PathBuf) {
    let mut wait = FIRST_WAIT;
    loop {
        tokio::time::sleep(wait).await;
        let (Some(vault), Some(store)) = (vault.upgrade(), store.upgrade()) else { return };
        let before = vault.key_service();
        if before == KeyServiceState::Answers {
            wait = FIRST_WAIT;
            continue;
        }
        if vault.open_code_key(&code_key).await.is_err() {
            wait = (wait * 2).min(LONGEST_WAIT);
            continue;
        }
        if matches!(before, KeyServiceState::NeverAnswered(_))
            && let Err(error) = rewrap::check(store.as_ref(), vault.kek()).await
        {
            tracing::error!(%error, "some organisations cannot be unlocked");
        }
    }
}

impl Node {
    /// Assembles the server's components.
    pub(super) async fn assemble(settings: &Settings) -> Result<Self, CliError> {
        let store =
            SledSettings { cache_capacity: settings.store_cache, ..SledSettings::new(settings.folders.data.store()) };
        let safe = Safe::open(&settings.folders, store).await?;
        safe.ask_key_service(&settings.folders).await?;
        let registry = registry(
            &settings.folders,
            settings.grants,
            settings.limits.clone(),
            settings.egress.clone(),
            Some(Arc::clone(&safe.vault)),
        )
        .await?;
        let migrator = Arc::new(CredentialService::new(
            Arc::clone(&safe.store),
            Arc::clone(&safe.vault),
            Arc::clone(&registry),
            settings.policy.clone(),
        ));
        let importer = Importer::new(
            Arc::clone(&safe.store),
            Arc::clone(&safe.vault),
            Arc::clone(&migrator),
            settings.imports.clone(),
        );
        let readiness = Arc::new(Readiness::default());
        let client = WebhookClient::new(Egress::new(settings.egress.clone())?, settings.webhooks.response_time)?;
        let webhooks = Webhooks::new(Arc::clone(&safe.store), Arc::clone(&safe.vault), client.clone());
        let deliverer = Arc::new(Deliverer::new(
            Arc::clone(&safe.store),
            Arc::clone(&safe.vault),
            client,
            settings.webhooks.clone(),
        ));
        let api = Api::new(
            Arc::clone(&safe.store),
            migrator,
            Arc::clone(&importer),
            webhooks,
            Arc::clone(&readiness),
            settings.rate_limit,
            settings.http.body_timeout,
        );
        Ok(Self { safe, registry, readiness, deliverer, importer, api })
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
    let folder = folders.plugins.clone();
    bounded_file::within(&folders.plugins, PATIENCE, move || std::fs::create_dir_all(folder))
        .map_err(|error| format!("cannot make the plugin folder {}: {error}", folders.plugins.shown()))?;
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
