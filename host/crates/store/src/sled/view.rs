//! What one write of a batch sees and changes: the trees, under what earlier writes of the batch have changed, under its own
//! changes.
//!
//! Only the committer writes, so reading before the transaction is as good as reading in it. The transaction itself only
//! puts rows; that sled may run it twice does not matter.

use std::collections::BTreeMap;
use std::mem;
use std::ops::Bound;

use serde::Serialize;
use serde::de::DeserializeOwned;
use sled::IVec;

use super::codec::{check_size, decode, encode};
use super::tables::{Table, Tables, read_error};
use crate::{StoreResult, WebhookKey};
use keyferry_types::ids::OrgId;

/// Rows to put (`Some`) and to remove (`None`).
type Rows = BTreeMap<Vec<u8>, Option<IVec>>;

/// The changes of a batch.
#[derive(Default)]
pub(super) struct Changes {
    rows: BTreeMap<Table, Rows>,
    /// Encoded events by the organisation of their trail, in their order.
    events: BTreeMap<OrgId, Vec<Vec<u8>>>,
}

impl Changes {
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.events.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Table, &[u8], Option<&IVec>)> {
        let tables = self.rows.iter();
        tables.flat_map(|(table, rows)| rows.iter().map(|(key, value)| (*table, key.as_slice(), value.as_ref())))
    }

    pub(super) fn put(&mut self, table: Table, key: Vec<u8>, bytes: Vec<u8>) {
        self.set(table, key, Some(bytes.into()));
    }

    pub(super) fn take_events(&mut self) -> BTreeMap<OrgId, Vec<Vec<u8>>> {
        mem::take(&mut self.events)
    }

    fn set(&mut self, table: Table, key: Vec<u8>, value: Option<IVec>) {
        self.rows.entry(table).or_default().insert(key, value);
    }

    fn merge(&mut self, later: Self) {
        for (table, rows) in later.rows {
            self.rows.entry(table).or_default().extend(rows);
        }
        for (org, events) in later.events {
            self.events.entry(org).or_default().extend(events);
        }
    }

    fn get(&self, table: Table, key: &[u8]) -> Option<&Option<IVec>> {
        self.rows.get(&table)?.get(key)
    }

    fn overlay(&self, table: Table, prefix: &[u8], rows: &mut BTreeMap<Vec<u8>, IVec>) {
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

/// Uncommitted changes over the tables; the module's documentation has the rules.
pub(super) struct View<'a> {
    tables: &'a Tables,
    batch: &'a mut Changes,
    own: Changes,
    wakeups: Vec<WebhookKey>,
}

impl<'a> View<'a> {
    pub(super) fn new(tables: &'a Tables, batch: &'a mut Changes) -> Self {
        Self { tables, batch, own: Changes::default(), wakeups: Vec::new() }
    }

    /// Makes the changes part of the batch; without this call they are dropped. Returns the webhooks that the notifier
    /// reports once the changes are on disk.
    pub(super) fn accept(self) -> Vec<WebhookKey> {
        self.batch.merge(self.own);
        self.wakeups
    }

    /// Reports a webhook to the notifier once the changes are on disk.
    pub(super) fn notify(&mut self, webhook: WebhookKey) {
        self.wakeups.push(webhook);
    }

    /// What is stored, without what this batch changes.
    pub(super) fn tables(&self) -> &Tables {
        self.tables
    }

    /// Whether this batch has events for an organisation's trail so far.
    pub(super) fn has_events_of(&self, org: &OrgId) -> bool {
        self.own.events.contains_key(org) || self.batch.events.contains_key(org)
    }

    /// Adds an event to those of an organisation's trail.
    pub(super) fn record_event(&mut self, org: &OrgId, event: Vec<u8>) {
        match self.own.events.get_mut(org) {
            Some(events) => events.push(event),
            None => _ = self.own.events.insert(org.clone(), vec![event]),
        }
    }

    pub(super) fn raw(&self, table: Table, key: &[u8]) -> StoreResult<Option<IVec>> {
        match self.own.get(table, key).or_else(|| self.batch.get(table, key)) {
            Some(changed) => Ok(changed.clone()),
            None => self.tables.get(table, key),
        }
    }

    pub(super) fn get<T: DeserializeOwned>(&self, table: Table, key: &[u8]) -> StoreResult<Option<T>> {
        self.raw(table, key)?.map(|bytes| decode(table, &bytes)).transpose()
    }

    pub(super) fn has(&self, table: Table, key: &[u8]) -> StoreResult<bool> {
        Ok(self.raw(table, key)?.is_some())
    }

    pub(super) fn put_raw(&mut self, table: Table, key: Vec<u8>, bytes: Vec<u8>) -> StoreResult<()> {
        check_size(table, key.len().max(bytes.len()))?;
        self.own.put(table, key, bytes);
        Ok(())
    }

    pub(super) fn put<T: Serialize>(&mut self, table: Table, key: Vec<u8>, record: &T) -> StoreResult<()> {
        let bytes = encode(table, record)?;
        self.put_raw(table, key, bytes)
    }

    pub(super) fn remove(&mut self, table: Table, key: Vec<u8>) {
        self.own.set(table, key, None);
    }

    /// All rows whose keys begin with `prefix`. For prefixes of few rows.
    pub(super) fn scan(&self, table: Table, prefix: &[u8]) -> StoreResult<Vec<(Vec<u8>, IVec)>> {
        let mut rows = BTreeMap::new();
        for row in self.tables.tree(table)?.scan_prefix(prefix) {
            let (key, value) = row.map_err(read_error)?;
            rows.insert(key.to_vec(), value);
        }
        self.batch.overlay(table, prefix, &mut rows);
        self.own.overlay(table, prefix, &mut rows);
        Ok(rows.into_iter().collect())
    }

    /// The first rows whose keys begin with `prefix`, as the trees have them, without those that this batch has removed or
    /// changed.
    pub(super) fn first_of(&self, table: Table, prefix: &[u8], limit: usize) -> StoreResult<Vec<(Vec<u8>, IVec)>> {
        let mut rows = Vec::new();
        for row in self.tables.tree(table)?.scan_prefix(prefix) {
            if rows.len() >= limit {
                break;
            }
            let (key, value) = row.map_err(read_error)?;
            if self.own.get(table, &key).or_else(|| self.batch.get(table, &key)).is_none() {
                rows.push((key.to_vec(), value));
            }
        }
        Ok(rows)
    }

    /// The first rows of a table in the order of keys, as the trees have them: without what this batch changes.
    pub(super) fn first_stored(&self, table: Table, limit: usize) -> StoreResult<Vec<Vec<u8>>> {
        let rows = self.tables.tree(table)?.iter().keys().take(limit);
        rows.map(|key| key.map(|key| key.to_vec()).map_err(read_error)).collect()
    }
}
