//! Decoded records, straight from the trees.

use std::ops::Bound;

use serde::de::DeserializeOwned;
use sled::IVec;

use super::codec::decode;
use super::tables::{Table, Tables, read_error};
use crate::StoreResult;

impl Tables {
    /// The record with this key.
    pub(super) fn record<T: DeserializeOwned>(&self, table: Table, key: &[u8]) -> StoreResult<Option<T>> {
        self.get(table, key)?.map(|bytes| decode(table, &bytes)).transpose()
    }

    /// All records whose keys begin with `prefix`, in the order of their keys.
    pub(super) fn records<T: DeserializeOwned>(&self, table: Table, prefix: &[u8]) -> StoreResult<Vec<T>> {
        let rows = self.tree(table)?.scan_prefix(prefix).values();
        rows.map(|row| decode(table, &row.map_err(read_error)?)).collect()
    }

    /// At most `limit` records whose keys begin with `prefix` and follow `after`, in the order of their keys.
    pub(super) fn records_after<T: DeserializeOwned>(
        &self,
        table: Table,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> StoreResult<Vec<T>> {
        let from = after.map_or(Bound::Included(prefix), Bound::Excluded);
        let has_prefix =
            |row: &sled::Result<(IVec, IVec)>| row.as_ref().map_or(true, |(key, _)| key.starts_with(prefix));
        let rows = self.tree(table)?.range::<&[u8], _>((from, Bound::Unbounded)).take_while(has_prefix).take(limit);
        rows.map(|row| decode(table, &row.map_err(read_error)?.1)).collect()
    }
}
