//! The audit chain: each entry holds the hash of the one before it.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::codec::{decode, encode};
use super::keys;
use super::tables::{Table, Tables, read_error};
use super::view::View;
use crate::ids::OrgId;
use crate::store::{AuditEntry, AuditEvent, AuditSummary, StoreError, StoreResult};

/// An entry as a row. The event is kept as the very bytes that were hashed.
#[derive(Serialize, Deserialize)]
struct Row {
    #[serde(with = "serde_bytes")]
    prev_hash: [u8; 32],
    #[serde(with = "serde_bytes")]
    hash: [u8; 32],
    #[serde(with = "serde_bytes")]
    event: Vec<u8>,
}

/// The end of a chain.
#[derive(Serialize, Deserialize)]
struct Head {
    seq: u64,
    #[serde(with = "serde_bytes")]
    hash: [u8; 32],
}

impl Head {
    fn start(org: &OrgId) -> Self {
        Self { seq: 0, hash: digest(&[b"keyferry/audit/v1/start", org.as_str().as_bytes()]) }
    }
}

fn digest(members: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for member in members {
        hash.update((member.len() as u64).to_be_bytes());
        hash.update(member);
    }
    hash.finalize().into()
}

fn chained(org: &OrgId, seq: u64, prev_hash: &[u8; 32], event: &[u8]) -> [u8; 32] {
    digest(&[b"keyferry/audit/v1", org.as_str().as_bytes(), &seq.to_be_bytes(), prev_hash, event])
}

/// Adds an event to its organisation's chain.
pub(super) fn append(view: &mut View<'_>, org: &OrgId, event: &AuditEvent) -> StoreResult<()> {
    let head_key = keys::org(org);
    let head: Head = view.get(Table::AuditHeads, &head_key)?.unwrap_or_else(|| Head::start(org));
    let seq = head.seq + 1;
    let event = encode(Table::Audit, event)?;
    let hash = chained(org, seq, &head.hash, &event);
    view.put(Table::Audit, keys::audit(org, seq), &Row { prev_hash: head.hash, hash, event })?;
    view.put(Table::AuditHeads, head_key, &Head { seq, hash })
}

/// The newest entries, newest first.
pub(super) fn tail(tables: &Tables, org: &OrgId, limit: usize) -> StoreResult<Vec<AuditEntry>> {
    tables.tree(Table::Audit)?.scan_prefix(keys::org(org)).rev().take(limit).map(entry).collect()
}

/// Entries after a place, in their order.
pub(super) fn after(tables: &Tables, org: &OrgId, after: u64, limit: usize) -> StoreResult<Vec<AuditEntry>> {
    let places = keys::audit(org, after.saturating_add(1))..=keys::audit(org, u64::MAX);
    tables.tree(Table::Audit)?.range(places).take(limit).map(entry).collect()
}

fn entry(row: sled::Result<(sled::IVec, sled::IVec)>) -> StoreResult<AuditEntry> {
    let (key, value) = row.map_err(read_error)?;
    let Row { prev_hash, hash, event } = decode(Table::Audit, &value)?;
    Ok(AuditEntry { seq: seq_of(&key), prev_hash, hash, event: decode(Table::Audit, &event)? })
}

/// Walks a chain. Entries that are added meanwhile are left out.
pub(super) fn verify(tables: &Tables, org: &OrgId) -> StoreResult<AuditSummary> {
    let mut head = head(tables, org)?;
    loop {
        let walked = walk(tables, org, &head);
        let now = self::head(tables, org)?;
        // A chain that was begun during the walk looks like one without an end.
        if walked.is_ok() || head.seq != 0 || now.seq == 0 {
            return walked;
        }
        head = now;
    }
}

fn head(tables: &Tables, org: &OrgId) -> StoreResult<Head> {
    Ok(tables.record(Table::AuditHeads, &keys::org(org))?.unwrap_or_else(|| Head::start(org)))
}

fn walk(tables: &Tables, org: &OrgId, head: &Head) -> StoreResult<AuditSummary> {
    let mut last = Head::start(org);
    let mut newest = None;
    for row in tables.tree(Table::Audit)?.scan_prefix(keys::org(org)) {
        let (key, value) = row.map_err(read_error)?;
        let seq = last.seq + 1;
        let broken = |reason| StoreError::AuditBroken { org: org.clone(), seq, reason };
        if seq > head.seq && head.seq > 0 {
            break;
        }
        if seq_of(&key) != seq {
            return Err(broken("it is missing"));
        }
        let row: Row = decode(Table::Audit, &value).map_err(|_| broken("it cannot be read"))?;
        if row.prev_hash != last.hash {
            return Err(broken("it does not follow the one before it"));
        }
        if row.hash != chained(org, seq, &row.prev_hash, &row.event) {
            return Err(broken("it was changed"));
        }
        let event: AuditEvent = decode(Table::Audit, &row.event).map_err(|_| broken("it cannot be read"))?;
        newest = Some(event.at);
        last = Head { seq, hash: row.hash };
    }
    if last.seq != head.seq || last.hash != head.hash {
        let reason = "the chain ends elsewhere than it should";
        return Err(StoreError::AuditBroken { org: org.clone(), seq: last.seq + 1, reason });
    }
    Ok(AuditSummary { org: org.clone(), entries: last.seq, head: last.hash, newest })
}

fn seq_of(key: &[u8]) -> u64 {
    key.last_chunk::<8>().map_or(0, |seq| u64::from_be_bytes(*seq))
}
