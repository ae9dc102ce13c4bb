//! The audit chain: each entry holds the hash of the one before it.

use std::{iter, mem};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::codec::{check_size, decode, encode};
use super::keys;
use super::tables::{Table, Tables, read_error};
use super::view::{Changes, View};
use crate::{AuditEntry, AuditEvent, AuditSummary, StoreError, StoreResult};
use keyferry_types::ids::OrgId;

/// Bytes of events after which a row is closed: records have 64 KiB at most.
const ROW: usize = 32 * 1024;
/// Bytes that stand around an event in its row, at most.
const AROUND: usize = 256;

/// Entries that one batch of writes brought along, as a row. Its key ends in the number of the last one.
#[derive(Serialize, Deserialize)]
struct Row {
    /// The hash of the entry before the first.
    #[serde(with = "serde_bytes")]
    prev_hash: [u8; 32],
    /// Hash of the first entry.
    #[serde(with = "serde_bytes")]
    hash: [u8; 32],
    #[serde(with = "serde_bytes")]
    event: Vec<u8>,
    /// Those that follow it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    more: Vec<Entry>,
}

/// An entry. The event is kept as the very bytes that were hashed.
#[derive(Serialize, Deserialize)]
struct Entry {
    #[serde(with = "serde_bytes")]
    hash: [u8; 32],
    #[serde(with = "serde_bytes")]
    event: Vec<u8>,
}

impl Row {
    /// The entries of a row, and the number of the first one; `None` where its key cannot be theirs.
    fn entries(self, key: &[u8]) -> Option<(u64, impl Iterator<Item = Entry>)> {
        let last = key.last_chunk::<8>().map(|seq| u64::from_be_bytes(*seq))?;
        let first = last.checked_sub(self.more.len() as u64)?;
        Some((first, iter::once(Entry { hash: self.hash, event: self.event }).chain(self.more)))
    }
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

    /// Appends an event to the chain.
    fn append(&mut self, org: &OrgId, event: Vec<u8>) -> Entry {
        self.seq += 1;
        self.hash = chained(org, self.seq, &self.hash, &event);
        Entry { hash: self.hash, event }
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

/// Adds an event to its organisation's chain, which [`link`] does once the batch is complete.
pub(super) fn append(view: &mut View<'_>, org: &OrgId, event: &AuditEvent) -> StoreResult<()> {
    let event = encode(Table::Audit, event)?;
    check_size(Table::Audit, event.len() + AROUND)?;
    // An event that cannot be written to the trail is refused alone, without harm to other writes of the same batch.
    if !view.has_events_of(org) {
        head(view.tables(), org)?;
    }
    view.record_event(org, event);
    Ok(())
}

/// Brings the events of a batch into their chains.
pub(super) fn link(tables: &Tables, changes: &mut Changes) -> StoreResult<()> {
    for (org, events) in changes.take_events() {
        let mut head = head(tables, &org)?;
        let mut events = events.into_iter().peekable();
        while let Some(event) = events.next() {
            let (prev_hash, mut bytes) = (head.hash, event.len());
            let Entry { hash, event } = head.append(&org, event);
            let mut row = Row { prev_hash, hash, event, more: Vec::new() };
            while let Some(event) = events.next_if(|event| bytes + event.len() + AROUND <= ROW) {
                bytes += event.len() + AROUND;
                row.more.push(head.append(&org, event));
            }
            changes.put(Table::Audit, keys::audit(&org, head.seq), encode(Table::Audit, &row)?);
        }
        changes.put(Table::AuditHeads, keys::org(&org), encode(Table::AuditHeads, &head)?);
    }
    Ok(())
}

/// The newest entries, newest first.
pub(super) fn tail(tables: &Tables, org: &OrgId, limit: usize) -> StoreResult<Vec<AuditEntry>> {
    let mut newest = Vec::new();
    for row in tables.tree(Table::Audit)?.scan_prefix(keys::org(org)).rev() {
        if newest.len() >= limit {
            break;
        }
        newest.extend(entries(row)?.into_iter().rev());
    }
    newest.truncate(limit);
    Ok(newest)
}

/// Entries after a place, in their order.
pub(super) fn after(tables: &Tables, org: &OrgId, after: u64, limit: usize) -> StoreResult<Vec<AuditEntry>> {
    // A row stands at the place of its last entry, so that the first one found has the entry after that place.
    let places = keys::audit(org, after.saturating_add(1))..=keys::audit(org, u64::MAX);
    let mut found = Vec::new();
    for row in tables.tree(Table::Audit)?.range(places) {
        if found.len() >= limit {
            break;
        }
        found.extend(entries(row)?.into_iter().filter(|entry| entry.seq > after));
    }
    found.truncate(limit);
    Ok(found)
}

fn entries(row: sled::Result<(sled::IVec, sled::IVec)>) -> StoreResult<Vec<AuditEntry>> {
    let (key, value) = row.map_err(read_error)?;
    let row: Row = decode(Table::Audit, &value)?;
    let damaged = || StoreError::Damaged { table: Table::Audit.name(), reason: "it has no place".to_owned() };
    let mut prev_hash = row.prev_hash;
    let (first, members) = row.entries(&key).ok_or_else(damaged)?;
    (first..)
        .zip(members)
        .map(|(seq, Entry { hash, event })| {
            let prev_hash = mem::replace(&mut prev_hash, hash);
            Ok(AuditEntry { seq, prev_hash, hash, event: decode(Table::Audit, &event)? })
        })
        .collect()
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
        if last.seq >= head.seq && head.seq > 0 {
            break;
        }
        let broken = |seq, reason| StoreError::AuditBroken { org: org.clone(), seq, reason };
        let row: Row = decode(Table::Audit, &value).map_err(|_| broken(last.seq + 1, "it cannot be read"))?;
        let follows = row.prev_hash == last.hash;
        let place = row.entries(&key).filter(|(first, _)| *first == last.seq + 1);
        let (first, members) = place.ok_or_else(|| broken(last.seq + 1, "it is missing"))?;
        if !follows {
            return Err(broken(first, "it does not follow the one before it"));
        }
        for (seq, entry) in (first..).zip(members) {
            if entry.hash != chained(org, seq, &last.hash, &entry.event) {
                return Err(broken(seq, "it was changed"));
            }
            let event: AuditEvent = decode(Table::Audit, &entry.event).map_err(|_| broken(seq, "it cannot be read"))?;
            newest = Some(event.at);
            last = Head { seq, hash: entry.hash };
        }
    }
    if last.seq != head.seq || last.hash != head.hash {
        let reason = "the chain ends elsewhere than it should";
        return Err(StoreError::AuditBroken { org: org.clone(), seq: last.seq + 1, reason });
    }
    Ok(AuditSummary { org: org.clone(), entries: last.seq, head: last.hash, newest })
}
