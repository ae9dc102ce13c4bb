//! What a journal holds that sled has not brought to disk, at the opening of a store.

use std::collections::BTreeMap;
use std::io::{self, Read as _, Seek as _};

use super::journal::JournalFile;
use super::record::{BLOCK, Record, Tag};
use super::tables::Tables;
use crate::{StoreError, StoreResult};

/// Bytes of changes after which sled brings to disk what was applied.
const APPLIED_AT_ONCE: usize = 2 << 20;

/// The content of both files.
pub(super) struct Found([(Tag, Vec<u8>); 2]);

impl Found {
    pub(super) fn read(files: &[JournalFile; 2]) -> io::Result<Self> {
        let mut found = Self(Default::default());
        for (JournalFile { file, tag }, found) in files.iter().zip(&mut found.0) {
            let mut file = file.as_ref();
            file.rewind()?;
            found.0 = *tag;
            file.read_to_end(&mut found.1)?;
        }
        Ok(found)
    }

    /// The batches that follow one another after number `known`.
    ///
    /// A record that is not whole is the end: a batch is written when the one before it is on disk, so that only the last one can be
    /// cut off. Where a later one is there all the same, what is missing was on disk and is damaged.
    pub(super) fn after(&self, known: u64) -> Result<Vec<Record<'_>>, Gap> {
        let mut later = BTreeMap::new();
        for (tag, content) in &self.0 {
            let mut at = BLOCK;
            while let Some(bytes) = content.get(at..).filter(|bytes| !bytes.is_empty()) {
                // Behind the newer records is what an earlier turn has left, which is known and may be partly overwritten.
                let record = Record::read(bytes, tag, known);
                at += record.map_or(BLOCK, |record| record.length);
                later.extend(record.map(|record| (record.number, record)));
            }
        }
        let mut last = known;
        for number in later.keys() {
            if *number != last + 1 {
                return Err(Gap { missing: last + 1, found: *number });
            }
            last = *number;
        }
        Ok(later.into_values().collect())
    }
}

/// A batch that is not there, though a later one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gap {
    pub(super) missing: u64,
    pub(super) found: u64,
}

/// Applies batches to sled, in their order. Those that sled has already are applied again, which changes nothing in the end.
pub(super) fn apply(
    tables: &Tables,
    records: &[Record<'_>],
    bring_to_disk: impl Fn() -> StoreResult<()>,
) -> StoreResult<()> {
    let mut applied = 0;
    for record in records {
        for change in record.changes() {
            let unknown = || StoreError::Contradiction("the journal has a change that this Keyferry does not know");
            let (table, key, value) = change.map_err(|()| unknown())?;
            tables.set(table, key, value)?;
        }
        applied += record.weight();
        if applied >= APPLIED_AT_ONCE {
            bring_to_disk()?;
            applied = 0;
        }
    }
    Ok(())
}
