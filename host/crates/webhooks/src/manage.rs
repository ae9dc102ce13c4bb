//! Registering, changing and deleting webhooks.

use std::sync::Arc;

use super::error::WebhookError;
use super::request::{HeaderChange, NewWebhook, SigningSecret, WebhookChange, WebhookHeaders};
use super::secrets;
use keyferry_egress::{InvalidWebhook, WebhookClient, WebhookHeader, WebhookUrl};
use keyferry_service::{Caller, keys, retry_on_conflict};
use keyferry_store::{
    AuditAction, AuditEvent, DeliveryLog, Expect, ObjectId, Store, Timestamp, WebhookKey, WebhookRecord, WebhookWrite,
};
use keyferry_types::secret::SharedSecret;
use keyferry_vault::{Vault, new_signing_secret};

/// Webhooks that an environment can have.
pub const MOST_WEBHOOKS: usize = 32;

/// The webhooks of all organisations.
pub struct Webhooks {
    store: Arc<dyn Store>,
    vault: Arc<Vault>,
    client: WebhookClient,
}

/// A webhook that was just registered.
#[derive(Debug)]
pub struct Registered {
    /// As it is stored.
    pub record: WebhookRecord,
    /// The signing secret, if the server generated it. It is returned only once.
    pub signing_secret: Option<SharedSecret>,
}

impl Webhooks {
    /// Webhooks in this store, sealed by this vault, called by this client.
    pub fn new(store: Arc<dyn Store>, vault: Arc<Vault>, client: WebhookClient) -> Self {
        Self { store, vault, client }
    }

    /// Checks that a URL may be called, as far as possible without a DNS lookup.
    ///
    /// # Errors
    /// `InvalidUrl`, with the reason.
    pub fn url(&self, text: &str) -> Result<WebhookUrl, InvalidWebhook> {
        self.client.url(text)
    }

    /// Registers a webhook.
    ///
    /// # Errors
    /// `TooMany`, and where it cannot be sealed or stored.
    pub async fn register(
        &self,
        caller: &Caller,
        new: NewWebhook,
        request_id: &str,
    ) -> Result<Registered, WebhookError> {
        self.unlock(caller).await?;
        let made = match new.signing_secret {
            Some(_) => None,
            None => Some(SharedSecret::new(new_signing_secret()?)),
        };
        let given = new.signing_secret.as_ref().map(SigningSecret::shared);
        let secret = given.or_else(|| made.clone()).ok_or(WebhookError::Contended)?;
        let now = Timestamp::now();
        let record = WebhookRecord {
            key: key(caller, ObjectId::generate()),
            url: new.url.as_str().to_owned(),
            events: new.events.into_iter().collect(),
            slug: new.slug,
            method: new.method,
            description: new.description,
            state: new.state,
            header_names: Vec::new(),
            version: 1,
            key_id: 0,
            envelope: Vec::new(),
            created_at: now,
            updated_at: now,
        };
        // The root can be taken out of use between sealing and storing.
        let record = retry_on_conflict(|| async {
            let record = self.sealed(record.clone(), &secret, &new.headers)?;
            let audit = audit(AuditAction::WebhookCreated, caller, &record, "created", request_id);
            self.put(record, Expect::Absent, audit).await
        });
        Ok(Registered { record: record.await?, signing_secret: made })
    }

    /// All webhooks of the caller's environment, oldest first.
    ///
    /// # Errors
    /// Where they cannot be read.
    pub async fn list(&self, caller: &Caller) -> Result<Vec<WebhookRecord>, WebhookError> {
        Ok(self.store.webhooks(&caller.org, caller.environment).await?)
    }

    /// One webhook, and the state of its deliveries.
    ///
    /// # Errors
    /// `Missing`, and where it cannot be read.
    pub async fn show(&self, caller: &Caller, id: ObjectId) -> Result<(WebhookRecord, DeliveryLog), WebhookError> {
        let key = key(caller, id);
        let record = self.stored(&key).await?;
        let log = self.store.delivery_log(&key).await?;
        Ok((record, log))
    }

    /// Changes a webhook. All later deliveries use the new settings, waiting ones included.
    ///
    /// # Errors
    /// `Missing`, `NothingToKeep`, `Headers`, and where it cannot be sealed or stored.
    pub async fn change(
        &self,
        caller: &Caller,
        id: ObjectId,
        change: WebhookChange,
        request_id: &str,
    ) -> Result<WebhookRecord, WebhookError> {
        self.unlock(caller).await?;
        let key = key(caller, id);
        retry_on_conflict(|| async {
            let stored = self.stored(&key).await?;
            let opened = secrets::open(&self.vault, &stored)?;
            let headers = WebhookHeaders::new(merged(opened.headers, change.headers.as_deref())?)?;
            let secret = change.signing_secret.as_ref().map_or(opened.signing_secret, SigningSecret::shared);
            let record = self.sealed(changed(&stored, &change), &secret, &headers)?;
            let audit = audit(AuditAction::WebhookUpdated, caller, &record, "updated", request_id);
            self.put(record, Expect::Version(stored.version), audit).await
        })
        .await
    }

    /// Deletes a webhook and its waiting deliveries. Returns the remaining webhooks, oldest first.
    ///
    /// # Errors
    /// `Missing`, and where it cannot be written.
    pub async fn delete(
        &self,
        caller: &Caller,
        id: ObjectId,
        request_id: &str,
    ) -> Result<Vec<WebhookRecord>, WebhookError> {
        let key = key(caller, id);
        let stored = self.stored(&key).await?;
        let audit = audit(AuditAction::WebhookDeleted, caller, &stored, "deleted", request_id);
        self.store.delete_webhook(&key, audit).await?.ok_or(WebhookError::Missing)
    }

    async fn unlock(&self, caller: &Caller) -> Result<(), WebhookError> {
        keys::unlock(self.store.as_ref(), &self.vault, &caller.org).await.map_err(WebhookError::of_keys)
    }

    async fn stored(&self, key: &WebhookKey) -> Result<WebhookRecord, WebhookError> {
        self.store.webhook(key).await?.ok_or(WebhookError::Missing)
    }

    async fn put(
        &self,
        record: WebhookRecord,
        expect: Expect,
        audit: AuditEvent,
    ) -> Result<WebhookRecord, WebhookError> {
        let write = WebhookWrite { record: record.clone(), expect, most: MOST_WEBHOOKS, audit };
        self.store.put_webhook(write).await?;
        Ok(record)
    }

    fn sealed(
        &self,
        record: WebhookRecord,
        secret: &SharedSecret,
        headers: &WebhookHeaders,
    ) -> Result<WebhookRecord, WebhookError> {
        let envelope = secrets::seal(&self.vault, &record.key, record.version, secret, headers.list())?;
        let header_names = headers.list().iter().map(|header| header.name().to_owned()).collect();
        Ok(WebhookRecord { header_names, key_id: envelope.key_id().get(), envelope: envelope.into_bytes(), ..record })
    }
}

fn key(caller: &Caller, id: ObjectId) -> WebhookKey {
    WebhookKey { org: caller.org.clone(), environment: caller.environment, id }
}

/// The headers that a changed webhook has: what is stored where nothing was said of them, else those that were listed.
fn merged(stored: Vec<WebhookHeader>, listed: Option<&[HeaderChange]>) -> Result<Vec<WebhookHeader>, WebhookError> {
    let Some(listed) = listed else { return Ok(stored) };
    let one = |change: &HeaderChange| match change {
        HeaderChange::Set(header) => Ok(header.clone()),
        HeaderChange::Keep(name) => {
            let found = stored.iter().find(|header| header.name().eq_ignore_ascii_case(name));
            found.cloned().ok_or(WebhookError::NothingToKeep)
        }
    };
    listed.iter().map(one).collect()
}

/// The next version, but for what is secret of it.
fn changed(stored: &WebhookRecord, change: &WebhookChange) -> WebhookRecord {
    let WebhookChange { url, events, slug, method, description, state, headers: _, signing_secret: _ } = change;
    let events = events.as_ref().map(|events| events.iter().copied().collect());
    WebhookRecord {
        url: url.as_ref().map_or_else(|| stored.url.clone(), |url| url.as_str().to_owned()),
        events: events.unwrap_or_else(|| stored.events.clone()),
        slug: slug.clone().unwrap_or_else(|| stored.slug.clone()),
        method: method.unwrap_or(stored.method),
        description: description.clone().unwrap_or_else(|| stored.description.clone()),
        state: state.unwrap_or(stored.state),
        version: stored.version.saturating_add(1),
        updated_at: Timestamp::now(),
        ..stored.clone()
    }
}

fn audit(action: AuditAction, caller: &Caller, record: &WebhookRecord, word: &str, request_id: &str) -> AuditEvent {
    let event = caller.audit(action, format!("webhook {} {word}", record.key.id), request_id);
    AuditEvent { slug: record.slug.clone(), ..event }
}
