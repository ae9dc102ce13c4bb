//! A store in a temporary folder, and records to put into it.

use std::collections::BTreeMap;
use std::ops::Deref;

use tempfile::TempDir;

use crate::sled::{SledSettings, SledStore};
use crate::*;
use keyferry_types::ids::{Environment, OrgId};

pub(super) struct Scratch {
    store: Option<SledStore>,
    folder: TempDir,
}

impl Scratch {
    pub(super) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = SledStore::open(settings(&folder)).await.unwrap();
        Self { store: Some(store), folder }
    }

    pub(super) fn folder(&self) -> &TempDir {
        &self.folder
    }

    /// Closes and opens again.
    pub(super) async fn reopened(mut self) -> Self {
        self.close_and_drop().await;
        self.store = Some(SledStore::open(settings(&self.folder)).await.unwrap());
        self
    }

    /// Drops the store and leaves its folder.
    pub(super) fn into_folder(mut self) -> TempDir {
        drop(self.store.take());
        self.folder
    }

    pub(super) async fn close_and_drop(&mut self) {
        if let Some(store) = self.store.take() {
            store.close().await.unwrap();
        }
    }
}

impl Deref for Scratch {
    type Target = SledStore;
    fn deref(&self) -> &SledStore {
        self.store.as_ref().unwrap()
    }
}

pub(super) fn settings(folder: &TempDir) -> SledSettings {
    let mut settings = SledSettings::new(folder.path().join("store"));
    settings.cache_capacity = 8 << 20;
    settings.min_free = 1 << 20;
    settings
}

pub(super) fn org() -> OrgId {
    "acme".parse().unwrap()
}

pub(super) fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

pub(super) fn account_key(account: &str) -> AccountKey {
    AccountKey { org: org(), environment: Environment::Test, account: account.parse().unwrap() }
}

pub(super) fn event(action: AuditAction) -> AuditEvent {
    AuditEvent::new(action, "tk_abcd", "done").in_environment(Environment::Test).for_request("r-1").at(at(1_000))
}

pub(super) fn put(mode: PutMode, account: &str) -> AccountWrite {
    let audit = event(AuditAction::AccountPut);
    AccountWrite { mode, key: account_key(account), id: ObjectId::generate(), name: None, udf: Vec::new(), audit }
}

pub(super) async fn with_account(store: &SledStore, account: &str) {
    store.put_account(put(PutMode::Create, account)).await.unwrap();
}

pub(super) fn record(account: &str, slug: &str, version: u64) -> IntegrationRecord {
    IntegrationRecord {
        id: ObjectId::generate(),
        org: org(),
        environment: Environment::Test,
        account: account.parse().unwrap(),
        slug: slug.parse().unwrap(),
        auth_type: "oauth2".parse().unwrap(),
        version,
        key_id: 1,
        envelope: vec![7; 300],
        standing: VerificationStatus::Unverified { reason: "asked for".to_owned() },
        provider_account_id: Some("portal-1".to_owned()),
        display_name: None,
        scopes: vec!["crm.read".to_owned()],
        expires_at: None,
        warnings: Vec::new(),
        config: BTreeMap::from([("instance_url".to_owned(), "https://a.example.com".to_owned())]),
        reauth: Reauth::NotRequired,
        created_at: at(1),
        updated_at: at(version),
        verified_at: None,
        check: None,
    }
}

pub(super) fn migration(account: &str, slug: &str, version: u64) -> MigrationWrite {
    MigrationWrite {
        record: record(account, slug, version),
        expect: if version == 1 { Expect::Absent } else { Expect::Version(version - 1) },
        audit: event(AuditAction::CredentialMigrated),
        idempotency: None,
        row: None,
    }
}

pub(super) fn api_key(byte: u8, of: OrgId) -> ApiKeyRecord {
    ApiKeyRecord {
        hash: [byte; 32],
        org: of,
        environment: Environment::Test,
        label: "ci".to_owned(),
        scopes: vec![Scope::Migrate],
        shown: "tk_abcd".to_owned(),
        created_at: at(u64::from(byte)),
        expires_at: None,
        revoked_at: None,
        last_used_at: None,
    }
}

pub(super) fn root(key_id: u32, byte: u8) -> RootRecord {
    RootRecord {
        key_id,
        kek_id: "0011223344556677".to_owned(),
        wrapped: vec![byte; 62],
        also: Vec::new(),
        created_at: at(1),
        disabled_at: None,
    }
}
