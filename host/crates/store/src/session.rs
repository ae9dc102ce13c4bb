//! Sessions, with which a front end acts for one linked account until they end; and [`SessionStore`].

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::audit::AuditEvent;
use crate::error::StoreResult;
use crate::keys::AccountKey;
use crate::values::{ObjectId, Timestamp};
use keyferry_types::ids::{Environment, LinkedAccountId, OrgId};

/// A session as it is stored. Its tokens are derived from it and from a root, which is stored wrapped.
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
    /// Number of the root that its tokens are derived from.
    pub key_id: u32,
    /// Hash of the API key that it was opened with. It can do no more than that key, and no longer.
    #[serde(with = "serde_bytes")]
    pub made_by: [u8; 32],
    /// When it was made.
    pub issued_at: Timestamp,
    /// When its access token expires, a whole second.
    pub expires_at: Timestamp,
    /// When its refresh token expires, a whole second.
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
    /// The session that it replaces, which must exist.
    pub replaces: Option<ObjectId>,
    /// The audit event, written in the same transaction.
    pub audit: AuditEvent,
}

/// Transactions on sessions. Sessions of a linked account are deleted with it.
///
/// A front end is authenticated by [`session`](Self::session) with each request, so that it does not wait for the disk.
#[async_trait]
pub trait SessionStore: Send + Sync + 'static {
    /// Stores a session. Expired sessions of the account are deleted; if it would have more than 32 sessions, the oldest ones
    /// are.
    ///
    /// # Errors
    /// `AccountMissing`; `StaleRoot` if its root is out of use; `SessionEnded` if the session that it replaces is not stored.
    async fn create_session(&self, new: NewSession) -> StoreResult<()>;

    /// One session, also if it has expired. `None` if it does not exist or was ended.
    async fn session(&self, key: &AccountKey, id: ObjectId) -> StoreResult<Option<SessionRecord>>;

    /// All sessions of an account, oldest first, expired ones included.
    async fn sessions(&self, key: &AccountKey) -> StoreResult<Vec<SessionRecord>>;

    /// One session, for a caller that gets its tokens again: the audit event is durable before this returns. Returns `None`,
    /// and writes no event, if the session does not exist.
    async fn reuse_session(
        &self,
        key: &AccountKey,
        id: ObjectId,
        audit: AuditEvent,
    ) -> StoreResult<Option<SessionRecord>>;

    /// Ends a session. Returns `false`, and writes no event, if it does not exist.
    async fn end_session(&self, key: &AccountKey, id: ObjectId, audit: AuditEvent) -> StoreResult<bool>;
}
