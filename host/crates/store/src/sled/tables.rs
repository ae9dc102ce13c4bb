//! The trees of the database, and their rows.

use std::ops::{Bound, ControlFlow};
use std::path::Path;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock, RwLockWriteGuard};
use sled::{Db, IVec, Tree};

use super::tap::Tap;

use crate::records::{Changes, Range, Rows, Table, Take};
use crate::{StoreError, StoreResult};

/// The open trees, in the order of [`Table::ALL`].
#[derive(Clone)]
pub(crate) struct Tables {
    db: Db,
    trees: Arc<[Tree]>,
    /// Held alone while a batch becomes visible, tree by tree.
    moment: Arc<RwLock<()>>,
    /// What a copy of the content has to know of batches.
    tap: Arc<Mutex<Option<Arc<Tap>>>>,
}

impl Tables {
    pub(super) fn open(db: Db) -> sled::Result<Self> {
        let trees = Table::ALL.iter().map(|table| db.open_tree(table.name())).collect::<Result<_, _>>()?;
        Ok(Self { db, trees, moment: Arc::default(), tap: Arc::default() })
    }

    pub(super) fn db(&self) -> &Db {
        &self.db
    }

    /// While this is held, no read at one moment begins or is under way: for the thread that makes a batch visible.
    fn alone(&self) -> RwLockWriteGuard<'_, ()> {
        self.moment.write()
    }

    /// Makes a batch visible. Only the thread that writes calls it.
    ///
    /// A sled transaction or batch would seal and write sled's buffer twice. What they would add is here by other means: the journal
    /// completes a batch that sled has in part, and tables are changed in their order, so that a read that finds the head of an audit
    /// trail finds its entries.
    pub(super) fn make_visible(&self, changes: &Changes) -> StoreResult<()> {
        let _alone = self.alone();
        let tap = self.tap.lock().clone();
        for (table, key, value) in changes.iter() {
            let had_row = self.set(table, key, value.map(AsRef::as_ref))?;
            if let Some(tap) = &tap {
                tap.changed(table, key, value, had_row);
            }
        }
        Ok(())
    }

    /// Has a tap see all batches from now on; it sees each of them whole.
    ///
    /// # Errors
    /// `CopyRunning` where there is another one.
    pub(super) fn attach(&self, tap: &Arc<Tap>) -> StoreResult<()> {
        let _moment = self.moment.read();
        let mut attached = self.tap.lock();
        if attached.is_some() {
            return Err(StoreError::CopyRunning);
        }
        *attached = Some(Arc::clone(tap));
        Ok(())
    }

    /// Ends that: the tap has seen all batches that are visible, each of them whole.
    pub(super) fn detach(&self) {
        let _moment = self.moment.read();
        *self.tap.lock() = None;
    }

    /// Puts a row, or removes it. Returns whether there was one.
    pub(crate) fn set(&self, table: Table, key: &[u8], value: Option<&[u8]>) -> StoreResult<bool> {
        let tree = self.tree(table)?;
        let former = match value {
            Some(value) => tree.insert(key, value),
            None => tree.remove(key),
        };
        former
            .map(|former| former.is_some())
            .map_err(|error| StoreError::Failed { reason: format!("a row cannot be written: {error}").into() })
    }

    pub(crate) fn tree(&self, table: Table) -> StoreResult<&Tree> {
        // The list is made of `ALL`, whose order is that of the variants.
        self.trees.get(table as usize).ok_or(StoreError::Contradiction("a table is not open"))
    }
}

impl Rows for Tables {
    fn get(&self, table: Table, key: &[u8], read: &mut dyn FnMut(&[u8]) -> StoreResult<()>) -> StoreResult<bool> {
        let row = self.tree(table)?.get(key).map_err(read_error)?;
        row.as_deref().map_or(Ok(()), read)?;
        Ok(row.is_some())
    }

    fn walk(&self, table: Table, range: Range<'_>, take: &mut Take<'_>) -> StoreResult<()> {
        let tree = self.tree(table)?;
        let Range { prefix, after, backwards, skipped, .. } = range;
        match after {
            Some(after) => {
                let rows = tree.range::<&[u8], _>((Bound::Excluded(after), Bound::Unbounded));
                let has_prefix =
                    |row: &sled::Result<(IVec, IVec)>| row.as_ref().map_or(true, |(key, _)| key.starts_with(prefix));
                take_each(rows.take_while(has_prefix).skip(skipped), take)
            }
            None if backwards => take_each(tree.scan_prefix(prefix).rev().skip(skipped), take),
            None => take_each(tree.scan_prefix(prefix).skip(skipped), take),
        }
    }

    fn count(&self, table: Table, range: Range<'_>) -> StoreResult<usize> {
        let mut count = 0;
        self.walk(table, range, &mut |_, _| {
            count += 1;
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(count)
    }

    /// No batch becomes visible meanwhile.
    fn at_one_moment(&self, read: &mut dyn FnMut() -> StoreResult<()>) -> StoreResult<()> {
        let _moment = self.moment.read();
        read()
    }
}

fn take_each(rows: impl Iterator<Item = sled::Result<(IVec, IVec)>>, take: &mut Take<'_>) -> StoreResult<()> {
    for row in rows {
        let (key, value) = row.map_err(read_error)?;
        if take(&key, &value)? == ControlFlow::Break(()) {
            break;
        }
    }
    Ok(())
}

/// Maps an error of a sled read.
pub(super) fn read_error(error: sled::Error) -> StoreError {
    StoreError::Read(Box::new(error))
}

/// Maps a failure of opening the database.
pub(super) fn open_error(path: &Path, error: sled::Error) -> StoreError {
    match error {
        sled::Error::Io(source) => StoreError::Open { action: "open the store at", path: path.to_owned(), source },
        other => StoreError::Corrupt { path: path.to_owned(), reason: other.to_string() },
    }
}
