//! The components of a rung: keys, plugins, vault and store.

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use keyferry_egress::{Egress, EgressSettings, Loopback};
use keyferry_sandbox::{GrantPolicy, Registry, RegistrySettings, Sandbox, SandboxLimits};
use keyferry_service::keys;
use keyferry_store::sled::{SledSettings, SledStore};
use keyferry_store::{
    AccountKey, AccountStore as _, AccountWrite, ApiKeyRecord, ApiKeyStore as _, AuditAction, AuditEvent, NewApiKey,
    ObjectId, PutMode, RootRecord, Scope, Timestamp,
};
use keyferry_types::ids::{Environment, LinkedAccountId, OrgId};
use keyferry_vault::{ApiKey, KeyEncryptionKey, KeyId, Vault};

use super::process::RungSettings;

/// Accounts that are created concurrently, so that they share commits.
const AT_ONCE: usize = 64;

/// The registry of the rung's plugins.
pub(super) async fn registry(settings: &RungSettings) -> Result<Arc<Registry>, Box<dyn Error>> {
    let egress = EgressSettings {
        ca_file: Some(settings.ca.clone()),
        dev_resolve: settings.resolve.iter().map(|rule| rule.parse()).collect::<Result<_, _>>()?,
        loopback: Loopback::AllowedForDevelopment,
        ..EgressSettings::default()
    };
    let registry = RegistrySettings {
        folder: settings.plugins.clone(),
        lock: settings.data.join("keyferry.lock"),
        versions: settings.data.join("versions"),
        policy: GrantPolicy::OnDrop,
    };
    let sandbox = Arc::new(Sandbox::new(SandboxLimits::default(), None)?);
    Ok(Registry::open(registry, sandbox, Arc::new(Egress::new(egress)?)).await?)
}

/// The keys, and the vault that seals under them.
pub(super) struct Keys {
    pub(super) vault: Vault,
    pub(super) record: ApiKeyRecord,
    pub(super) org: OrgId,
    root: RootRecord,
}

impl Keys {
    pub(super) async fn make(api_key: &ApiKey) -> Result<Self, Box<dyn Error>> {
        let org: OrgId = keyferry_tests::ORG.parse()?;
        let vault = Vault::new(KeyEncryptionKey::from_bytes(&api_key.hash())?);
        let made = vault.create_root(&org, KeyId::FIRST).await?;
        let now = Timestamp::now();
        let root = keys::stored(&made.wrapped, now);
        vault.adopt_root(&org, made);
        let record = ApiKeyRecord {
            hash: api_key.hash(),
            org: org.clone(),
            environment: api_key.environment(),
            label: "bench".to_owned(),
            scopes: vec![Scope::Migrate],
            shown: api_key.shown().to_owned(),
            created_at: now,
            expires_at: None,
            revoked_at: None,
            last_used_at: None,
        };
        Ok(Self { vault, record, org, root })
    }

    /// A store that has the API key and the linked accounts.
    pub(super) async fn store(&self, folder: PathBuf, accounts: usize) -> Result<Arc<SledStore>, Box<dyn Error>> {
        let store = Arc::new(SledStore::open(SledSettings::new(folder)).await?);
        let audit = event(AuditAction::ApiKeyCreated);
        let new = NewApiKey { record: self.record.clone(), root: Some(self.root.clone()), audit };
        store.create_api_key(new).await?;
        stream::iter(0..accounts)
            .map(|number| {
                let store = Arc::clone(&store);
                async move {
                    let key = self.account(format!("bench_{number}").parse()?);
                    let audit = event(AuditAction::AccountPut).on_account(&key);
                    let (mode, id) = (PutMode::Create, ObjectId::generate());
                    store.put_account(AccountWrite { mode, key, id, name: None, udf: Vec::new(), audit }).await?;
                    Ok::<_, Box<dyn Error>>(())
                }
            })
            .buffer_unordered(AT_ONCE)
            .try_collect::<()>()
            .await?;
        Ok(store)
    }

    pub(super) fn account(&self, account: LinkedAccountId) -> AccountKey {
        AccountKey { org: self.org.clone(), environment: Environment::Test, account }
    }
}

/// An audit event of no account.
pub(super) fn event(action: AuditAction) -> AuditEvent {
    AuditEvent::new(action, "bench", "done").in_environment(Environment::Test)
}
