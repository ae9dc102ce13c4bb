//! What is recorded of the verifications and renewals of a stored credential.

use serde::{Deserialize, Serialize};

use crate::values::Timestamp;

/// Result of verifying a stored credential again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Time of the verification.
    pub at: Timestamp,
    /// `verified`, or why not: `rejected`, `provider_error`.
    pub outcome: String,
    /// Explanation of a failure, as a sentence for people.
    #[serde(default)]
    pub detail: Option<String>,
}

/// What is known of the renewals of one pair of tokens.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenewalState {
    /// The renewal that is under way, or was interrupted.
    #[serde(default)]
    pub intent: Option<RenewalIntent>,
    /// When the pair was last renewed.
    #[serde(default)]
    pub renewed_at: Option<Timestamp>,
    /// When the access token ends.
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
    /// When the refresh token ends.
    #[serde(default)]
    pub refresh_expires_at: Option<Timestamp>,
    /// Seconds that the provider last gave an access token.
    #[serde(default)]
    pub life_secs: Option<u64>,
    /// Failures since the last success.
    #[serde(default)]
    pub failures: u32,
    /// No further attempt before this time.
    #[serde(default)]
    pub next_try_at: Option<Timestamp>,
    /// The last failure since the last success.
    #[serde(default)]
    pub last_failure: Option<Check>,
}

/// A renewal that was begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenewalIntent {
    /// When it was begun.
    pub at: Timestamp,
    /// Keyed hash of the refresh token that is spent.
    #[serde(with = "serde_bytes")]
    pub spent: Vec<u8>,
}
