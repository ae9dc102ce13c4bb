//! The watermark: the number of acknowledged batches, written beside the database.
//!
//! sled takes a damaged record for the end of its log and opens with what comes before it, and a damaged last record of the journal
//! looks like one that was never finished: what was acknowledged would be lost without an error. So the number of a batch is
//! written to a file of its own once the batch is on disk. A store that comes back with a lower one has lost writes.
//!
//! The file is not synced. After a power cut its count may be too low, never too high.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use crate::{StoreError, StoreResult};

/// The file that remembers the count.
pub(super) struct Watermark(File);

impl Watermark {
    /// Compares the count of batches that are there with the file. An empty file is of an earlier version.
    ///
    /// # Errors
    /// `Corrupt` where fewer are there than were acknowledged.
    pub(super) fn check(path: &Path, file: File, batches: u64) -> StoreResult<Self> {
        let corrupt = |reason| Err(StoreError::Corrupt { path: path.to_owned(), reason });
        let remembered = read(&file).map_err(|source| StoreError::Open {
            action: "read the count of acknowledged batches in",
            path: path.to_owned(),
            source,
        })?;
        match remembered {
            Remembered::Batches(remembered) if remembered > batches => {
                corrupt(format!("it has come back with {batches} of {remembered} acknowledged batches of writes"))
            }
            Remembered::Garbage => corrupt("the file with the count of acknowledged batches is damaged".to_owned()),
            Remembered::Nothing | Remembered::Batches(_) => Ok(Self(file)),
        }
    }

    /// Writes the count of a store that is new, or of an earlier version, and brings it to disk.
    pub(super) fn begin(&self, batches: u64) -> io::Result<()> {
        self.0.write_all_at(line(batches).as_bytes(), 0)?;
        self.0.sync_all()
    }

    /// That many batches are on disk.
    pub(super) fn reached(&self, batches: u64) {
        if let Err(error) = self.0.write_all_at(line(batches).as_bytes(), 0) {
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
