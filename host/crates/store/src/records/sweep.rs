//! Removal of expired records.

use super::changes::Changes;
use super::keys;
use super::rows::Rows;
use super::table::Table;
use super::view::View;
use crate::{IdempotencyRecord, StoreResult, Timestamp};

/// Expired records of a table that one sweep removes at most.
const SWEPT_AT_ONCE: usize = 256;

/// Removes some of the records that have expired: responses for an `Idempotency-Key`, and deliveries that were given
/// up. A failure changes nothing.
pub(crate) fn sweep(rows: &dyn Rows, batch: &mut Changes) {
    let mut view = View::new(rows, batch);
    match remove_expired(&mut view, Timestamp::now()) {
        Ok(()) => _ = view.accept(),
        Err(error) => tracing::warn!(%error, "expired records could not be swept"),
    }
}

fn remove_expired(view: &mut View<'_>, now: Timestamp) -> StoreResult<()> {
    for end in view.first_stored(Table::IdempotencyEnds, SWEPT_AT_ONCE)? {
        let Some((expires_at, row)) = keys::split_end(&end) else { continue };
        if now < expires_at {
            break;
        }
        // A write of this very batch may have put a new record in its place.
        let kept = view.get::<IdempotencyRecord>(Table::Idempotency, row)?;
        if kept.is_some_and(|kept| kept.expires_at == expires_at) {
            view.remove(Table::Idempotency, row.to_vec());
        }
        view.remove(Table::IdempotencyEnds, end);
    }
    for end in view.first_stored(Table::UndeliveredEnds, SWEPT_AT_ONCE)? {
        let Some((expires_at, row)) = keys::split_end(&end) else { continue };
        if now < expires_at {
            break;
        }
        // Places are given once, so that nothing else can be there.
        view.remove(Table::Undelivered, row.to_vec());
        view.remove(Table::UndeliveredEnds, end);
    }
    Ok(())
}
