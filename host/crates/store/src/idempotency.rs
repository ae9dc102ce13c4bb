//! Answers kept for requests that are sent again.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Timestamp;
use keyferry_types::ids::{Environment, OrgId};

/// Whose `Idempotency-Key` it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct IdempotencyKey {
    /// The organisation that sent it.
    pub org: OrgId,
    /// The environment that it was sent to.
    pub environment: Environment,
    /// What stands for the key that the caller chose. Not the key itself: nobody keeps a caller from putting a secret there.
    pub key: String,
}

/// The answer to a request that carried an `Idempotency-Key`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdempotencyRecord {
    /// Whose key it is.
    pub key: IdempotencyKey,
    /// Keyed fingerprint of the request. Another one with the same key is another request.
    #[serde(with = "serde_bytes")]
    pub fingerprint: [u8; 32],
    /// The answer's status.
    pub status: u16,
    /// The headers that belong to the answer.
    pub headers: Vec<(String, String)>,
    /// The answer's body.
    #[serde(with = "serde_bytes")]
    pub body: Vec<u8>,
    /// From when on it counts as absent.
    pub expires_at: Timestamp,
}

impl fmt::Debug for IdempotencyRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IdempotencyRecord({:?}, status {}, until {})", self.key.key, self.status, self.expires_at)
    }
}
