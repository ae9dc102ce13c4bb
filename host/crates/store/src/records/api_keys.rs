//! API keys. Organisations have few keys, and all of them together are few: there is no index by organisation.

use async_trait::async_trait;

use super::codec::encode;
use super::engine::Engine;
use super::hints::Hints;
use super::rows::{Range, Rows};
use super::table::Table;
use super::view::View;
use super::{audit_chain, keys};
use crate::{ApiKeyRecord, ApiKeyStore, AuditEvent, Kept, NewApiKey, StoreError, StoreResult, Timestamp};
use keyferry_types::ids::OrgId;

#[async_trait]
impl<E: Engine> ApiKeyStore for E {
    async fn create_api_key(&self, new: NewApiKey) -> StoreResult<()> {
        encode(Table::ApiKeys, &new.record)?;
        self.write(1024, Hints::default(), move |view| create(view, &new)).await
    }

    async fn api_key(&self, hash: &[u8; 32]) -> StoreResult<Option<ApiKeyRecord>> {
        self.record(Table::ApiKeys, hash).await
    }

    async fn api_keys(&self, org: &OrgId) -> StoreResult<Vec<ApiKeyRecord>> {
        let org = org.clone();
        self.scan(move |rows| of_org(rows, &org)).await
    }

    async fn revoke_api_key(
        &self,
        org: &OrgId,
        hash: &[u8; 32],
        audit: AuditEvent,
    ) -> StoreResult<Option<ApiKeyRecord>> {
        let (org, hash) = (org.clone(), *hash);
        self.write(1024, Hints::default(), move |view| revoke(view, &org, &hash, &audit)).await
    }

    async fn touch_api_key(&self, hash: &[u8; 32], at: Timestamp) -> StoreResult<()> {
        let hash = *hash;
        let hints = self.hints(|hints| hints.row(Table::ApiKeys, hash.to_vec()));
        self.write(512, hints, move |view| touch(view, &hash, at)).await
    }
}

/// Implements [`ApiKeyStore::api_keys`].
fn of_org(rows: &dyn Rows, org: &OrgId) -> StoreResult<Vec<ApiKeyRecord>> {
    let mut keys: Vec<ApiKeyRecord> = rows.records(Table::ApiKeys, Range::of(&[]))?;
    keys.retain(|key| key.org == *org);
    keys.sort_by_key(|key| (key.created_at, key.hash));
    Ok(keys)
}

/// Implements [`ApiKeyStore::create_api_key`].
fn create(view: &mut View<'_>, new: &NewApiKey) -> StoreResult<()> {
    let record = &new.record;
    if view.has(Table::ApiKeys, &record.hash)? {
        return Err(StoreError::ApiKeyExists);
    }
    view.put(Table::ApiKeys, record.hash.to_vec(), record)?;
    if let Some(root) = &new.root
        && view.scan(Table::Roots, &keys::org(&record.org))?.is_empty()
    {
        view.put(Table::Roots, keys::root(&record.org, root.key_id), root)?;
    }
    audit_chain::append(view, &record.org, &new.audit)
}

/// Implements [`ApiKeyStore::revoke_api_key`].
fn revoke(view: &mut View<'_>, org: &OrgId, hash: &[u8; 32], event: &AuditEvent) -> StoreResult<Option<ApiKeyRecord>> {
    let found = view.get::<ApiKeyRecord>(Table::ApiKeys, hash)?.filter(|record| record.org == *org);
    let Some(mut record) = found else { return Ok(None) };
    if record.revoked_at.is_none() {
        record.revoked_at = Some(event.at);
        view.put(Table::ApiKeys, hash.to_vec(), &record)?;
        view.changes(Kept::ApiKeys)?;
        audit_chain::append(view, org, event)?;
    }
    Ok(Some(record))
}

/// Implements [`ApiKeyStore::touch_api_key`].
fn touch(view: &mut View<'_>, hash: &[u8; 32], at: Timestamp) -> StoreResult<()> {
    let Some(mut record) = view.get::<ApiKeyRecord>(Table::ApiKeys, hash)? else { return Ok(()) };
    if record.last_used_at.is_none_or(|last| last < at) {
        record.last_used_at = Some(at);
        view.put(Table::ApiKeys, hash.to_vec(), &record)?;
    }
    Ok(())
}
