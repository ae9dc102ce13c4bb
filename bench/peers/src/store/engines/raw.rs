//! The disk alone: a file to which bytes are appended.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use crate::outcome::{Outcome, Tried as _};
use crate::store::committer::Engine;
use crate::store::records::Rows;

/// Appends the bytes of a batch in one call, and syncs them.
pub(in crate::store) struct Raw {
    file: File,
    bytes: Vec<u8>,
}

impl Raw {
    pub(in crate::store) fn open(folder: &Path) -> Outcome<Self> {
        let path = folder.join("raw");
        let file = OpenOptions::new().create(true).append(true).open(&path);
        Ok(Self { file: file.tried(format_args!("make {}", path.display()))?, bytes: Vec::new() })
    }
}

impl Engine for Raw {
    fn write(&mut self, batch: &[Rows]) -> Outcome<()> {
        self.bytes.clear();
        for (key, value) in batch.iter().flat_map(|rows| [&rows.integration, &rows.audit]) {
            self.bytes.extend_from_slice(key);
            self.bytes.extend_from_slice(value);
        }
        self.file.write_all(&self.bytes).tried("append a batch")?;
        self.file.sync_data().tried("bring a batch to disk")
    }
}
