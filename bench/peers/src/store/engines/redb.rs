//! redb: a copy-on-write B-tree.

use std::path::Path;

use redb::{Database, Durability, TableDefinition};

use super::{AUDIT, CACHE, HEADS, INTEGRATIONS};
use crate::outcome::{Outcome, Tried as _};
use crate::store::committer::Engine;
use crate::store::records::Rows;

type Table = TableDefinition<'static, &'static [u8], &'static [u8]>;

const TABLES: [Table; 3] =
    [TableDefinition::new(INTEGRATIONS), TableDefinition::new(AUDIT), TableDefinition::new(HEADS)];

/// Three tables in one file.
pub(in crate::store) struct Redb(Database);

impl Redb {
    pub(in crate::store) fn open(folder: &Path) -> Outcome<Self> {
        let mut builder = Database::builder();
        builder.set_cache_size(usize::try_from(CACHE).tried("tell the size of the cache")?);
        Ok(Self(builder.create(folder.join("redb")).tried("make redb's file")?))
    }
}

impl Engine for Redb {
    fn write(&mut self, batch: &[Rows]) -> Outcome<()> {
        let mut transaction = self.0.begin_write().tried("begin a transaction of redb")?;
        transaction.set_durability(Durability::Immediate).tried("ask redb for durability")?;
        {
            let [integrations, audit, heads] = TABLES;
            let mut integrations = transaction.open_table(integrations).tried("open a table of redb")?;
            let mut audit = transaction.open_table(audit).tried("open a table of redb")?;
            let mut heads = transaction.open_table(heads).tried("open a table of redb")?;
            for rows in batch {
                let (key, value) = &rows.integration;
                integrations.insert(key.as_slice(), value.as_slice()).tried("put a row into redb")?;
                let (key, value) = &rows.audit;
                audit.insert(key.as_slice(), value.as_slice()).tried("put a row into redb")?;
            }
            if let Some((key, value)) = batch.last().map(|rows| &rows.head) {
                heads.insert(key.as_slice(), value.as_slice()).tried("put a row into redb")?;
            }
        }
        transaction.commit().tried("commit a transaction of redb")
    }
}
