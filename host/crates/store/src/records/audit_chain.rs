//! The audit chain: each entry holds the hash of the one before it.

use std::{iter, mem};

use serde::{Deserialize, Serialize};

use super::audit_head::{Head, chained};
use super::changes::{Changes, Trail};
use super::codec::{check_size, decode, encode};
use super::keys;
use super::rows::{ENOUGH, NEXT, Range, Rows};
use super::table::Table;
use super::view::View;
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

/// Appends an event to the chain.
fn next_entry(head: &mut Head, org: &OrgId, event: Vec<u8>) -> Entry {
    head.seq += 1;
    head.hash = chained(org, head.seq, &head.hash, &event);
    Entry { hash: head.hash, event }
}

/// Adds an event to its organisation's chain, which [`link`] does once the batch is complete.
pub(crate) fn append(view: &mut View<'_>, org: &OrgId, event: &AuditEvent) -> StoreResult<()> {
    let event = encode(Table::Audit, event)?;
    check_size(Table::Audit, event.len() + AROUND)?;
    // An event that cannot be written to the trail is refused alone, without harm to other writes of the same batch.
    let head = match view.has_events_of(org) || view.stored().is_shared() {
        true => None,
        false => view.stored().record(Table::AuditHeads, &keys::org(org))?,
    };
    view.record_event(org, event, head);
    Ok(())
}

/// Brings the events of a batch into their chains.
pub(crate) fn link(changes: &mut Changes) -> StoreResult<()> {
    for (org, Trail { head, events }) in changes.take_trails() {
        let mut head = head.unwrap_or_else(|| Head::start(&org));
        rows(&mut head, &org, events, &mut |key, row| {
            changes.set(Table::Audit, key, Some(row.into()));
            Ok(())
        })?;
        changes.set(Table::AuditHeads, keys::org(&org), Some(encode(Table::AuditHeads, &head)?.into()));
    }
    Ok(())
}

/// Brings events into their organisation's chain.
pub(super) fn extend(view: &mut View<'_>, org: &OrgId, events: impl IntoIterator<Item = Vec<u8>>) -> StoreResult<()> {
    let mut head = view.get(Table::AuditHeads, &keys::org(org))?.unwrap_or_else(|| Head::start(org));
    rows(&mut head, org, events, &mut |key, row| view.put_raw(Table::Audit, key, row))?;
    view.put(Table::AuditHeads, keys::org(org), &head)
}

/// The rows of events that follow a chain's end, which moves on.
fn rows(
    head: &mut Head,
    org: &OrgId,
    events: impl IntoIterator<Item = Vec<u8>>,
    put: &mut dyn FnMut(Vec<u8>, Vec<u8>) -> StoreResult<()>,
) -> StoreResult<()> {
    let mut events = events.into_iter().peekable();
    while let Some(event) = events.next() {
        let (prev_hash, mut bytes) = (head.hash, event.len());
        let Entry { hash, event } = next_entry(head, org, event);
        let mut row = Row { prev_hash, hash, event, more: Vec::new() };
        while let Some(event) = events.next_if(|event| bytes + event.len() + AROUND <= ROW) {
            bytes += event.len() + AROUND;
            row.more.push(next_entry(head, org, event));
        }
        put(keys::audit(org, head.seq), encode(Table::Audit, &row)?)?;
    }
    Ok(())
}

/// The newest entries, newest first.
pub(super) fn tail(rows: &dyn Rows, org: &OrgId, limit: usize) -> StoreResult<Vec<AuditEntry>> {
    let mut newest = Vec::new();
    rows.walk(Table::Audit, Range::of(&keys::org(org)).backwards().most(limit), &mut |key, value| {
        if newest.len() >= limit {
            return ENOUGH;
        }
        newest.extend(entries(key, value)?.into_iter().rev());
        NEXT
    })?;
    newest.truncate(limit);
    Ok(newest)
}

/// Entries after a place, in their order.
pub(super) fn after(rows: &dyn Rows, org: &OrgId, after: u64, limit: usize) -> StoreResult<Vec<AuditEntry>> {
    // A row stands at the place of its last entry, so that the first one found has the entry after that place.
    let (trail, place) = (keys::org(org), keys::audit(org, after));
    let mut found = Vec::new();
    rows.walk(Table::Audit, Range::of(&trail).after(Some(&place)).most(limit), &mut |key, value| {
        if found.len() >= limit {
            return ENOUGH;
        }
        found.extend(entries(key, value)?.into_iter().filter(|entry| entry.seq > after));
        NEXT
    })?;
    found.truncate(limit);
    Ok(found)
}

fn entries(key: &[u8], value: &[u8]) -> StoreResult<Vec<AuditEntry>> {
    let row: Row = decode(Table::Audit, value)?;
    let damaged = || StoreError::Damaged { table: Table::Audit.name(), reason: "it has no place".to_owned() };
    let mut prev_hash = row.prev_hash;
    let (first, members) = row.entries(key).ok_or_else(damaged)?;
    (first..)
        .zip(members)
        .map(|(seq, Entry { hash, event })| {
            let prev_hash = mem::replace(&mut prev_hash, hash);
            Ok(AuditEntry { seq, prev_hash, hash, event: decode(Table::Audit, &event)? })
        })
        .collect()
}

/// Walks a chain. Entries that are added meanwhile are left out.
pub(super) fn verify(rows: &dyn Rows, org: &OrgId) -> StoreResult<AuditSummary> {
    let mut head = stored_head(rows, org)?;
    loop {
        let walked = walk(rows, org, &head);
        let now = stored_head(rows, org)?;
        // A chain that was begun during the walk looks like one without an end.
        if walked.is_ok() || head.seq != 0 || now.seq == 0 {
            return walked;
        }
        head = now;
    }
}

fn stored_head(rows: &dyn Rows, org: &OrgId) -> StoreResult<Head> {
    Ok(rows.record(Table::AuditHeads, &keys::org(org))?.unwrap_or_else(|| Head::start(org)))
}

fn walk(rows: &dyn Rows, org: &OrgId, head: &Head) -> StoreResult<AuditSummary> {
    let mut last = Head::start(org);
    let mut newest = None;
    rows.walk(Table::Audit, Range::of(&keys::org(org)), &mut |key, value| {
        if last.seq >= head.seq && head.seq > 0 {
            return ENOUGH;
        }
        let broken = |seq, reason| StoreError::AuditBroken { org: org.clone(), seq, reason };
        let row: Row = decode(Table::Audit, value).map_err(|_| broken(last.seq + 1, "it cannot be read"))?;
        let follows = row.prev_hash == last.hash;
        let place = row.entries(key).filter(|(first, _)| *first == last.seq + 1);
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
        NEXT
    })?;
    if last.seq != head.seq || last.hash != head.hash {
        let reason = "the chain ends elsewhere than it should";
        return Err(StoreError::AuditBroken { org: org.clone(), seq: last.seq + 1, reason });
    }
    Ok(AuditSummary { org: org.clone(), entries: last.seq, head: last.hash, newest })
}
