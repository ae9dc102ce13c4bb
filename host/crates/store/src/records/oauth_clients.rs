//! OAuth clients: stored, replaced, deleted, refused by their providers.

use async_trait::async_trait;

use super::codec::encode;
use super::engine::Engine;
use super::hints::Hints;
use super::rows::Range;
use super::table::Table;
use super::view::View;
use super::{audit_chain, keys, roots};
use crate::{
    AuditEvent, ClientRefusal, Expect, OAuthClientKey, OAuthClientRecord, OAuthClientReseal, OAuthClientStore,
    OAuthClientVersion, OAuthClientWrite, StoreError, StoreResult,
};
use keyferry_types::ids::{Environment, OrgId, Slug};

#[async_trait]
impl<E: Engine> OAuthClientStore for E {
    async fn put_oauth_client(&self, write: OAuthClientWrite) -> StoreResult<()> {
        let weight = encode(Table::OAuthClients, &write.record)?.len() + 1024;
        self.write(weight, Hints::default(), move |view| put(view, &write)).await
    }

    async fn oauth_client(&self, key: &OAuthClientKey) -> StoreResult<Option<OAuthClientRecord>> {
        self.record(Table::OAuthClients, &keys::oauth_client(key)).await
    }

    async fn oauth_clients(
        &self,
        org: &OrgId,
        environment: Environment,
        slug: Option<&Slug>,
    ) -> StoreResult<Vec<OAuthClientRecord>> {
        let prefix = match slug {
            Some(slug) => keys::oauth_clients_of(org, environment, slug),
            None => keys::environment(org, environment),
        };
        let read = self.read(move |rows| rows.records(Table::OAuthClients, Range::of(&prefix)));
        let mut clients: Vec<OAuthClientRecord> = read.await?;
        clients.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(clients)
    }

    async fn delete_oauth_client(
        &self,
        key: &OAuthClientKey,
        version: OAuthClientVersion,
        audit: AuditEvent,
    ) -> StoreResult<bool> {
        let key = key.clone();
        let delete = move |view: &mut View<'_>| {
            if stored(view, &key, version)?.is_none() {
                return Ok(false);
            }
            view.remove(Table::OAuthClients, keys::oauth_client(&key));
            audit_chain::append(view, &key.org, &audit)?;
            Ok(true)
        };
        self.write(1024, Hints::default(), delete).await
    }

    async fn note_refused(
        &self,
        key: &OAuthClientKey,
        version: OAuthClientVersion,
        refused: Option<ClientRefusal>,
        audit: AuditEvent,
    ) -> StoreResult<bool> {
        let key = key.clone();
        self.write(4096, Hints::default(), move |view| note_refused(view, &key, version, refused.as_ref(), &audit))
            .await
    }

    async fn reseal_oauth_client(&self, reseal: OAuthClientReseal) -> StoreResult<bool> {
        self.write(reseal.envelope.len() + 1024, Hints::default(), move |view| reseal_client(view, &reseal)).await
    }
}

/// The client, if it is in this state.
fn stored(
    view: &View<'_>,
    key: &OAuthClientKey,
    version: OAuthClientVersion,
) -> StoreResult<Option<OAuthClientRecord>> {
    let stored: Option<OAuthClientRecord> = view.get(Table::OAuthClients, &keys::oauth_client(key))?;
    Ok(stored.filter(|stored| stored.state() == version))
}

/// Implements [`OAuthClientStore::put_oauth_client`].
fn put(view: &mut View<'_>, write: &OAuthClientWrite) -> StoreResult<()> {
    let OAuthClientWrite { record, expect, most, audit: event } = write;
    let row = keys::oauth_client(&record.key);
    let current = view.get::<OAuthClientRecord>(Table::OAuthClients, &row)?.map(|stored| stored.state());
    let expected = match expect {
        Expect::Absent => None,
        Expect::Version(version) => Some(OAuthClientVersion { id: record.id, version: *version }),
    };
    if current != expected {
        return Err(StoreError::Conflict { current: current.map(|current| current.version) });
    }
    let all = keys::environment(&record.key.org, record.key.environment);
    if current.is_none() && view.scan(Table::OAuthClients, &all)?.len() >= *most {
        return Err(StoreError::TooManyOAuthClients { most: *most });
    }
    roots::require_in_use(view, &record.key.org, record.key_id)?;
    view.put(Table::OAuthClients, row, record)?;
    audit_chain::append(view, &record.key.org, event)
}

/// Implements [`OAuthClientStore::note_refused`].
fn note_refused(
    view: &mut View<'_>,
    key: &OAuthClientKey,
    version: OAuthClientVersion,
    refused: Option<&ClientRefusal>,
    event: &AuditEvent,
) -> StoreResult<bool> {
    let Some(record) = stored(view, key, version)? else { return Ok(false) };
    if record.refused.is_some() == refused.is_some() {
        return Ok(false);
    }
    let record = OAuthClientRecord { refused: refused.cloned(), ..record };
    view.put(Table::OAuthClients, keys::oauth_client(key), &record)?;
    audit_chain::append(view, &key.org, event)?;
    Ok(true)
}

/// Implements [`OAuthClientStore::reseal_oauth_client`].
fn reseal_client(view: &mut View<'_>, reseal: &OAuthClientReseal) -> StoreResult<bool> {
    let OAuthClientReseal { key, version, from, to, envelope, audit: event } = reseal;
    let found = stored(view, key, *version)?.filter(|stored| stored.key_id == *from);
    let Some(record) = found else { return Ok(false) };
    roots::require_in_use(view, &key.org, *to)?;
    let record = OAuthClientRecord { key_id: *to, envelope: envelope.clone(), ..record };
    view.put(Table::OAuthClients, keys::oauth_client(key), &record)?;
    audit_chain::append(view, &key.org, event)?;
    Ok(true)
}
