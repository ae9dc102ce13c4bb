//! One tree of sled: one batch for all records and one row of the audit chain for all their entries, as in Keyferry's
//! store.

use std::fs::File;
use std::io;
use std::path::Path;

use super::committer::{AUDIT, Disk, Record};

/// The most bytes of one row.
const ROW: usize = 28_600;

/// The tree, and sled's file, which is synced beside sled's own flush.
pub(super) struct Tree {
    db: sled::Db,
    file: File,
    batches: u64,
}

impl Tree {
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        let path = folder.join("sled");
        // Opened as Keyferry's store opens it, except that nothing is flushed between two batches.
        let config = sled::Config::new().path(&path).segment_size(8 << 20).cache_capacity(32 << 20);
        let db = config.flush_every_ms(None).open().map_err(io::Error::other)?;
        Ok(Self { db, file: File::options().read(true).write(true).open(path.join("db"))?, batches: 0 })
    }
}

impl Disk for Tree {
    fn commit(&mut self, records: &[Record]) -> io::Result<()> {
        let mut batch = sled::Batch::default();
        for Record { account, row } in records {
            batch.insert(format!("integration/{account}/stripe").as_bytes(), row.as_slice());
        }
        self.batches += 1;
        let entries = vec![1_u8; (AUDIT * records.len()).min(ROW)];
        batch.insert(format!("audit/{:016}", self.batches).as_bytes(), entries);
        self.db.apply_batch(batch).map_err(io::Error::other)?;
        self.db.flush().map_err(io::Error::other)?;
        self.file.sync_data()
    }
}
