//! Records to put into a store.

use std::collections::BTreeMap;

use crate::*;
use keyferry_types::ids::{Environment, OrgId};

pub(crate) fn org() -> OrgId {
    "acme".parse().unwrap()
}

pub(crate) fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

pub(crate) fn account_key(account: &str) -> AccountKey {
    AccountKey { org: org(), environment: Environment::Test, account: account.parse().unwrap() }
}

pub(crate) fn event(action: AuditAction) -> AuditEvent {
    AuditEvent::new(action, "tk_abcd", "done").in_environment(Environment::Test).for_request("r-1").at(at(1_000))
}

pub(crate) fn put(mode: PutMode, account: &str) -> AccountWrite {
    let audit = event(AuditAction::AccountPut);
    AccountWrite { mode, key: account_key(account), id: ObjectId::generate(), name: None, udf: Vec::new(), audit }
}

pub(crate) async fn with_account(store: &dyn Store, account: &str) {
    store.put_account(put(PutMode::Create, account)).await.unwrap();
}

pub(crate) fn record(account: &str, slug: &str, version: u64) -> IntegrationRecord {
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
        renewals: BTreeMap::new(),
    }
}

pub(crate) fn migration(account: &str, slug: &str, version: u64) -> MigrationWrite {
    MigrationWrite {
        record: record(account, slug, version),
        expect: if version == 1 { Expect::Absent } else { Expect::Version(version - 1) },
        audit: event(AuditAction::CredentialMigrated),
        idempotency: None,
        row: None,
    }
}

pub(crate) fn api_key(byte: u8, of: OrgId) -> ApiKeyRecord {
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

pub(crate) fn root(key_id: u32, byte: u8) -> RootRecord {
    RootRecord {
        key_id,
        kek_id: "0011223344556677".to_owned(),
        wrapped: vec![byte; 62],
        also: Vec::new(),
        created_at: at(1),
        disabled_at: None,
    }
}
