//! OAuth clients: app registrations of an organisation at providers; and [`OAuthClientStore`].

use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::audit::AuditEvent;
use crate::error::StoreResult;
use crate::keys::OAuthClientKey;
use crate::values::{Expect, ObjectId, Timestamp};
use keyferry_types::ids::{Environment, OrgId, Slug};

/// An OAuth client as it is stored. Its `client_id` and `client_secret` are in the envelope; all else is plain.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct OAuthClientRecord {
    /// Tells a client from a deleted one of the same name.
    pub id: ObjectId,
    /// The key under which it is stored.
    pub key: OAuthClientKey,
    /// 1 for the first form, one more for each that replaces it. The envelope is bound to it.
    pub version: u64,
    /// Number of the root that the envelope is sealed under.
    pub key_id: u32,
    /// The sealed `client_id` and, of a confidential client, `client_secret`, as an envelope of the vault.
    #[serde(with = "serde_bytes")]
    pub envelope: Vec<u8>,
    /// The redirection URI that is registered at the provider.
    #[serde(default)]
    pub callback_url: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its values were last written.
    pub updated_at: Timestamp,
    /// The provider's refusal of these values; `None` while no provider has refused them.
    #[serde(default)]
    pub refused: Option<ClientRefusal>,
}

impl OAuthClientRecord {
    /// The state of the client's values.
    pub fn state(&self) -> OAuthClientVersion {
        OAuthClientVersion { id: self.id, version: self.version }
    }
}

/// A callback URL can have a secret of its organisation's in its path.
impl fmt::Debug for OAuthClientRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let OAuthClientKey { org, environment, slug, name } = &self.key;
        write!(f, "OAuthClientRecord({name} of {slug} of {org}, {environment})")
    }
}

/// A provider's refusal of a client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientRefusal {
    /// When the provider first refused it.
    pub at: Timestamp,
    /// What the provider said, without any secret.
    pub detail: String,
}

/// One state of the values of one client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OAuthClientVersion {
    /// The client's own id.
    pub id: ObjectId,
    /// How often its values have been written.
    pub version: u64,
}

/// A version of an OAuth client to store.
#[derive(Debug, Clone)]
pub struct OAuthClientWrite {
    /// The client as it is to be. Its version is 1 where none is expected, else one more than the expected one, of the same id.
    pub record: OAuthClientRecord,
    /// What must be stored for the write to succeed.
    pub expect: Expect,
    /// Maximum number of OAuth clients in the environment.
    pub most: usize,
    /// The audit event, written in the same transaction.
    pub audit: AuditEvent,
}

/// The same values of a client, sealed under another root.
#[derive(Debug, Clone)]
pub struct OAuthClientReseal {
    /// Key of the client to write.
    pub key: OAuthClientKey,
    /// The state that was opened.
    pub version: OAuthClientVersion,
    /// The root that it was opened with.
    pub from: u32,
    /// The root that it is sealed under now.
    pub to: u32,
    /// The sealed values, as an envelope of the vault.
    pub envelope: Vec<u8>,
    /// The audit event, written in the same transaction.
    pub audit: AuditEvent,
}

/// Transactions on OAuth clients. All that is read is durable.
#[async_trait]
pub trait OAuthClientStore: Send + Sync + 'static {
    /// Stores a version of a client.
    ///
    /// # Errors
    /// `Conflict` if another version is stored than is expected, `TooManyOAuthClients`, and `StaleRoot` if it is sealed under a
    /// root that is out of use.
    async fn put_oauth_client(&self, write: OAuthClientWrite) -> StoreResult<()>;

    /// The client with this key.
    async fn oauth_client(&self, key: &OAuthClientKey) -> StoreResult<Option<OAuthClientRecord>>;

    /// The clients of an environment, of one app or of all, by app and name.
    async fn oauth_clients(
        &self,
        org: &OrgId,
        environment: Environment,
        slug: Option<&Slug>,
    ) -> StoreResult<Vec<OAuthClientRecord>>;

    /// Deletes a client in this state. Returns `false`, and writes nothing, if it is in another one or does not exist.
    async fn delete_oauth_client(
        &self,
        key: &OAuthClientKey,
        version: OAuthClientVersion,
        audit: AuditEvent,
    ) -> StoreResult<bool>;

    /// Records that the provider refuses a client, or accepts it. Returns `false`, and writes nothing, if the client is in another
    /// state, or if it was refused before and still is, or was not and is not: a refusal is one audit event however often it is met.
    async fn note_refused(
        &self,
        key: &OAuthClientKey,
        version: OAuthClientVersion,
        refused: Option<ClientRefusal>,
        audit: AuditEvent,
    ) -> StoreResult<bool>;

    /// Stores a client's values under another root, in the same version. Returns `false`, and writes nothing, if the client was
    /// changed or sealed anew since it was opened.
    ///
    /// # Errors
    /// `StaleRoot` if the new root is out of use.
    async fn reseal_oauth_client(&self, reseal: OAuthClientReseal) -> StoreResult<bool>;
}
