//! Decoded records, straight from the trees.

use serde::de::DeserializeOwned;

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
}
