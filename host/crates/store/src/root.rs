//! Roots of organisations: the keys that credentials are sealed under, wrapped; and [`RootStore`].

use std::collections::BTreeMap;
use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::audit::AuditEvent;
use crate::error::StoreResult;
use crate::integration::IntegrationRecord;
use crate::keys::IntegrationKey;
use crate::values::Timestamp;
use keyferry_types::ids::OrgId;

/// A root as it is stored: wrapped, and of no use without the key that wrapped it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootRecord {
    /// Its number within the organisation.
    pub key_id: u32,
    /// The key-encryption key that wrapped it.
    pub kek_id: String,
    /// The root, wrapped by the key-encryption key.
    #[serde(with = "serde_bytes")]
    pub wrapped: Vec<u8>,
    /// The same root under other key-encryption keys, while one takes the place of another.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<Wrapping>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was taken out of use: nothing is sealed under it or opened with it any more.
    #[serde(default)]
    pub disabled_at: Option<Timestamp>,
}

impl RootRecord {
    /// All forms that it is stored in.
    pub fn wrappings(&self) -> Vec<Wrapping> {
        let first = Wrapping { kek_id: self.kek_id.clone(), wrapped: self.wrapped.clone() };
        std::iter::once(first).chain(self.also.iter().cloned()).collect()
    }
}

/// A root under one key-encryption key.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wrapping {
    /// The key that wrapped it.
    pub kek_id: String,
    /// The root, wrapped by the key service.
    #[serde(with = "serde_bytes")]
    pub wrapped: Vec<u8>,
}

impl fmt::Debug for Wrapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Wrapping(by {})", self.kek_id)
    }
}

/// Other forms for a root to be stored in.
#[derive(Debug, Clone)]
pub struct Rewrap {
    /// Organisation of the root.
    pub org: OrgId,
    /// Number of the root within its organisation.
    pub key_id: u32,
    /// The forms that it is expected to have.
    pub from: Vec<Wrapping>,
    /// Those that it is to have; at least one.
    pub to: Vec<Wrapping>,
    /// The audit event, written in the same transaction.
    pub audit: AuditEvent,
}

impl fmt::Debug for RootRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RootRecord({}, wrapped by {})", self.key_id, self.kek_id)
    }
}

/// The same credential, sealed under another root.
#[derive(Debug, Clone)]
pub struct Reseal {
    /// Key of the integration to write.
    pub key: IntegrationKey,
    /// The version that was opened.
    pub version: u64,
    /// The root that it was opened with.
    pub from: u32,
    /// The root that it is sealed under now.
    pub to: u32,
    /// The sealed values of the credential's fields, as an envelope of the vault.
    pub envelope: Vec<u8>,
    /// The audit event, written in the same transaction.
    pub audit: AuditEvent,
}

/// A change of a root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RootChange {
    /// It is taken out of use.
    Disable,
    /// It is in use again.
    Enable,
    /// It is removed for good. Only one that is out of use can be.
    Destroy,
}

/// Transactions on roots, and on what is sealed under them.
///
/// An organisation has its first root from the transaction that stores its first API key. The root with the highest number
/// seals; each that is in use opens. Transactions are serialised with those that store sealed records: once
/// [`change_root`](Self::change_root) has disabled a root, no write with an envelope of that root succeeds (`StaleRoot`).
/// What [`roots`](Self::roots), [`all_roots`](Self::all_roots) and [`sealed_under`](Self::sealed_under) return is durable.
#[async_trait]
pub trait RootStore: Send + Sync + 'static {
    /// All roots of an organisation, in the order of their numbers.
    async fn roots(&self, org: &OrgId) -> StoreResult<Vec<RootRecord>>;

    /// All roots of all organisations.
    async fn all_roots(&self) -> StoreResult<Vec<(OrgId, RootRecord)>>;

    /// The key-encryption key with which the store was begun; it is this one if there was none before. Of several servers that find
    /// an empty database at once, one decides with which key its roots are wrapped.
    async fn first_kek(&self, kek_id: &str) -> StoreResult<String>;

    /// Stores a further root, which seals from then on.
    ///
    /// # Errors
    /// `Root` if its number does not follow the highest one.
    async fn add_root(&self, org: &OrgId, root: RootRecord, audit: AuditEvent) -> StoreResult<()>;

    /// Stores the same root under other key-encryption keys. Returns `false`, and writes nothing, if the stored forms are not
    /// the expected ones.
    ///
    /// # Errors
    /// `Root` if the root does not exist, `Contradiction` if it would be left without a wrapped form.
    async fn rewrap_root(&self, rewrap: Rewrap) -> StoreResult<bool>;

    /// Takes a root out of use, or removes one that is. Disabling a disabled root changes nothing.
    ///
    /// # Errors
    /// `Root` if the root does not exist, is the highest, or is to be removed while in use.
    async fn change_root(
        &self,
        org: &OrgId,
        key_id: u32,
        change: RootChange,
        audit: AuditEvent,
    ) -> StoreResult<RootRecord>;

    /// The number of sealed records (credentials, webhooks, OAuth clients, rows of imports) under each of an organisation's roots, by the
    /// root's number. Roots without any are left out.
    async fn sealed_under(&self, org: &OrgId) -> StoreResult<BTreeMap<u32, u64>>;

    /// At most `limit` integrations of an organisation that follow `after`, in a stable order. Integrations that are written
    /// meanwhile may be among them or not.
    async fn integrations_after(
        &self,
        org: &OrgId,
        after: Option<&IntegrationKey>,
        limit: usize,
    ) -> StoreResult<Vec<IntegrationRecord>>;

    /// Stores an integration's credential under another root, in the same version. Returns `false`, and writes nothing, if
    /// the integration was changed or sealed anew since it was opened.
    ///
    /// # Errors
    /// `StaleRoot` if the new root is out of use.
    async fn reseal(&self, reseal: Reseal) -> StoreResult<bool>;
}
