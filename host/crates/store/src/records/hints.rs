//! What a write is about to read.

use super::table::Table;

/// Rows that a write is about to read, for an engine that fetches those of many writes at once. They affect its speed only: a row that
/// is not among them is fetched when it is read.
#[derive(Debug, Default)]
pub(crate) struct Hints {
    /// Keys of single rows.
    pub(crate) rows: Vec<(Table, Vec<u8>)>,
    /// Prefixes of which all rows are read.
    pub(crate) prefixes: Vec<(Table, Vec<u8>)>,
}

impl Hints {
    /// This row is read.
    pub(super) fn row(&mut self, table: Table, key: Vec<u8>) {
        self.rows.push((table, key));
    }

    /// All rows with this prefix are read.
    pub(super) fn prefix(&mut self, table: Table, prefix: Vec<u8>) {
        self.prefixes.push((table, prefix));
    }

    /// With those of another write.
    pub(crate) fn extend(&mut self, other: &Self) {
        self.rows.extend_from_slice(&other.rows);
        self.prefixes.extend_from_slice(&other.prefixes);
    }
}
