//! Operations on the roots of an organisation: unlock, rotate, disable, destroy; and resealing of credentials under the newest
//! root while requests are served.
//!
//! The highest root seals; each that is in use opens. After a rotation, credentials under the old root and under the new one are
//! both readable, so that resealing can stop and resume at any point.

use std::sync::Arc;

use futures_util::stream::{self, StreamExt as _};

use super::error::ServiceError;
use super::rewrap::wrapped_by;
use super::sealing::{envelope, oauth_client_context, seal_context, webhook_context};
use keyferry_store::{
    AuditAction, AuditEvent, Expect, IntegrationKey, IntegrationRecord, OAuthClientRecord, OAuthClientReseal, Reseal,
    RootChange, RootRecord, RootStore, Store, StoreError, Timestamp, WebhookRecord, WebhookWrite,
};
use keyferry_types::ids::{Environment, OrgId};
use keyferry_vault::{Envelope, KeyId, Vault, VaultError, WrappedRoot};

/// Credentials that are resealed concurrently: enough to fill batches of the store.
const AT_ONCE: usize = 64;

/// Unwraps all roots of an organisation that are in use onto the vault's key ring, unless they are on it.
///
/// # Errors
/// If they cannot be read or unwrapped.
pub async fn unlock(store: &dyn RootStore, vault: &Vault, org: &OrgId) -> Result<(), ServiceError> {
    let roots = async {
        let (roots, kek_id) = (store.roots(org).await?, vault.kek().id().await?);
        let in_use = roots.iter().filter(|root| root.disabled_at.is_none());
        Ok(in_use.map(|root| wrapped_by(root, &kek_id)).collect())
    };
    vault.unlock_all(org, roots).await
}

/// Brings the key ring in line with the store after another host has changed roots: those that were taken out of use go, new ones come.
///
/// # Errors
/// If they cannot be read or unwrapped. What was done before stays.
pub async fn refresh(store: &dyn RootStore, vault: &Vault) -> Result<(), ServiceError> {
    for (org, known) in vault.on_ring() {
        let mut roots = store.roots(&org).await?;
        roots.retain(|root| root.disabled_at.is_none());
        for gone in known.iter().filter(|known| roots.iter().all(|root| root.key_id != known.get())) {
            vault.lock_root(&org, *gone);
        }
        let kek_id = vault.kek().id().await?;
        for root in roots.iter().filter(|root| known.iter().all(|known| root.key_id != known.get())) {
            vault.unlock_root(&org, &wrapped_by(root, &kek_id)).await?;
        }
    }
    Ok(())
}

/// Creates a further root, which seals from then on.
///
/// # Errors
/// If the organisation has no root, or the new one cannot be stored. The key ring is unchanged then.
pub async fn rotate(store: &dyn RootStore, vault: &Vault, org: &OrgId) -> Result<RootRecord, ServiceError> {
    // All of them first: a ring with the new one alone would open nothing.
    unlock(store, vault, org).await?;
    let roots = store.roots(org).await?;
    let highest = roots.last().ok_or_else(|| VaultError::NoRoot { org: org.clone() })?;
    let key_id = KeyId::new(highest.key_id).next().ok_or(ServiceError::Store(StoreError::Root {
        org: org.clone(),
        key_id: highest.key_id,
        problem: "is the last that there can be",
    }))?;
    let made = vault.create_root(org, key_id).await?;
    let now = Timestamp::now();
    let root = stored(&made.wrapped, now);
    let audit = AuditEvent::by_operator(AuditAction::KeyRotated, format!("key {key_id}")).at(now);
    store.add_root(org, root.clone(), audit).await?;
    vault.adopt_root(org, made);
    Ok(root)
}

/// The record of a root that was just created.
pub fn stored(made: &WrappedRoot, at: Timestamp) -> RootRecord {
    RootRecord {
        key_id: made.key_id.get(),
        kek_id: made.kek_id.clone(),
        wrapped: made.wrapped.clone(),
        also: Vec::new(),
        created_at: at,
        disabled_at: None,
    }
}

/// Takes a root out of use, or removes it for good.
///
/// # Errors
/// If credentials are sealed under it, or the store refuses.
pub async fn change(
    store: &dyn RootStore,
    vault: &Vault,
    org: &OrgId,
    key_id: KeyId,
    change: RootChange,
) -> Result<RootRecord, ServiceError> {
    let roots = store.roots(org).await?;
    let seals = roots.last().is_some_and(|root| root.key_id == key_id.get());
    // The store refuses the root that seals, with a better message.
    if !seals {
        require_unused(store, org, key_id).await?;
    }
    let action = match change {
        RootChange::Disable | RootChange::Enable => AuditAction::KeyDisabled,
        RootChange::Destroy => AuditAction::KeyDestroyed,
    };
    let audit = AuditEvent::by_operator(action, format!("key {key_id}"));
    let root = store.change_root(org, key_id.get(), change, audit).await?;
    if change == RootChange::Disable
        && let Err(error) = require_unused(store, org, key_id).await
    {
        // Between the count and the change, a server that did not know of a newer root yet has sealed under this one.
        let audit = AuditEvent::by_operator(AuditAction::KeyDisabled, format!("key {key_id} is in use again"));
        store.change_root(org, key_id.get(), RootChange::Enable, audit).await?;
        return Err(error);
    }
    vault.lock_root(org, key_id);
    Ok(root)
}

/// Refuses a root under which something is sealed.
async fn require_unused(store: &dyn RootStore, org: &OrgId, key_id: KeyId) -> Result<(), ServiceError> {
    let sealed = store.sealed_under(org).await?;
    if sealed.get(&key_id.get()).is_none_or(|count| *count == 0) {
        return Ok(());
    }
    Err(ServiceError::Store(StoreError::Root {
        org: org.clone(),
        key_id: key_id.get(),
        problem: "has credentials sealed under it; reseal them first, and confirm or delete imports that keep some",
    }))
}

/// The result of resealing some credentials, webhooks and OAuth clients.
#[derive(Debug, Clone, Default)]
pub struct Resealed {
    /// Sealed under the highest root now.
    pub resealed: u64,
    /// Left as they are: under the highest root before, or changed meanwhile, which seals them under it.
    pub left: u64,
    /// The last integration that was examined; `None` if there are no more.
    pub last: Option<IntegrationKey>,
}

/// Reseals at most `limit` credentials that follow `after` under the highest root; with the first of them, all webhooks and
/// OAuth clients, which are few.
///
/// # Errors
/// At the first record that cannot be opened or stored. Earlier ones are resealed.
pub async fn reseal(
    store: &Arc<dyn Store>,
    vault: &Arc<Vault>,
    org: &OrgId,
    after: Option<&IntegrationKey>,
    limit: usize,
) -> Result<Resealed, ServiceError> {
    unlock(store.as_ref(), vault, org).await?;
    let roots = store.roots(org).await?;
    let highest = roots.last().map_or(0, |root| root.key_id);
    let records = store.integrations_after(org, after, limit).await?;
    let mut done = Resealed { last: records.last().map(IntegrationRecord::key), ..Resealed::default() };
    if after.is_none() {
        for environment in [Environment::Test, Environment::Production] {
            for webhook in store.webhooks(org, environment).await? {
                let outdated = webhook.key_id != highest;
                let resealed = outdated && reseal_webhook(store.as_ref(), vault, webhook).await?;
                if resealed { done.resealed += 1 } else { done.left += 1 }
            }
            for client in store.oauth_clients(org, environment, None).await? {
                let outdated = client.key_id != highest;
                let resealed = outdated && reseal_oauth_client(store.as_ref(), vault, client).await?;
                if resealed { done.resealed += 1 } else { done.left += 1 }
            }
        }
    }
    let old = records.into_iter().filter(|record| {
        let is_old = record.key_id != highest;
        done.left += u64::from(!is_old);
        is_old
    });
    let one = |record| reseal_one(Arc::clone(store), Arc::clone(vault), record);
    let old: Vec<_> = old.collect();
    let mut outcomes = stream::iter(old.into_iter().map(one)).buffer_unordered(AT_ONCE);
    while let Some(outcome) = outcomes.next().await {
        if outcome? { done.resealed += 1 } else { done.left += 1 }
    }
    Ok(done)
}

/// Seals the same credential under the highest root, as this version: an envelope is bound to its version.
///
/// # Errors
/// If it cannot be opened or sealed. The organisation's roots must be [unlocked](unlock).
pub fn resealed(vault: &Vault, record: IntegrationRecord, version: u64) -> Result<IntegrationRecord, ServiceError> {
    let key = record.key();
    let fields = vault.open(&seal_context(&key, &record.auth_type, record.version), &envelope(&record)?)?;
    let fields: Vec<_> = fields.iter().map(|(name, value)| (name.clone(), value)).collect();
    let envelope = vault.seal(&seal_context(&key, &record.auth_type, version), &fields)?;
    let key_id = envelope.key_id().get();
    Ok(IntegrationRecord { version, key_id, envelope: envelope.into_bytes(), ..record })
}

async fn reseal_one(store: Arc<dyn Store>, vault: Arc<Vault>, record: IntegrationRecord) -> Result<bool, ServiceError> {
    let key = record.key();
    let (from, version) = (record.key_id, record.version);
    let IntegrationRecord { key_id: to, envelope, .. } = resealed(&vault, record, version)?;
    let audit = AuditEvent::by_operator(AuditAction::CredentialResealed, format!("key {to}")).on_integration(&key);
    let reseal = Reseal { version, from, to, envelope, audit, key };
    store.reseal(reseal).await.map_err(ServiceError::Store)
}

/// Stores the same webhook, resealed, as a further version. `false` if another writer changed it meanwhile, which sealed it
/// under the newest root.
async fn reseal_webhook(store: &dyn Store, vault: &Vault, webhook: WebhookRecord) -> Result<bool, ServiceError> {
    let opened = {
        let envelope = Envelope::from_bytes(webhook.envelope.as_slice()).map_err(VaultError::from)?;
        vault.open(&webhook_context(&webhook.key, webhook.version), &envelope)?
    };
    let version = webhook.version.saturating_add(1);
    let fields: Vec<_> = opened.iter().map(|(name, value)| (name.clone(), value)).collect();
    let envelope = vault.seal(&webhook_context(&webhook.key, version), &fields)?;
    let key_id = envelope.key_id().get();
    let outcome = format!("webhook {} key {key_id}", webhook.key.id);
    let audit =
        AuditEvent::by_operator(AuditAction::CredentialResealed, outcome).in_environment(webhook.key.environment);
    let expect = Expect::Version(webhook.version);
    let record = WebhookRecord { version, key_id, envelope: envelope.into_bytes(), ..webhook };
    // The webhook exists already, so that the limit is not exceeded.
    match store.put_webhook(WebhookWrite { record, expect, most: usize::MAX, audit }).await {
        Ok(()) => Ok(true),
        Err(StoreError::Conflict { .. }) => Ok(false),
        Err(error) => Err(ServiceError::Store(error)),
    }
}

/// Stores the same OAuth client, resealed, in the same version: its revision, which callers have, stays. `false` if another writer
/// changed it meanwhile, which sealed it under the newest root.
async fn reseal_oauth_client(
    store: &dyn Store,
    vault: &Vault,
    client: OAuthClientRecord,
) -> Result<bool, ServiceError> {
    let context = oauth_client_context(&client.key, client.version);
    let opened = vault.open(&context, &Envelope::from_bytes(client.envelope.as_slice()).map_err(VaultError::from)?)?;
    let fields: Vec<_> = opened.iter().map(|(name, value)| (name.clone(), value)).collect();
    let envelope = vault.seal(&context, &fields)?;
    let to = envelope.key_id().get();
    let outcome = format!("OAuth client {} key {to}", client.key.name);
    let audit =
        AuditEvent::by_operator(AuditAction::CredentialResealed, outcome).in_environment(client.key.environment);
    let audit = AuditEvent { slug: Some(client.key.slug.clone()), ..audit };
    let (version, from, envelope) = (client.state(), client.key_id, envelope.into_bytes());
    let reseal = OAuthClientReseal { key: client.key, version, from, to, envelope, audit };
    store.reseal_oauth_client(reseal).await.map_err(ServiceError::Store)
}

#[cfg(test)]
mod tests;
