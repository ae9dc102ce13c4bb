//! Audit events on their way into their chain, where several hosts write.
//!
//! The end of a chain is one row: transactions of several hosts that each appended to it would meet there. So a transaction puts its
//! events into rows of their own, which are durable with it, and one host brings them into their chains soon afterwards. A reader of a
//! trail does so first, and finds all that was committed before.

use bytes::Bytes;

use super::audit_chain;
use super::changes::{Changes, Trail};
use super::engine::Engine;
use super::hints::Hints;
use super::keys;
use super::rows::{ENOUGH, Range, Rows};
use super::table::Table;
use super::view::View;
use crate::{StoreError, StoreResult};
use keyferry_types::ids::OrgId;

/// Events that one transaction brings into their chains, and after how many bytes of them it stops.
const MOST_EVENTS: usize = 512;
const MOST_BYTES: usize = 256 * 1024;

/// An event that waits: its key, and its bytes.
type Waiting = (Vec<u8>, Bytes);

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

/// Brings events that wait into their chains, of whichever organisation. Where a chain cannot be extended, its events go on waiting, and other
/// organisations' do not: the write that asks for this is no part of it.
pub(crate) fn link_waiting(rows: &dyn Rows, batch: &mut Changes) -> StoreResult<Left> {
    let (waiting, mut left) = first_of(&View::new(rows, batch), &[])?;
    let mut rest = waiting.as_slice();
    while let Some((first, _)) = rest.first() {
        let Some(org) = keys::root_org(first) else {
            tracing::error!("an audit event waits whose key names no organisation");
            return Ok(Left::None);
        };
        let prefix = keys::org(&org);
        // At least the first one.
        let count = rest.iter().take_while(|(key, _)| key.starts_with(&prefix)).count().max(1);
        let (of_org, others) = rest.split_at_checked(count).unwrap_or((rest, &[]));
        rest = others;
        let mut view = View::new(rows, batch);
        match link_rows(&mut view, &org, of_org) {
            Ok(()) => _ = view.accept(),
            Err(error) => {
                tracing::error!(%org, %error, "audit events wait, since their chain cannot be extended");
                // They are found first again: without a pause, this would never end.
                left = Left::None;
            }
        }
    }
    Ok(left)
}

/// Brings events of an organisation that wait into its chain.
fn link_some(view: &mut View<'_>, org: &OrgId) -> StoreResult<Left> {
    let (waiting, left) = first_of(view, &keys::org(org))?;
    link_rows(view, org, &waiting)?;
    Ok(left)
}

fn link_rows(view: &mut View<'_>, org: &OrgId, waiting: &[Waiting]) -> StoreResult<()> {
    if waiting.is_empty() {
        return Ok(());
    }
    audit_chain::extend(view, org, waiting.iter().map(|(_, event)| event.to_vec()))?;
    waiting.iter().for_each(|(key, _)| view.remove(Table::AuditPending, key.clone()));
    Ok(())
}

/// The first events that wait, without those that another write of this batch has brought into their chains.
fn first_of(view: &View<'_>, prefix: &[u8]) -> StoreResult<(Vec<Waiting>, Left)> {
    let mut waiting = view.first_of(Table::AuditPending, prefix, MOST_EVENTS)?;
    let mut bytes = 0;
    let fitting = waiting.iter().take_while(|(_, event)| {
        bytes += event.len();
        bytes <= MOST_BYTES
    });
    // One fits in any case: a record has less than that.
    let count = fitting.count();
    let left = if count == MOST_EVENTS || count < waiting.len() { Left::Some } else { Left::None };
    waiting.truncate(count);
    Ok((waiting, left))
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
        engine.write(MOST_BYTES, Hints::default(), move |view| link_some(view, &org)).await?;
    }
}
