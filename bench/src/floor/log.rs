//! A log that is appended to and synced: each record has its length and its checksum, so that a reader could find the
//! end.

use std::fs::File;
use std::io::{self, Seek as _, Write as _};
use std::path::Path;

use super::committer::{AUDIT, Disk, Record};

/// The size at which it starts from the beginning: only writing is measured, and a run would fill the disk.
const MOST: u64 = 256 << 20;

/// The log and its written length.
pub(super) struct Log {
    file: File,
    written: u64,
    batch: Vec<u8>,
}

impl Log {
    pub(super) fn create(folder: &Path) -> io::Result<Self> {
        Ok(Self { file: File::create(folder.join("log"))?, written: 0, batch: Vec::new() })
    }
}

impl Disk for Log {
    fn commit(&mut self, records: &[Record]) -> io::Result<()> {
        self.batch.clear();
        for Record { account, row } in records {
            let mut sum = crc32fast::Hasher::new();
            sum.update(account.as_bytes());
            sum.update(row);
            let length = u32::try_from(account.len() + row.len() + AUDIT).map_err(io::Error::other)?;
            self.batch.extend_from_slice(&length.to_le_bytes());
            self.batch.extend_from_slice(&sum.finalize().to_le_bytes());
            self.batch.extend_from_slice(account.as_bytes());
            self.batch.extend_from_slice(row);
            self.batch.extend_from_slice(&[1; AUDIT]);
        }
        if self.written > MOST {
            self.file.rewind()?;
            self.written = 0;
        }
        self.file.write_all(&self.batch)?;
        self.written += u64::try_from(self.batch.len()).map_err(io::Error::other)?;
        self.file.sync_data()
    }
}
