//! Renewals: the intent, the renewed credential, the failure.

use async_trait::async_trait;

use super::claims::{claim, release};
use super::engine::Engine;
use super::hints::Hints;
use super::host::Host;
use super::table::Table;
use super::view::View;
use super::{audit_chain, keys, outbox, roots};
use crate::{
    BeginRenewal, Begun, Claim, ConnectionEvent, IntegrationKey, IntegrationRecord, ObjectId, Reauth, Renewal,
    RenewalEnd, RenewalStore, RenewalWrite, StoreError, StoreResult, Work,
};

#[async_trait]
impl<E: Engine> RenewalStore for E {
    async fn begin_renewal(&self, renewal: BeginRenewal) -> StoreResult<Begun> {
        let (host, work) = (self.host(), work(&renewal.key));
        let hints = self.hints(|hints| hint(hints, &renewal.key, &work));
        self.write(4096, hints, move |view| begin(view, &renewal, host, &work)).await
    }

    async fn commit_renewal(&self, write: RenewalWrite) -> StoreResult<Renewal> {
        let (host, work) = (self.host(), work(&write.key));
        let hints = self.hints(|hints| {
            hint(hints, &write.key, &work);
            roots::hint(hints, &write.key.account.org, write.key_id);
        });
        self.write(write.envelope.len() + 4096, hints, move |view| commit(view, &write, host, &work)).await
    }

    async fn end_renewal(&self, end: RenewalEnd) -> StoreResult<Renewal> {
        let (host, work) = (self.host(), work(&end.key));
        let hints = self.hints(|hints| hint(hints, &end.key, &work));
        self.write(4096, hints, move |view| finish(view, &end, host, &work)).await
    }
}

fn work(key: &IntegrationKey) -> Vec<u8> {
    keys::work(&Work::Renewal(key.clone()))
}

fn hint(hints: &mut Hints, key: &IntegrationKey, work: &[u8]) {
    hints.row(Table::Integrations, keys::integration(key));
    hints.row(Table::Claims, work.to_vec());
}

/// The integration, if it is the version that was read.
fn stored(view: &View<'_>, key: &IntegrationKey, id: ObjectId, version: u64) -> StoreResult<Option<IntegrationRecord>> {
    let stored: Option<IntegrationRecord> = view.get(Table::Integrations, &keys::integration(key))?;
    Ok(stored.filter(|stored| stored.id == id && stored.version == version))
}

/// Implements [`RenewalStore::begin_renewal`].
fn begin(view: &mut View<'_>, renewal: &BeginRenewal, host: Option<Host>, work: &[u8]) -> StoreResult<Begun> {
    let BeginRenewal { key, id, version, pair, intent, after } = renewal;
    let Some(mut record) = stored(view, key, *id, *version)? else { return Ok(Begun::Overtaken) };
    if let Some(host) = host
        && claim(view, work, host)? == Claim::Theirs
    {
        return Ok(Begun::Theirs);
    }
    let state = record.renewals.entry(pair.clone()).or_default();
    match &state.intent {
        Some(interrupted) if Some(interrupted) != after.as_ref() => {
            let interrupted = interrupted.clone();
            give_up(view, work, host)?;
            return Ok(Begun::Interrupted(interrupted));
        }
        _ => state.intent = Some(intent.clone()),
    }
    view.put(Table::Integrations, keys::integration(key), &record)?;
    Ok(Begun::Ours)
}

/// Implements [`RenewalStore::commit_renewal`].
fn commit(view: &mut View<'_>, write: &RenewalWrite, host: Option<Host>, work: &[u8]) -> StoreResult<Renewal> {
    let RenewalWrite { key, id, version, pair, state, envelope, key_id, expires_at, scopes, config, audit } = write;
    let Some(mut record) = stored(view, key, *id, *version)? else {
        give_up(view, work, host)?;
        return Ok(Renewal::Overtaken);
    };
    roots::require_in_use(view, &key.account.org, *key_id)?;
    let next = version.checked_add(1).ok_or(StoreError::Contradiction("an integration has no further version"))?;
    record.renewals.insert(pair.clone(), state.clone());
    record.config.extend(config.iter().map(|(name, value)| (name.clone(), value.clone())));
    let record = IntegrationRecord {
        version: next,
        key_id: *key_id,
        envelope: envelope.clone(),
        expires_at: *expires_at,
        scopes: scopes.clone().unwrap_or(record.scopes),
        reauth: Reauth::NotRequired,
        updated_at: audit.at,
        ..record
    };
    view.put(Table::Integrations, keys::integration(key), &record)?;
    give_up(view, work, host)?;
    audit_chain::append(view, &key.account.org, audit)?;
    Ok(Renewal::Written(Box::new(record)))
}

/// Implements [`RenewalStore::end_renewal`].
fn finish(view: &mut View<'_>, end: &RenewalEnd, host: Option<Host>, work: &[u8]) -> StoreResult<Renewal> {
    let RenewalEnd { key, id, version, pair, state, reauth, audit } = end;
    give_up(view, work, host)?;
    let Some(mut record) = stored(view, key, *id, *version)? else { return Ok(Renewal::Overtaken) };
    let expires = record.reauth == Reauth::NotRequired && *reauth == Reauth::Required;
    record.renewals.insert(pair.clone(), state.clone());
    record.reauth = *reauth;
    view.put(Table::Integrations, keys::integration(key), &record)?;
    if expires {
        outbox::put(view, key, ConnectionEvent::Expired, audit.at)?;
    }
    audit_chain::append(view, &key.account.org, audit)?;
    Ok(Renewal::Written(Box::new(record)))
}

/// Lets other hosts renew the integration.
fn give_up(view: &mut View<'_>, work: &[u8], host: Option<Host>) -> StoreResult<()> {
    host.map_or(Ok(()), |host| release(view, work, host))
}
