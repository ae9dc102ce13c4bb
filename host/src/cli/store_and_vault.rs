//! The store and the vault: all that is needed where no plugin runs.

use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::config::Folders;
use super::error::CliError;
use keyferry_service::{ServiceError, rewrap};
use keyferry_store::Store;
use keyferry_store::postgres::{Access, PostgresSettings, PostgresStore};
use keyferry_store::sled::{SledSettings, SledStore};
use keyferry_types::path_text::ShowPath as _;
use keyferry_vault::{CreateKey, KeyProvider, KeyServiceState, Vault, VaultError};

/// The first and the longest wait until a key service that fails is called again.
const FIRST_WAIT: Duration = Duration::from_secs(2);
const LONGEST_WAIT: Duration = Duration::from_secs(15);

/// The opened store, and the vault whose keys seal what is in it.
pub(super) struct StoreAndVault {
    pub(super) vault: Arc<Vault>,
    pub(super) store: Arc<dyn Store>,
    /// The file of the key, if it was created.
    pub(super) new_key: Option<PathBuf>,
}

impl StoreAndVault {
    /// Loads the key, or creates one if there is neither key nor store, and opens the store.
    ///
    /// `cache` is the memory for pages of a store in the data folder. `access` says what a database is opened for.
    pub(super) async fn open(folders: &Folders, cache: Option<u64>, access: Access) -> Result<Self, CliError> {
        if folders.database.is_none() && folders.data.store_identity().exists() && !folders.data.store().exists() {
            return Err(format!(
                "{} belongs to a server whose store is a database: name that by --store or KEYFERRY_STORE_URL; to begin a store in this folder, \
                 remove the file {}",
                folders.data.path().shown(),
                folders.data.store_identity().shown()
            )
            .into());
        }
        let database = match &folders.database {
            Some(settings) => Some(open_database(settings, folders.data.store_identity(), access).await?),
            None => None,
        };
        // A new key opens nothing in an existing store: the missing key must be found, not replaced.
        let is_empty = match &database {
            Some(store) => store.all_roots().await?.is_empty(),
            None => !folders.data.store().exists(),
        };
        let create = if is_empty { CreateKey::Allowed } else { CreateKey::Refused };
        let new_key = match &folders.key {
            KeyProvider::File(file) if create == CreateKey::Allowed && !file.exists() => Some(file.clone()),
            _ => None,
        };
        let vault = Arc::new(Vault::new(folders.key.load(create).await?));
        if let Some(database) = database.as_deref().filter(|_| is_empty) {
            require_first_key(database, &vault, &folders.key).await?;
        }
        let store: Arc<dyn Store> = match database {
            Some(store) => store,
            None => {
                let mut settings = SledSettings::new(folders.data.store());
                settings.cache_capacity = cache.unwrap_or(settings.cache_capacity);
                Arc::new(SledStore::open(settings).await?)
            }
        };
        match rewrap::check(store.as_ref(), vault.kek()).await {
            // Only the key service knows the key; its error is reported by the operation that needs the key.
            Ok(()) | Err(ServiceError::Vault(VaultError::KeyService(_))) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(Self { vault, store, new_key })
    }

    /// Calls the key service for the first time.
    ///
    /// If it is unavailable, the server starts anyway: requests that need no key are served, `/readyz` reports that no
    /// organisation can be unlocked, and the key service is called again until it responds. If it refuses, or has no such key,
    /// waiting does not help, and the server does not start.
    pub(super) async fn call_key_service(&self, folders: &Folders) -> Result<(), CliError> {
        match self.vault.open_code_key(&folders.data.code_key()).await {
            Ok(()) => {}
            Err(error) if error.may_pass() => {
                tracing::error!(%error, "the server starts without its key service, and cannot unlock any organisation");
            }
            Err(error) => return Err(error.into()),
        }
        if matches!(folders.key, KeyProvider::Kms { .. } | KeyProvider::Transit(_)) {
            tokio::spawn(watch_key_service(
                Arc::downgrade(&self.vault),
                Arc::downgrade(&self.store),
                folders.data.code_key(),
            ));
        }
        Ok(())
    }
}

async fn open_database(
    settings: &PostgresSettings,
    identity: PathBuf,
    access: Access,
) -> Result<Arc<dyn Store>, CliError> {
    let mut settings = settings.clone();
    (settings.access, settings.identity) = (access, Some(identity));
    Ok(Arc::new(PostgresStore::open(settings).await?))
}

/// Of several servers that begin with an empty database, all must have the same key.
async fn require_first_key(database: &dyn Store, vault: &Vault, key: &KeyProvider) -> Result<(), CliError> {
    // Where a key service does not respond yet, each root says later which key it needs.
    let Ok(ours) = vault.kek().id().await else { return Ok(()) };
    let first = database.first_kek(&ours).await?;
    if first == ours {
        return Ok(());
    }
    let place = match key {
        KeyProvider::File(file) => format!("the one in {}", file.shown()),
        _ => "the one of this server".to_owned(),
    };
    Err(format!(
        "another server has begun this database with the key-encryption key {first}, and {place} is {ours}: all servers of a database \
         need the same key, so give this one that key (`--key-file`)"
    )
    .into())
}

/// Calls a failing key service again until it responds. One that works is not called.
async fn watch_key_service(vault: Weak<Vault>, store: Weak<dyn Store>, code_key: PathBuf) {
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
