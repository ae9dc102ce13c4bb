//! The changes of a batch of writes.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::mem;
use std::ops::Bound;

use bytes::Bytes;

use super::audit_head::Head;
use super::table::Table;
use keyferry_types::ids::OrgId;

/// Rows to put (`Some`) and to remove (`None`).
type Rows = BTreeMap<Vec<u8>, Option<Bytes>>;

/// The changes of a batch.
#[derive(Default)]
pub(crate) struct Changes {
    rows: BTreeMap<Table, Rows>,
    /// Bytes of the rows, and of those that later ones replace.
    bytes: usize,
    /// What is added to trails, by their organisation.
    trails: BTreeMap<OrgId, Trail>,
}

/// What a batch adds to an organisation's trail.
pub(super) struct Trail {
    /// The end of the trail as it is stored; `None` where it has not begun.
    pub(super) head: Option<Head>,
    /// Encoded events in their order.
    pub(super) events: Vec<Vec<u8>>,
}

impl Changes {
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.trails.is_empty()
    }

    /// Bytes of all rows with their keys, at least.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// All rows to put and to remove, in the order of tables and keys.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Table, &[u8], Option<&Bytes>)> {
        let tables = self.rows.iter();
        tables.flat_map(|(table, rows)| rows.iter().map(|(key, value)| (*table, key.as_slice(), value.as_ref())))
    }

    /// Puts a row, or removes it.
    pub(crate) fn set(&mut self, table: Table, key: Vec<u8>, value: Option<Bytes>) {
        self.bytes += key.len() + value.as_ref().map_or(0, Bytes::len);
        self.rows.entry(table).or_default().insert(key, value);
    }

    pub(super) fn take_trails(&mut self) -> BTreeMap<OrgId, Trail> {
        mem::take(&mut self.trails)
    }

    pub(super) fn has_events_of(&self, org: &OrgId) -> bool {
        self.trails.contains_key(org)
    }

    pub(super) fn add_event(&mut self, org: &OrgId, event: Vec<u8>, head: Option<Head>) {
        match self.trails.get_mut(org) {
            Some(trail) => trail.events.push(event),
            None => _ = self.trails.insert(org.clone(), Trail { head, events: vec![event] }),
        }
    }

    pub(super) fn merge(&mut self, later: Self) {
        let bytes = self.bytes + later.bytes;
        if self.is_empty() {
            *self = Self { bytes, ..later };
            return;
        }
        self.bytes = bytes;
        for (table, rows) in later.rows {
            self.rows.entry(table).or_default().extend(rows);
        }
        for (org, trail) in later.trails {
            match self.trails.entry(org) {
                Entry::Vacant(place) => _ = place.insert(trail),
                Entry::Occupied(mut known) => known.get_mut().events.extend(trail.events),
            }
        }
    }

    pub(super) fn get(&self, table: Table, key: &[u8]) -> Option<&Option<Bytes>> {
        self.rows.get(&table)?.get(key)
    }

    pub(super) fn overlay(&self, table: Table, prefix: &[u8], rows: &mut BTreeMap<Vec<u8>, Bytes>) {
        let Some(own) = self.rows.get(&table) else { return };
        let own = own.range::<[u8], _>((Bound::Included(prefix), Bound::Unbounded));
        for (key, value) in own.take_while(|(key, _)| key.starts_with(prefix)) {
            match value {
                Some(value) => rows.insert(key.clone(), value.clone()),
                None => rows.remove(key),
            };
        }
    }
}
