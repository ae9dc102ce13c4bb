//! Integrations: reading, verifying again, deleting.

use async_trait::async_trait;

use super::engine::Engine;
use super::hints::Hints;
use super::table::Table;
use super::view::View;
use super::{audit_chain, keys, outbox};
use crate::{
    AuditEvent, CheckWrite, Checked, ConnectionEvent, DeleteOutcome, IntegrationKey, IntegrationRecord,
    IntegrationStore, IntegrationVersion, Reauth, StoreError, StoreResult,
};
use keyferry_types::ids::AuthTypeName;

#[async_trait]
impl<E: Engine> IntegrationStore for E {
    async fn integration(&self, key: &IntegrationKey) -> StoreResult<Option<IntegrationRecord>> {
        self.record(Table::Integrations, &keys::integration(key)).await
    }

    async fn integration_version(&self, key: &IntegrationKey) -> StoreResult<Option<IntegrationVersion>> {
        self.record(Table::Integrations, &keys::integration(key)).await
    }

    async fn read_integration(
        &self,
        key: &IntegrationKey,
        audit: AuditEvent,
    ) -> StoreResult<Option<IntegrationRecord>> {
        let hints = self.hints(|hints| hint(hints, key));
        let key = key.clone();
        self.write(1024, hints, move |view| read(view, &key, &audit)).await
    }

    async fn commit_check(&self, write: CheckWrite) -> StoreResult<Checked> {
        let weight = write.record.envelope.len() + 1024;
        let hints = self.hints(|hints| hint(hints, &write.record.key()));
        self.write(weight, hints, move |view| commit_check(view, &write)).await
    }

    async fn delete_integration(
        &self,
        key: &IntegrationKey,
        only_auth_type: Option<AuthTypeName>,
        audit: AuditEvent,
    ) -> StoreResult<DeleteOutcome> {
        let hints = self.hints(|hints| hint(hints, key));
        let key = key.clone();
        self.write(1024, hints, move |view| delete(view, &key, only_auth_type.as_ref(), &audit)).await
    }

    async fn delete_version(&self, key: &IntegrationKey, version: u64, audit: AuditEvent) -> StoreResult<()> {
        let hints = self.hints(|hints| hint(hints, key));
        let key = key.clone();
        self.write(1024, hints, move |view| delete_version(view, &key, version, &audit)).await
    }
}

/// What is read of an integration that is read or written.
fn hint(hints: &mut Hints, key: &IntegrationKey) {
    hints.row(Table::Integrations, keys::integration(key));
}

/// Implements [`IntegrationStore::read_integration`].
fn read(view: &mut View<'_>, key: &IntegrationKey, event: &AuditEvent) -> StoreResult<Option<IntegrationRecord>> {
    let stored = view.get::<IntegrationRecord>(Table::Integrations, &keys::integration(key))?;
    if stored.is_some() {
        audit_chain::append(view, &key.account.org, event)?;
    }
    Ok(stored)
}

/// Implements [`IntegrationStore::commit_check`].
fn commit_check(view: &mut View<'_>, write: &CheckWrite) -> StoreResult<Checked> {
    let CheckWrite { record: found, audit: event } = write;
    let key = found.key();
    let row = keys::integration(&key);
    let stored: Option<IntegrationRecord> = view.get(Table::Integrations, &row)?;
    let Some(stored) = stored.filter(|stored| stored.id == found.id && stored.version == found.version) else {
        return Ok(Checked::Overtaken);
    };
    let expires = stored.reauth == Reauth::NotRequired && found.reauth == Reauth::Required;
    // The envelope stays as it is: it may have been sealed anew meanwhile.
    let record = IntegrationRecord {
        standing: found.standing.clone(),
        provider_account_id: found.provider_account_id.clone(),
        display_name: found.display_name.clone(),
        scopes: found.scopes.clone(),
        expires_at: found.expires_at,
        warnings: found.warnings.clone(),
        config: found.config.clone(),
        reauth: found.reauth,
        verified_at: found.verified_at,
        check: found.check.clone(),
        ..stored
    };
    view.put(Table::Integrations, row, &record)?;
    if expires {
        outbox::put(view, &key, ConnectionEvent::Expired, event.at)?;
    }
    audit_chain::append(view, &key.account.org, event)?;
    Ok(Checked::Written(Box::new(record)))
}

/// Implements [`IntegrationStore::delete_integration`].
fn delete(
    view: &mut View<'_>,
    key: &IntegrationKey,
    only: Option<&AuthTypeName>,
    event: &AuditEvent,
) -> StoreResult<DeleteOutcome> {
    let row = keys::integration(key);
    let stored = view.get::<IntegrationRecord>(Table::Integrations, &row)?;
    match stored.filter(|stored| only.is_none_or(|only| stored.auth_type == *only)) {
        None => Ok(DeleteOutcome::Absent),
        Some(stored) => {
            view.remove(Table::Integrations, row);
            outbox::put(view, key, ConnectionEvent::Deleted, event.at)?;
            audit_chain::append(view, &key.account.org, event)?;
            Ok(DeleteOutcome::Deleted(Box::new(stored)))
        }
    }
}

/// Implements [`IntegrationStore::delete_version`].
fn delete_version(view: &mut View<'_>, key: &IntegrationKey, version: u64, event: &AuditEvent) -> StoreResult<()> {
    let row = keys::integration(key);
    let stored: Option<IntegrationRecord> = view.get(Table::Integrations, &row)?;
    let current = stored.map(|stored| stored.version);
    if current != Some(version) {
        return Err(StoreError::Conflict { current });
    }
    view.remove(Table::Integrations, row);
    audit_chain::append(view, &key.account.org, event)
}
