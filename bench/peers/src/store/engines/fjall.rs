//! fjall: a log-structured merge tree.

use std::path::Path;

use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};

use super::{AUDIT, CACHE, HEADS, INTEGRATIONS};
use crate::outcome::{Outcome, Tried as _};
use crate::store::committer::Engine;
use crate::store::records::Rows;

/// Three keyspaces of one database.
pub(in crate::store) struct Fjall {
    database: Database,
    keyspaces: [Keyspace; 3],
}

impl Fjall {
    pub(in crate::store) fn open(folder: &Path) -> Outcome<Self> {
        let database = Database::builder(folder.join("fjall")).cache_size(CACHE).open().tried("open fjall")?;
        let keyspace = |name| database.keyspace(name, KeyspaceCreateOptions::default).tried("open a keyspace of fjall");
        let keyspaces = [keyspace(INTEGRATIONS)?, keyspace(AUDIT)?, keyspace(HEADS)?];
        Ok(Self { database, keyspaces })
    }
}

impl Engine for Fjall {
    fn write(&mut self, batch: &[Rows]) -> Outcome<()> {
        let [integrations, audit, heads] = &self.keyspaces;
        let mut changes = self.database.batch().durability(Some(PersistMode::SyncData));
        for rows in batch {
            changes.insert(integrations, rows.integration.0.as_slice(), rows.integration.1.as_slice());
            changes.insert(audit, rows.audit.0.as_slice(), rows.audit.1.as_slice());
        }
        if let Some((key, value)) = batch.last().map(|rows| &rows.head) {
            changes.insert(heads, key.as_slice(), value.as_slice());
        }
        changes.commit().tried("commit a batch of fjall")
    }
}
