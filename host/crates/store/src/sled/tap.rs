//! What a copy of the content has to know of the batches that become visible while it reads.
//!
//! A copy reads each table in the order of its keys. A batch that changes rows that were read already is kept here, to be copied behind
//! them; rows that are yet to be read will be read as they are then. Pages are read, and batches become visible, one at a time: each
//! page is of a moment between two batches, and each batch is of one between two pages.

use std::mem;

use bytes::Bytes;
use parking_lot::Mutex;

use crate::records::{Table, is_own};
use crate::{Change, StoreError, StoreResult, TableCounts};

/// Bytes of changes that may wait.
pub(super) const MOST: usize = 64 << 20;

/// The changes of rows that a copy has read.
#[derive(Default)]
pub(super) struct Tap(Mutex<State>);

#[derive(Default)]
struct State {
    /// Tables before this one have been read.
    table: usize,
    /// Its last row that was read.
    key: Option<Vec<u8>>,
    changes: Vec<Change>,
    bytes: usize,
    is_overrun: bool,
    /// Rows that were read and are still there, and those that have come in between.
    counts: TableCounts,
}

impl Tap {
    /// The tap of a copy that begins behind this row of this table.
    pub(super) fn new(table: usize, key: Option<Vec<u8>>) -> Self {
        Self(Mutex::new(State { table, key, ..State::default() }))
    }

    /// A batch changes a row; `had_row` says whether it was there.
    pub(super) fn changed(&self, table: Table, key: &[u8], record: Option<&Bytes>, had_row: bool) {
        let state = &mut *self.0.lock();
        let was_read = match (table as usize).cmp(&state.table) {
            std::cmp::Ordering::Less => true,
            std::cmp::Ordering::Equal => state.key.as_deref().is_some_and(|last| key <= last),
            std::cmp::Ordering::Greater => false,
        };
        if !was_read || is_own(table, key) {
            return;
        }
        match (record, had_row) {
            (Some(_), false) => state.counts.add(table, 1),
            (None, true) => state.counts.remove(table),
            _ => {}
        }
        if state.is_overrun {
            return;
        }
        let change = Change { table, key: key.to_vec(), record: record.cloned() };
        state.bytes += change.size() + mem::size_of::<Change>();
        state.changes.push(change);
        if state.bytes > MOST {
            state.is_overrun = true;
            state.changes = Vec::new();
        }
    }

    /// Rows were read: those of this table up to this key.
    pub(super) fn read(&self, table: Table, rows: &[Change]) {
        let state = &mut *self.0.lock();
        state.counts.add(table, rows.iter().filter(|row| !is_own(table, &row.key)).count());
        if let Some(last) = rows.last() {
            state.key = Some(last.key.clone());
        }
    }

    /// A table has been read to its end.
    pub(super) fn read_table(&self, table: Table) {
        let state = &mut *self.0.lock();
        (state.table, state.key) = (table as usize + 1, None);
    }

    /// The changes since the last call.
    ///
    /// # Errors
    /// `CopyOverrun` where there were too many.
    pub(super) fn take(&self) -> StoreResult<Vec<Change>> {
        let state = &mut *self.0.lock();
        if state.is_overrun {
            return Err(StoreError::CopyOverrun { most: MOST });
        }
        state.bytes = 0;
        Ok(mem::take(&mut state.changes))
    }

    /// The numbers of rows as they are after all changes.
    pub(super) fn counts(&self) -> TableCounts {
        self.0.lock().counts.clone()
    }
}
