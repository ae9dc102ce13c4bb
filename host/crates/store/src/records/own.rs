//! Rows that are not content: a copy of a store leaves them out.

use super::table::Table;
use crate::Kept;

/// The version of the layout of rows that is written here. All since the first one are read.
pub(crate) const LAYOUT: u32 = 3;
/// The row of that version, where an engine has no other place for it.
pub(crate) const FORMAT: &[u8] = b"format";
/// The row that says up to which batch an engine has all of them.
pub(crate) const BATCHES: &[u8] = b"batches";
/// The row that is there once a count of batches is kept beside the rows.
pub(crate) const HAS_WATERMARK: &[u8] = b"watermark";
/// The row of a store that is being filled.
pub(crate) const UNFINISHED: &[u8] = b"unfinished";

/// The row of the key-encryption key with which a store was begun.
pub(crate) const FIRST_KEK: &[u8] = b"first_kek";

/// Whether a row belongs to its engine, to the servers that have the store open, or to the filling of this store.
pub(crate) fn is_own(table: Table, key: &[u8]) -> bool {
    let of_engine = [FORMAT, BATCHES, HAS_WATERMARK, UNFINISHED, FIRST_KEK];
    match table {
        Table::Claims => true,
        Table::Meta => of_engine.contains(&key) || Kept::ALL.iter().any(|kept| kept.row() == key),
        _ => false,
    }
}
