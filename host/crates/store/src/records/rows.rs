//! [`Rows`]: all that a use case knows of an engine. Rows are in tables, and a table is in the order of its keys.

use std::ops::ControlFlow;

use serde::de::DeserializeOwned;

use super::codec::decode;
use super::hints::Hints;
use super::table::Table;
use crate::StoreResult;

/// Takes a row, its key first, and says whether to continue.
pub(crate) type Take<'a> = dyn FnMut(&[u8], &[u8]) -> StoreResult<ControlFlow<()>> + 'a;

/// The rows of an engine, as they are stored.
pub(crate) trait Rows {
    /// Calls `read` with the row of this key. Returns whether there is one.
    fn get(&self, table: Table, key: &[u8], read: &mut dyn FnMut(&[u8]) -> StoreResult<()>) -> StoreResult<bool>;

    /// Calls `take` with the rows of a range, one after the other, until it breaks.
    fn walk(&self, table: Table, range: Range<'_>, take: &mut Take<'_>) -> StoreResult<()>;

    /// Number of rows in a range.
    fn count(&self, table: Table, range: Range<'_>) -> StoreResult<usize>;

    /// Reads rows that are about to be asked for, where that is slow one by one.
    fn fetch(&self, _hints: &Hints) -> StoreResult<()> {
        Ok(())
    }

    /// Whether [`fetch`](Self::fetch) reads anything.
    fn fetches(&self) -> bool {
        false
    }

    /// Whether other hosts write to the store as well.
    fn is_shared(&self) -> bool {
        false
    }

    /// A number that is given once, higher than those of all writes that were committed before this one began. `None` where one host
    /// writes, which can count, and where nothing is written.
    fn next_place(&self) -> Option<u64> {
        None
    }

    /// Calls `read`, which sees the rows of several tables as they are at one moment.
    fn at_one_moment(&self, read: &mut dyn FnMut() -> StoreResult<()>) -> StoreResult<()>;
}

/// Rows of a table in the order of their keys, or against it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Range<'a> {
    /// How their keys begin.
    pub(crate) prefix: &'a [u8],
    /// The key that they follow.
    pub(crate) after: Option<&'a [u8]>,
    /// Whether the last ones come first. Not together with `after`.
    pub(crate) backwards: bool,
    /// How many of the first ones are left out.
    pub(crate) skipped: usize,
    /// How many of them the reader takes at most, if it knows: an engine at the other end of a network asks for no more.
    pub(crate) most: Option<usize>,
}

impl<'a> Range<'a> {
    /// All rows whose keys begin with `prefix`.
    pub(crate) fn of(prefix: &'a [u8]) -> Self {
        Self { prefix, after: None, backwards: false, skipped: 0, most: None }
    }

    /// Those that follow this key.
    pub(crate) fn after(self, after: Option<&'a [u8]>) -> Self {
        Self { after, ..self }
    }

    /// The last ones first.
    pub(super) fn backwards(self) -> Self {
        Self { backwards: true, ..self }
    }

    /// Without the first ones.
    pub(super) fn skip(self, skipped: usize) -> Self {
        Self { skipped, ..self }
    }

    /// At most that number of them; the reader takes no more.
    pub(crate) fn most(self, most: usize) -> Self {
        Self { most: Some(most), ..self }
    }
}

/// Continues with the next row.
pub(super) const NEXT: StoreResult<ControlFlow<()>> = Ok(ControlFlow::Continue(()));
/// Takes no further row.
pub(super) const ENOUGH: StoreResult<ControlFlow<()>> = Ok(ControlFlow::Break(()));

impl dyn Rows + '_ {
    /// The record with this key.
    pub(super) fn record<T: DeserializeOwned>(&self, table: Table, key: &[u8]) -> StoreResult<Option<T>> {
        let mut record = None;
        self.get(table, key, &mut |bytes| decode(table, bytes).map(|decoded| record = Some(decoded)))?;
        Ok(record)
    }

    /// Whether there is a row with this key.
    pub(super) fn has(&self, table: Table, key: &[u8]) -> StoreResult<bool> {
        self.get(table, key, &mut |_| Ok(()))
    }

    /// The records of a range.
    pub(super) fn records<T: DeserializeOwned>(&self, table: Table, range: Range<'_>) -> StoreResult<Vec<T>> {
        let mut records = Vec::new();
        let most = range.most.unwrap_or(usize::MAX);
        if most == 0 {
            return Ok(records);
        }
        self.walk(table, range, &mut |_, bytes| {
            records.push(decode(table, bytes)?);
            if records.len() < most { NEXT } else { ENOUGH }
        })?;
        Ok(records)
    }

    /// Calls `take` with each record of a range.
    pub(super) fn each<T: DeserializeOwned>(
        &self,
        table: Table,
        range: Range<'_>,
        mut take: impl FnMut(T),
    ) -> StoreResult<()> {
        self.walk(table, range, &mut |_, bytes| {
            take(decode(table, bytes)?);
            NEXT
        })
    }

    /// What `read` returns, which sees several tables as they are at one moment.
    pub(super) fn together<T>(&self, read: impl FnOnce() -> StoreResult<T>) -> StoreResult<T> {
        let (mut read, mut result) = (Some(read), None);
        self.at_one_moment(&mut || {
            result = read.take().map(|read| read());
            Ok(())
        })?;
        result.unwrap_or(Err(crate::StoreError::Contradiction("the rows of one moment were not read")))
    }
}
