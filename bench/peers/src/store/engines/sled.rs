//! sled 0.34 with Keyferry's settings, without the rest of Keyferry's store.

use std::fs::{File, OpenOptions};
use std::path::Path;

use sled::transaction::TransactionError;
use sled::{Config, Db, Mode, Transactional as _, Tree};

use super::{AUDIT, CACHE, HEADS, INTEGRATIONS};
use crate::outcome::{Outcome, Tried as _};
use crate::store::committer::Engine;
use crate::store::records::Rows;

/// Three trees, and a handle of the file: sled's own flush does not sync data to disk.
#[derive(Clone)]
pub(in crate::store) struct Sled {
    db: Db,
    trees: [Tree; 3],
    file: std::sync::Arc<File>,
}

impl Sled {
    pub(in crate::store) fn open(folder: &Path) -> Outcome<Self> {
        let path = folder.join("sled");
        let config = Config::new().path(&path).segment_size(8 << 20).cache_capacity(CACHE).mode(Mode::HighThroughput);
        let db = config.flush_every_ms(Some(500)).open().tried("open sled")?;
        let tree = |name| db.open_tree(name).tried("open a tree");
        let trees = [tree(INTEGRATIONS)?, tree(AUDIT)?, tree(HEADS)?];
        let file = OpenOptions::new().read(true).write(true).open(path.join("db")).tried("open sled's file")?;
        Ok(Self { db, trees, file: std::sync::Arc::new(file) })
    }

    /// The same as [`Engine::write`], from any thread.
    pub(in crate::store) fn write(&self, batch: &[Rows]) -> Outcome<()> {
        let [integrations, audit, heads] = &self.trees;
        let put = (integrations, audit, heads).transaction(|(integrations, audit, heads)| {
            for rows in batch {
                integrations.insert(rows.integration.0.as_slice(), rows.integration.1.as_slice())?;
                audit.insert(rows.audit.0.as_slice(), rows.audit.1.as_slice())?;
            }
            if let Some(rows) = batch.last() {
                heads.insert(rows.head.0.as_slice(), rows.head.1.as_slice())?;
            }
            Ok(())
        });
        put.map_err(|error: TransactionError<()>| format!("{error:?}")).tried("put a batch")?;
        self.db.flush().tried("flush sled")?;
        self.file.sync_data().tried("bring sled's file to disk")
    }
}

impl Engine for Sled {
    fn write(&mut self, batch: &[Rows]) -> Outcome<()> {
        Self::write(self, batch)
    }
}
