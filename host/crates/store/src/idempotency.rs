//! Responses that are stored for repeated requests, by [`MigrationStore`](crate::MigrationStore).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::keys::IdempotencyKey;
use crate::values::Timestamp;

/// The response to a request that carried an `Idempotency-Key`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdempotencyRecord {
    /// The key that was sent with the request.
    pub key: IdempotencyKey,
    /// Keyed fingerprint of the request. Another one with the same key is another request.
    #[serde(with = "serde_bytes")]
    pub fingerprint: [u8; 32],
    /// HTTP status of the stored response.
    pub status: u16,
    /// The headers that belong to the response.
    pub headers: Vec<(String, String)>,
    /// Body of the stored response, as it was sent.
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
