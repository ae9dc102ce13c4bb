//! Audit events on their way into their chain, where several hosts write.
//!
//! The end of a chain is one row: transactions of several hosts that each appended to it would meet there. So a transaction puts its
//! events into rows of their own, which are durable with it, and one host brings them into their chains soon afterwards. Whoever reads a
//! trail does so first, and finds all that was committed before.

use bytes::Bytes;

use super::audit_chain;
use super::changes::{Changes, Trail};
use super::engine::Engine;
use super::hints::Hints;
use super::keys;
use super::rows::{ENOUGH, NEXT, Range};
use super::table::Table;
use super::view::View;
use crate::{StoreError, StoreResult};
use keyferry_types::ids::OrgId;

/// Events that one transaction brings into their chains, and after how many bytes of them it stops.
const MOST_EVENTS: usize = 512;
const MOST_BYTES: usize = 256 * 1024;

/// Whether events are left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Left {
    /// All that were there are in their chains.
    None,
    /// There are more.
    Some,
}

/// Puts the events of a batch where they wait. `place` gives each one a higher place than the one before.
pub(crate) fn park(changes: &mut Changes, place: impl Fn() -> Option<u64>) -> StoreResult<()> {
    for (org, Trail { events, .. }) in changes.take_trails() {
        for event in events {
            let place = place().ok_or(StoreError::Contradiction("events wait where one host writes"))?;
            changes.set(Table::AuditPending, keys::audit(&org, place), Some(event.into()));
        }
    }
    Ok(())
}

/// Brings events that wait into their chains: those of an organisation, or of all.
pub(crate) fn link_some(view: &mut View<'_>, of: Option<&OrgId>) -> StoreResult<Left> {
    let prefix = of.map(keys::org).unwrap_or_default();
    let mut waiting: Vec<(Vec<u8>, Bytes)> = Vec::new();
    let (mut bytes, mut left) = (0, Left::None);
    view.stored().walk(Table::AuditPending, Range::of(&prefix).most(MOST_EVENTS), &mut |key, event| {
        bytes += event.len();
        waiting.push((key.to_vec(), Bytes::copy_from_slice(event)));
        if waiting.len() < MOST_EVENTS && bytes < MOST_BYTES {
            return NEXT;
        }
        left = Left::Some;
        ENOUGH
    })?;
    let damaged = || StoreError::Damaged {
        table: Table::AuditPending.name(),
        reason: "its key names no organisation".to_owned(),
    };
    let mut rest = waiting.as_slice();
    while let Some((first, _)) = rest.first() {
        let org = keys::root_org(first).ok_or_else(damaged)?;
        let prefix = keys::org(&org);
        let (of_org, others) = rest.split_at(rest.iter().take_while(|(key, _)| key.starts_with(&prefix)).count());
        // The key of the first begins with its own organisation, so that this ends.
        rest = if of_org.is_empty() { return Err(damaged()) } else { others };
        audit_chain::extend(view, &org, of_org.iter().map(|(_, event)| event.to_vec()))?;
    }
    for (key, _) in waiting {
        view.remove(Table::AuditPending, key);
    }
    Ok(left)
}

/// Brings all events of an organisation into its chain that are committed.
pub(super) async fn link_all(engine: &impl Engine, org: &OrgId) -> StoreResult<()> {
    let prefix = keys::org(org);
    loop {
        let key = prefix.clone();
        let waits = engine.read(move |rows| {
            let mut waits = Left::None;
            rows.walk(Table::AuditPending, Range::of(&key).most(1), &mut |_, _| {
                waits = Left::Some;
                ENOUGH
            })?;
            Ok(waits)
        });
        if waits.await? == Left::None {
            return Ok(());
        }
        let org = org.clone();
        engine.write(MOST_BYTES, Hints::default(), move |view| link_some(view, Some(&org))).await?;
    }
}
