//! SQLite with a write-ahead log that is synced at each commit.

use std::path::Path;

use rusqlite::Connection;

use super::{AUDIT, CACHE, HEADS, INTEGRATIONS};
use crate::outcome::{Outcome, Tried as _};
use crate::store::committer::Engine;
use crate::store::records::Rows;

/// Three tables of one file.
pub(in crate::store) struct Sqlite(Connection);

impl Sqlite {
    pub(in crate::store) fn open(folder: &Path) -> Outcome<Self> {
        let connection = Connection::open(folder.join("sqlite")).tried("open SQLite's file")?;
        let pragmas =
            format!("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -{};", CACHE / 1024);
        connection.execute_batch(&pragmas).tried("set SQLite up")?;
        for table in [INTEGRATIONS, AUDIT, HEADS] {
            let made = format!("CREATE TABLE {table} (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID");
            connection.execute_batch(&made).tried("make a table of SQLite")?;
        }
        Ok(Self(connection))
    }
}

impl Engine for Sqlite {
    fn write(&mut self, batch: &[Rows]) -> Outcome<()> {
        let transaction = self.0.transaction().tried("begin a transaction of SQLite")?;
        {
            let put = |table| transaction.prepare_cached(table).tried("prepare a statement of SQLite");
            let mut integrations = put("INSERT OR REPLACE INTO integrations VALUES (?1, ?2)")?;
            let mut audit = put("INSERT OR REPLACE INTO audit VALUES (?1, ?2)")?;
            let mut heads = put("INSERT OR REPLACE INTO audit_heads VALUES (?1, ?2)")?;
            for rows in batch {
                let (key, value) = &rows.integration;
                integrations.execute((key, value)).tried("put a row into SQLite")?;
                let (key, value) = &rows.audit;
                audit.execute((key, value)).tried("put a row into SQLite")?;
            }
            if let Some((key, value)) = batch.last().map(|rows| &rows.head) {
                heads.execute((key, value)).tried("put a row into SQLite")?;
            }
        }
        transaction.commit().tried("commit a transaction of SQLite")
    }
}
