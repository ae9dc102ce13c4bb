//! Numbers of records, and the size of the files.

use std::fs;
use std::path::Path;

use super::codec::decode;
use super::tables::{Table, Tables, read_error};
use crate::{Census, IntegrationRecord, Reauth, StoreResult};

/// Implements [`Store::census`](crate::Store::census).
pub(super) fn census(tables: &Tables) -> StoreResult<Census> {
    let mut expired_connections = 0;
    for row in tables.tree(Table::Integrations)?.iter().values() {
        let record: IntegrationRecord = decode(Table::Integrations, &row.map_err(read_error)?)?;
        expired_connections += usize::from(record.reauth == Reauth::Required);
    }
    Ok(Census {
        expired_connections,
        waiting_deliveries: tables.tree(Table::Outbox)?.len(),
        failed_deliveries: tables.tree(Table::Undelivered)?.len(),
    })
}

/// Bytes of the files in a folder and in those below it. A file that disappears meanwhile counts nothing.
pub(super) fn size_of(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => size_of(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    });
    sizes.sum()
}
