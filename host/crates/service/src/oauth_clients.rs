//! OAuth clients: the organisation's app registrations at providers, which renew its customers' tokens.
//!
//! Their ids and secrets are sealed like credentials and are never given back: they are opened for renewal alone.

use super::credential_service::CredentialService;
use super::error::ServiceError;
use super::keys;
use super::oauth_client_values::{self as values, ClientValues};
use super::request::{Action, Caller, Precondition, Revision};
use super::retry::retry_on_conflict;
use keyferry_schema::Input;
use keyferry_store::{
    AuditAction, AuditEvent, ClientRefusal, Expect, OAuthClientKey, OAuthClientRecord, OAuthClientVersion,
    OAuthClientWrite, ObjectId, Store, Timestamp,
};
use keyferry_types::echo::nearest;
use keyferry_types::ids::{Environment, OAuthClientName, OrgId, Slug};
use keyferry_types::secret::SharedSecret;
use keyferry_vault::Vault;

/// OAuth clients that an environment can have.
const MOST_CLIENTS: usize = 100;
/// Characters of a provider's refusal that are kept.
const LONGEST_DETAIL: usize = 500;

/// An OAuth client to store.
#[derive(Debug)]
pub struct PutOAuthClient {
    /// The caller of the request.
    pub caller: Caller,
    /// The app, as the caller wrote it.
    pub slug: String,
    /// The name of the client.
    pub name: OAuthClientName,
    /// `client_id`, `client_secret` and `callback_url`, as the caller wrote them.
    pub body: Input,
    /// The condition on the stored client.
    pub precondition: Precondition,
    /// The request's id, for the audit trail.
    pub request_id: String,
}

/// An OAuth client to delete.
#[derive(Debug)]
pub struct DeleteOAuthClient {
    /// The caller of the request.
    pub caller: Caller,
    /// The app of the client.
    pub slug: Slug,
    /// The name of the client.
    pub name: OAuthClientName,
    /// The condition on the stored client.
    pub precondition: Precondition,
    /// The request's id, for the audit trail.
    pub request_id: String,
}

/// A stored OAuth client, as it may be shown.
#[derive(Debug)]
pub struct OAuthClient {
    /// As it is stored.
    pub record: OAuthClientRecord,
    /// The last characters of its id; `None` of an id with fewer than 9.
    pub client_id_ends_with: Option<String>,
    /// Whether it has a secret.
    pub kind: ClientKind,
}

/// Whether a client has a secret (RFC 6749, 2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientKind {
    /// It has one.
    Confidential,
    /// It has none.
    Public,
}

/// The result of storing a client.
#[derive(Debug)]
pub struct OAuthClientPut {
    /// The client as it is stored.
    pub client: OAuthClient,
    /// Whether it was new.
    pub action: Action,
    /// What was removed from around its values, for people.
    pub warnings: Vec<String>,
}

/// An OAuth client, opened for renewal.
#[derive(Debug)]
pub(super) struct OpenClient {
    /// The key under which it is stored.
    pub(super) key: OAuthClientKey,
    /// The state of its values.
    pub(super) version: OAuthClientVersion,
    /// Its `client_id`.
    pub(super) id: SharedSecret,
    /// Its `client_secret`; `None` of a public client.
    pub(super) secret: Option<SharedSecret>,
    /// The provider's refusal of these values.
    pub(super) refused: Option<ClientRefusal>,
}

impl OAuthClient {
    /// The client's revision, which changes with its values.
    pub fn revision(&self) -> Revision {
        revision(&self.record)
    }
}

impl CredentialService {
    /// Stores an OAuth client in place of what there is under its name.
    ///
    /// # Errors
    /// `CustomApp` and `UnknownApp`; `Content`; `OAuthClientPrecondition`; `TooManyOAuthClients`; and where it cannot be sealed or
    /// stored.
    pub async fn put_oauth_client(&self, asked: PutOAuthClient) -> Result<OAuthClientPut, ServiceError> {
        let PutOAuthClient { caller, slug, name, body, precondition, request_id } = asked;
        let key = key(&caller, self.installed(&slug)?, name);
        let values = ClientValues::validate(body)?;
        keys::unlock(self.store.as_ref(), &self.vault, &caller.org).await?;
        // The root can be taken out of use between sealing and storing.
        retry_on_conflict(|| async {
            let current = self.store.oauth_client(&key).await.map_err(conflict)?;
            check(&precondition, current.as_ref())?;
            let version = current.as_ref().map_or(1, |current| current.version.saturating_add(1));
            let envelope = values.seal(&self.vault, &key, version)?;
            let now = Timestamp::now();
            let (action, word) = match current {
                Some(_) => (Action::Updated, "updated"),
                None => (Action::Created, "created"),
            };
            let record = OAuthClientRecord {
                id: current.as_ref().map_or_else(ObjectId::generate, |current| current.id),
                key: key.clone(),
                version,
                key_id: envelope.key_id().get(),
                envelope: envelope.into_bytes(),
                callback_url: values.callback_url().map(str::to_owned),
                created_at: current.as_ref().map_or(now, |current| current.created_at),
                updated_at: now,
                refused: None,
            };
            let write = OAuthClientWrite {
                record: record.clone(),
                expect: current.as_ref().map_or(Expect::Absent, |current| Expect::Version(current.version)),
                most: MOST_CLIENTS,
                audit: audit(AuditAction::OAuthClientPut, &caller, &key, word, &request_id),
            };
            self.store.put_oauth_client(write).await.map_err(conflict)?;
            Ok(OAuthClientPut { client: self.shown(record)?, action, warnings: values.warnings().to_vec() })
        })
        .await
    }

    /// One OAuth client.
    ///
    /// # Errors
    /// `OAuthClientMissing`, and where it cannot be read or opened.
    pub async fn oauth_client(
        &self,
        caller: &Caller,
        slug: &Slug,
        name: &OAuthClientName,
    ) -> Result<OAuthClient, ServiceError> {
        let key = key(caller, slug.clone(), name.clone());
        let Some(record) = self.store.oauth_client(&key).await? else { return Err(self.missing_client(&key).await?) };
        keys::unlock(self.store.as_ref(), &self.vault, &caller.org).await?;
        self.shown(record)
    }

    /// All OAuth clients of the caller's environment, by app and name.
    ///
    /// # Errors
    /// Where they cannot be read or opened.
    pub async fn oauth_clients(&self, caller: &Caller) -> Result<Vec<OAuthClient>, ServiceError> {
        let records = self.store.oauth_clients(&caller.org, caller.environment, None).await?;
        keys::unlock(self.store.as_ref(), &self.vault, &caller.org).await?;
        records.into_iter().map(|record| self.shown(record)).collect()
    }

    /// Deletes an OAuth client. Credentials that need it for their renewal stay.
    ///
    /// # Errors
    /// `OAuthClientMissing`, `OAuthClientPrecondition`, and where it cannot be written.
    pub async fn delete_oauth_client(&self, asked: &DeleteOAuthClient) -> Result<(), ServiceError> {
        let key = key(&asked.caller, asked.slug.clone(), asked.name.clone());
        retry_on_conflict(|| async {
            let current = self.store.oauth_client(&key).await?;
            check(&asked.precondition, current.as_ref())?;
            let Some(current) = current else { return Err(self.missing_client(&key).await?) };
            let audit = audit(AuditAction::OAuthClientDeleted, &asked.caller, &key, "deleted", &asked.request_id);
            match self.store.delete_oauth_client(&key, current.state(), audit).await.map_err(conflict)? {
                true => Ok(()),
                false => Err(ServiceError::OAuthClientContended),
            }
        })
        .await
    }

    /// Opens the client of an app for a renewal, by name; without one, the client called `default`, else the only one that there is.
    /// `None` if there is no such client.
    ///
    /// # Errors
    /// `SeveralOAuthClients` if no name is given, there are several and none is called `default`; and where it cannot be read or
    /// opened.
    pub(super) async fn open_oauth_client(
        &self,
        org: &OrgId,
        environment: Environment,
        slug: &Slug,
        name: Option<&OAuthClientName>,
    ) -> Result<Option<OpenClient>, ServiceError> {
        open_client(self.store.as_ref(), &self.vault, (org, environment, slug), name).await
    }

    /// Records that the provider refuses a client's values, with what it said, or accepts them. Returns whether that is new.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub(super) async fn note_client(
        &self,
        client: &OpenClient,
        refusal: Option<&str>,
        actor: &str,
    ) -> Result<bool, ServiceError> {
        note_client(self.store.as_ref(), client, refusal, actor).await
    }

    /// The slug of an app whose plugin is there, whether or not it serves.
    fn installed(&self, slug: &str) -> Result<Slug, ServiceError> {
        match self.app(slug) {
            Ok(app) => Ok(app.description.slug.clone()),
            Err(error @ ServiceError::AppNotInService { .. }) => slug.parse().map_err(|_| error),
            Err(error) => Err(error),
        }
    }

    /// The roots of the client's organisation must be unlocked.
    fn shown(&self, record: OAuthClientRecord) -> Result<OAuthClient, ServiceError> {
        let opened = values::open(&self.vault, &record)?;
        let kind = if opened.secret.is_some() { ClientKind::Confidential } else { ClientKind::Public };
        Ok(OAuthClient { client_id_ends_with: values::end_of(&opened.id), kind, record })
    }

    /// The error of a client that does not exist, with what is probably meant.
    async fn missing_client(&self, key: &OAuthClientKey) -> Result<ServiceError, ServiceError> {
        let all = self.store.oauth_clients(&key.org, key.environment, Some(&key.slug)).await?;
        let aside = match (nearest(key.name.as_str(), all.iter().map(|one| one.key.name.as_str())), all.as_slice()) {
            (Some(meant), _) => format!("; is `{meant}` meant?"),
            (None, []) => "; the app has none".to_owned(),
            (None, all) => format!("; the app has {}", names(all)),
        };
        Ok(ServiceError::OAuthClientMissing { slug: key.slug.clone(), name: key.name.clone(), aside })
    }
}

/// Implements [`CredentialService::open_oauth_client`].
async fn open_client(
    store: &dyn Store,
    vault: &Vault,
    (org, environment, slug): (&OrgId, Environment, &Slug),
    name: Option<&OAuthClientName>,
) -> Result<Option<OpenClient>, ServiceError> {
    let mut all = store.oauth_clients(org, environment, Some(slug)).await?;
    let place = match name {
        Some(name) => all.iter().position(|client| client.key.name == *name),
        None => match all.iter().position(|client| client.key.name == OAuthClientName::default_name()) {
            None if all.len() > 1 => {
                return Err(ServiceError::SeveralOAuthClients { slug: slug.clone(), names: names(&all) });
            }
            None => (!all.is_empty()).then_some(0),
            default => default,
        },
    };
    let Some(record) = place.map(|place| all.swap_remove(place)) else { return Ok(None) };
    keys::unlock(store, vault, org).await?;
    let opened = values::open(vault, &record)?;
    let version = record.state();
    Ok(Some(OpenClient { key: record.key, version, id: opened.id, secret: opened.secret, refused: record.refused }))
}

/// Implements [`CredentialService::note_client`].
async fn note_client(
    store: &dyn Store,
    client: &OpenClient,
    refusal: Option<&str>,
    actor: &str,
) -> Result<bool, ServiceError> {
    let now = Timestamp::now();
    let refused =
        refusal.map(|detail| ClientRefusal { at: now, detail: detail.chars().take(LONGEST_DETAIL).collect() });
    let word = if refused.is_some() { "refused by the provider" } else { "accepted by the provider" };
    let outcome = format!("OAuth client {} {word}", client.key.name);
    let event = AuditEvent::new(AuditAction::OAuthClientRefused, actor, outcome).in_environment(client.key.environment);
    let event = AuditEvent { slug: Some(client.key.slug.clone()), ..event }.at(now);
    Ok(store.note_refused(&client.key, client.version, refused, event).await?)
}

fn key(caller: &Caller, slug: Slug, name: OAuthClientName) -> OAuthClientKey {
    OAuthClientKey { org: caller.org.clone(), environment: caller.environment, slug, name }
}

fn revision(record: &OAuthClientRecord) -> Revision {
    Revision { id: record.id, version: record.version }
}

fn check(precondition: &Precondition, current: Option<&OAuthClientRecord>) -> Result<(), ServiceError> {
    let current = current.map(revision);
    if precondition.holds(current.as_ref()) {
        return Ok(());
    }
    Err(ServiceError::OAuthClientPrecondition { current: current.map(|current| current.to_string()) })
}

/// Why a client was not written.
fn conflict(error: keyferry_store::StoreError) -> ServiceError {
    match ServiceError::from(error) {
        ServiceError::Contended => ServiceError::OAuthClientContended,
        error => error,
    }
}

fn audit(action: AuditAction, caller: &Caller, key: &OAuthClientKey, word: &str, request_id: &str) -> AuditEvent {
    let event = caller.audit(action, format!("OAuth client {} {word}", key.name), request_id);
    AuditEvent { slug: Some(key.slug.clone()), ..event }
}

/// The names of clients, for a message.
fn names(clients: &[OAuthClientRecord]) -> String {
    clients.iter().map(|client| format!("`{}`", client.key.name)).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
