//! The end of an organisation's audit chain, and how an entry follows it.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use keyferry_types::ids::OrgId;

/// The end of a chain.
#[derive(Serialize, Deserialize)]
pub(super) struct Head {
    pub(super) seq: u64,
    #[serde(with = "serde_bytes")]
    pub(super) hash: [u8; 32],
}

impl Head {
    /// The end of a chain without entries.
    pub(super) fn start(org: &OrgId) -> Self {
        Self { seq: 0, hash: digest(&[b"keyferry/audit/v1/start", org.as_str().as_bytes()]) }
    }
}

/// The hash of an entry.
pub(super) fn chained(org: &OrgId, seq: u64, prev_hash: &[u8; 32], event: &[u8]) -> [u8; 32] {
    digest(&[b"keyferry/audit/v1", org.as_str().as_bytes(), &seq.to_be_bytes(), prev_hash, event])
}

fn digest(members: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for member in members {
        hash.update((member.len() as u64).to_be_bytes());
        hash.update(member);
    }
    hash.finalize().into()
}
