//! What one write of a batch sees and changes: the trees, under what earlier writes of the batch have changed, under its own
//! changes.
//!
//! Only the committer writes, so reading before the transaction is as good as reading in it. The transaction itself only
//! puts rows; that sled may run it twice does not matter.

use std::collections::BTreeMap;
use std::ops::Bound;

use serde::Serialize;
use serde::de::DeserializeOwned;
use sled::IVec;

use super::codec::{check_size, decode, encode};
use super::tables::{Table, Tables, read_error};
use crate::store::{StoreResult, WebhookKey};

/// Rows to put (`Some`) and to remove (`None`).
#[derive(Default)]
pub(super) struct Changes(BTreeMap<(Table, Vec<u8>), Option<IVec>>);

impl Changes {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Table, &[u8], Option<&IVec>)> {
        self.0.iter().map(|((table, key), value)| (*table, key.as_slice(), value.as_ref()))
    }

    fn absorb(&mut self, later: Self) {
        self.0.extend(later.0);
    }

    fn get(&self, table: Table, key: &[u8]) -> Option<&Option<IVec>> {
        self.0.get(&(table, key.to_vec()))
    }

    fn lay_over(&self, table: Table, prefix: &[u8], rows: &mut BTreeMap<Vec<u8>, IVec>) {
        let from = Bound::Included((table, prefix.to_vec()));
        let own = self.0.range((from, Bound::Unbounded));
        for ((_, key), value) in own.take_while(|((at, key), _)| *at == table && key.starts_with(prefix)) {
            match value {
                Some(value) => rows.insert(key.clone(), value.clone()),
                None => rows.remove(key),
            };
        }
    }
}

/// See the module.
pub(super) struct View<'a> {
    tables: &'a Tables,
    batch: &'a mut Changes,
    own: Changes,
    woken: Vec<WebhookKey>,
}

impl<'a> View<'a> {
    pub(super) fn new(tables: &'a Tables, batch: &'a mut Changes) -> Self {
        Self { tables, batch, own: Changes::default(), woken: Vec::new() }
    }

    /// Makes the changes part of the batch; without this they are dropped. The webhooks that are to be told of once they are
    /// on disk.
    pub(super) fn keep(self) -> Vec<WebhookKey> {
        self.batch.absorb(self.own);
        self.woken
    }

    /// Has a webhook told of once the changes are on disk.
    pub(super) fn wake(&mut self, webhook: WebhookKey) {
        self.woken.push(webhook);
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
        self.own.0.insert((table, key), Some(bytes.into()));
        Ok(())
    }

    pub(super) fn put<T: Serialize>(&mut self, table: Table, key: Vec<u8>, record: &T) -> StoreResult<()> {
        let bytes = encode(table, record)?;
        self.put_raw(table, key, bytes)
    }

    pub(super) fn remove(&mut self, table: Table, key: Vec<u8>) {
        self.own.0.insert((table, key), None);
    }

    /// All rows whose keys begin with `prefix`. For prefixes of few rows.
    pub(super) fn scan(&self, table: Table, prefix: &[u8]) -> StoreResult<Vec<(Vec<u8>, IVec)>> {
        let mut rows = BTreeMap::new();
        for row in self.tables.tree(table)?.scan_prefix(prefix) {
            let (key, value) = row.map_err(read_error)?;
            rows.insert(key.to_vec(), value);
        }
        self.batch.lay_over(table, prefix, &mut rows);
        self.own.lay_over(table, prefix, &mut rows);
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
