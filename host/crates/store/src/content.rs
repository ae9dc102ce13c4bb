//! All of a store's content, row by row as it is stored; and [`ContentStore`]: for backups, and for copies into another store.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::error::StoreResult;
use crate::records::Table;

/// Bytes after which a piece is closed.
pub(crate) const PIECE: usize = 256 << 10;

/// One row to put, or to remove.
#[derive(Clone, PartialEq, Eq)]
pub struct Change {
    pub(crate) table: Table,
    pub(crate) key: Vec<u8>,
    /// `None` removes the row.
    pub(crate) record: Option<Bytes>,
}

impl Change {
    /// Bytes of key and record.
    pub(crate) fn size(&self) -> usize {
        self.key.len() + self.record.as_ref().map_or(0, Bytes::len)
    }
}

impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let record = self.record.as_ref().map(Bytes::len);
        write!(f, "Change({}, key of {} bytes, {record:?})", self.table.name(), self.key.len())
    }
}

/// A part of a store's content. Put into an empty store in their order, all pieces together leave it with the rows that the other one
/// had at the moment of the last piece.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Rows of one table in the order of their keys, which follow those of all pieces before. Never empty.
    Rows(Vec<Change>),
    /// Rows of pieces before that have changed since, in the order of the changes. Never empty.
    Changes(Vec<Change>),
    /// The end, with the number of rows in each table.
    End(TableCounts),
}

/// The pieces of a store's content. Without [`Piece::End`], they are incomplete.
pub type Pieces = mpsc::Receiver<StoreResult<Piece>>;

/// The number of rows in each table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableCounts([u64; Table::ALL.len()]);

impl TableCounts {
    /// The tables that have rows, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Table::ALL.iter().zip(self.0).filter(|(_, count)| *count > 0).map(|(table, count)| (table.name(), count))
    }

    /// The number of all rows.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    pub(crate) fn of(&self, table: Table) -> u64 {
        self.0.get(table as usize).copied().unwrap_or_default()
    }

    pub(crate) fn set(&mut self, table: Table, count: u64) {
        if let Some(of_table) = self.0.get_mut(table as usize) {
            *of_table = count;
        }
    }

    pub(crate) fn add(&mut self, table: Table, rows: usize) {
        self.set(table, self.of(table) + rows as u64);
    }

    pub(crate) fn remove(&mut self, table: Table) {
        self.set(table, self.of(table).saturating_sub(1));
    }
}

/// A row, by table and key: those after it follow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowPlace {
    /// Number of the table.
    pub(crate) table: u8,
    #[serde(with = "serde_bytes")]
    pub(crate) key: Vec<u8>,
}

impl RowPlace {
    /// The place of a row.
    pub(crate) fn of(row: &Change) -> Self {
        Self { table: row.table as u8, key: row.key.clone() }
    }

    /// The table of a walk that begins here, and the key that its rows follow.
    pub(crate) fn split(self) -> (usize, Option<Vec<u8>>) {
        (usize::from(self.table), Some(self.key))
    }
}

/// The mark of a store that is being filled: no server opens one that has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unfinished {
    /// What fills it, as a noun for messages: `the restore of the backup of ...`.
    pub what: String,
    /// Names the content: only the same one may be continued with.
    pub id: String,
    /// The last row that is there, where the next attempt can continue behind it.
    pub place: Option<RowPlace>,
}

/// What an opening does with a store that has the mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Incomplete {
    /// It is refused.
    Refused,
    /// It is opened, to be filled.
    Accepted,
}

/// Where a store is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// `sled` or `postgres`.
    pub kind: String,
    /// Its folder, or its address without secrets.
    pub place: String,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind.as_str() {
            "sled" => write!(f, "sled:{}", self.place),
            _ => self.place.fmt(f),
        }
    }
}

/// Reading all content of a store, and filling an empty one.
///
/// Rows that belong to one engine or one process are not content: the version of the layout, counts of batches, leases.
#[async_trait]
pub trait ContentStore: Send + Sync + 'static {
    /// All content as it is at one moment, which is that of the last piece; or the rows behind a place. The store may be written
    /// meanwhile: no piece has a part of a write without the others before the end. Counts are those of the rows that were read.
    ///
    /// # Errors
    /// In place of a piece too. `CopyRunning` if another one is under way, `CopyOverrun` if pieces are taken more slowly than the store
    /// is written to.
    async fn content(&self, after: Option<RowPlace>) -> StoreResult<Pieces>;

    /// Whether the store has no content.
    async fn is_empty(&self) -> StoreResult<bool>;

    /// The mark of a store that is being filled.
    async fn unfinished(&self) -> StoreResult<Option<Unfinished>>;

    /// Makes changes and leaves this mark, in one transaction.
    async fn fill(&self, changes: Vec<Change>, mark: Unfinished) -> StoreResult<()>;

    /// Removes the mark: the store is whole.
    async fn finish(&self) -> StoreResult<()>;
}
