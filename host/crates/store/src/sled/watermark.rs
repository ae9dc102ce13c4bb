//! The watermark: the number of acknowledged batches, written beside the database.
//!
//! sled takes a damaged record for the end of its log and opens with what comes before it: what was acknowledged would be
//! lost without an error. So each batch counts itself in the database, and the count is written to a file of its own once the
//! batch is on disk. A database with a lower count has lost writes.
//!
//! The file is not synced. After a power cut its count may be too low, never too high.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use super::tables::{Table, Tables, read_error};
use crate::{StoreError, StoreResult};

/// The row that counts batches.
const BATCHES: &[u8] = b"batches";

/// The count of batches in the database, and the file that remembers it.
pub(super) struct Watermark {
    file: File,
    batches: u64,
}

impl Watermark {
    /// Compares the database with the file. An empty file, or a database without a count, is of an earlier version.
    ///
    /// # Errors
    /// `Corrupt` where the database holds less than was acknowledged.
    pub(super) fn check(path: &Path, file: File, tables: &Tables) -> StoreResult<Self> {
        let corrupt = |reason| StoreError::Corrupt { path: path.to_owned(), reason };
        let meta = tables.tree(Table::Meta)?;
        let counted = meta.get(BATCHES).map_err(read_error)?;
        let counted = counted.map(|bytes| bytes.as_ref().try_into().map(u64::from_be_bytes)).transpose();
        let batches = counted.map_err(|_| corrupt("its count of batches is damaged".to_owned()))?.unwrap_or(0);
        let remembered = read(&file).map_err(|source| StoreError::Open {
            action: "read the count of acknowledged batches in",
            path: path.to_owned(),
            source,
        })?;
        match remembered {
            Remembered::Nothing => {}
            Remembered::Batches(remembered) if remembered <= batches => {}
            Remembered::Batches(remembered) => {
                return Err(corrupt(format!(
                    "it has come back with {batches} of {remembered} acknowledged batches of writes"
                )));
            }
            Remembered::Garbage => {
                return Err(corrupt("the file with the count of acknowledged batches is damaged".to_owned()));
            }
        }
        Ok(Self { file, batches })
    }

    /// The row of the next batch: to be written in its transaction.
    pub(super) fn next(&self) -> (&'static [u8], [u8; 8]) {
        (BATCHES, (self.batches + 1).to_be_bytes())
    }

    /// The next batch is on disk.
    pub(super) fn reached(&mut self) {
        self.batches += 1;
        if let Err(error) = self.file.write_all_at(line(self.batches).as_bytes(), 0) {
            // What it said before still holds.
            tracing::warn!(%error, "how far the store has come could not be written down");
        }
    }
}

enum Remembered {
    Nothing,
    Batches(u64),
    Garbage,
}

/// `00000000000000000042 d87f7e0c`: the count, and its CRC-32. Its length is the same for every count, so that it stays
/// within a sector.
fn line(batches: u64) -> String {
    let count = format!("{batches:020}");
    format!("{count} {:08x}\n", crc32fast::hash(count.as_bytes()))
}

fn read(file: &File) -> io::Result<Remembered> {
    let mut bytes = vec![0; line(0).len()];
    let length = file.read_at(&mut bytes, 0)?;
    if length == 0 {
        return Ok(Remembered::Nothing);
    }
    let text = bytes.get(..length).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default();
    let count = text.get(..20).and_then(|count| count.parse().ok());
    Ok(count.filter(|count| line(*count) == text).map_or(Remembered::Garbage, Remembered::Batches))
}

#[cfg(test)]
mod tests {
    use std::io::{Seek as _, Write as _};

    use super::*;

    #[test]
    fn what_was_written_reads_back_and_anything_else_is_garbage() {
        let mut file = tempfile::tempfile().unwrap();
        assert!(matches!(read(&file).unwrap(), Remembered::Nothing));
        for batches in [0, 1, 42, u64::MAX] {
            file.write_all_at(line(batches).as_bytes(), 0).unwrap();
            assert!(matches!(read(&file).unwrap(), Remembered::Batches(read) if read == batches));
        }
        for garbage in ["x", "00000000000000000042 00000000\n", &line(7)[..20], &"0".repeat(30)] {
            file.set_len(0).unwrap();
            file.rewind().unwrap();
            file.write_all(garbage.as_bytes()).unwrap();
            assert!(matches!(read(&file).unwrap(), Remembered::Garbage), "{garbage}");
        }
    }
}
