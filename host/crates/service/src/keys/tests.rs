use std::collections::BTreeMap;

use async_trait::async_trait;
use keyferry_store::{Rewrap, StoreResult};
use keyferry_vault::KeyEncryptionKey;
use parking_lot::Mutex;

use super::*;

/// Two roots. Another server seals under the first one just before it is disabled.
#[derive(Default)]
struct Overtaken {
    changes: Mutex<Vec<RootChange>>,
    sealed: Mutex<BTreeMap<u32, u64>>,
}

fn root(key_id: u32) -> RootRecord {
    RootRecord {
        key_id,
        kek_id: String::new(),
        wrapped: Vec::new(),
        also: Vec::new(),
        created_at: Timestamp::from_millis(0),
        disabled_at: None,
    }
}

#[async_trait]
impl RootStore for Overtaken {
    async fn roots(&self, _org: &OrgId) -> StoreResult<Vec<RootRecord>> {
        Ok(vec![root(1), root(2)])
    }

    async fn all_roots(&self) -> StoreResult<Vec<(OrgId, RootRecord)>> {
        Err(StoreError::Closed)
    }

    async fn first_kek(&self, _kek_id: &str) -> StoreResult<String> {
        Err(StoreError::Closed)
    }

    async fn add_root(&self, _org: &OrgId, _root: RootRecord, _audit: AuditEvent) -> StoreResult<()> {
        Err(StoreError::Closed)
    }

    async fn rewrap_root(&self, _rewrap: Rewrap) -> StoreResult<bool> {
        Err(StoreError::Closed)
    }

    async fn change_root(
        &self,
        _org: &OrgId,
        key_id: u32,
        change: RootChange,
        _audit: AuditEvent,
    ) -> StoreResult<RootRecord> {
        self.changes.lock().push(change);
        self.sealed.lock().insert(key_id, 1);
        Ok(root(key_id))
    }

    async fn sealed_under(&self, _org: &OrgId) -> StoreResult<BTreeMap<u32, u64>> {
        Ok(self.sealed.lock().clone())
    }

    async fn integrations_after(
        &self,
        _org: &OrgId,
        _after: Option<&IntegrationKey>,
        _limit: usize,
    ) -> StoreResult<Vec<IntegrationRecord>> {
        Err(StoreError::Closed)
    }

    async fn reseal(&self, _reseal: Reseal) -> StoreResult<bool> {
        Err(StoreError::Closed)
    }
}

#[tokio::test]
async fn a_root_that_another_server_seals_under_while_it_is_disabled_is_in_use_again() {
    let (store, vault) = (Overtaken::default(), Vault::new(KeyEncryptionKey::from_bytes(&[7; 32]).unwrap()));
    let org: OrgId = "acme".parse().unwrap();
    let refused = change(&store, &vault, &org, KeyId::new(1), RootChange::Disable).await.unwrap_err().to_string();
    assert!(refused.contains("has credentials sealed under it"), "{refused}");
    assert_eq!(*store.changes.lock(), [RootChange::Disable, RootChange::Enable]);
    // From then on it is refused before it is changed.
    change(&store, &vault, &org, KeyId::new(1), RootChange::Disable).await.unwrap_err();
    assert_eq!(store.changes.lock().len(), 2);
}
