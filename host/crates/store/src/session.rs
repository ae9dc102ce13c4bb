//! Sessions, with which a front end acts for one linked account until they end.

use serde::{Deserialize, Serialize};

use super::{AccountKey, AuditEvent, ObjectId, Timestamp};
use keyferry_types::ids::{Environment, LinkedAccountId, OrgId};

/// A session as it is stored. Its tokens are not in it: they are made of it, and of a root that is not here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRecord {
    /// Id that the server gave the session.
    pub id: ObjectId,
    /// Organisation of the session.
    pub org: OrgId,
    /// Environment of the session.
    pub environment: Environment,
    /// The linked account that it acts for.
    pub account: LinkedAccountId,
    /// Number of the root that its tokens hang on.
    pub key_id: u32,
    /// Hash of the API key that it was made with. It can do no more than that key can, and no longer.
    #[serde(with = "serde_bytes")]
    pub made_by: [u8; 32],
    /// When it was made.
    pub issued_at: Timestamp,
    /// From when on it no longer counts, a whole second.
    pub expires_at: Timestamp,
    /// From when on no other can be had in its place, a whole second.
    pub refresh_expires_at: Timestamp,
}

impl SessionRecord {
    /// The key of the linked account that the session acts for.
    pub fn account_key(&self) -> AccountKey {
        AccountKey { org: self.org.clone(), environment: self.environment, account: self.account.clone() }
    }
}

/// A session to make.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// The session to store.
    pub record: SessionRecord,
    /// One that ends with it, and without which it is not made.
    pub replaces: Option<ObjectId>,
    /// The audit event, written in the same transaction.
    pub audit: AuditEvent,
}
