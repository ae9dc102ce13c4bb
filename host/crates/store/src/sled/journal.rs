//! The journal: what makes a batch of writes durable.
//!
//! Two files take turns. Each batch is appended as one record and synced; sled takes it afterwards, in memory. When a file has
//! taken enough, batches go to the other one, and as soon as sled has brought to disk what the first file holds, that one may be
//! written again from its beginning. A file keeps its length and its blocks, so that a sync writes no
//! metadata once all of them have been written.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{Advice, FallocateFlags, fadvise, fallocate};

use super::durability::{Synced, Syncer};
use super::record::{self, BLOCK, Tag};
use crate::records::Changes;

/// The names of the files.
pub(super) const JOURNALS: [&str; 2] = ["journal.0", "journal.1"];
/// The first bytes of a file; the digit is the form of what follows. Then come the tag of its records and a checksum, and the
/// first record at the next block.
const MAGIC: &[u8; 8] = b"KFJRNL-1";
/// Where the first record of a file begins.
const BEGIN: u64 = BLOCK as u64;
/// Bytes that a file has from the start. It grows where that is not enough.
pub(super) const LENGTH: u64 = 4 << 20;
/// Bytes of changes after which a file has taken enough.
const ENOUGH: u64 = 512 << 10;
/// Bytes of changes that sled may have taken without a sync, those of a checkpoint under way included: then writers wait for it.
/// sled writes some three times as much for them, and that has to stay below its segments' 8 MiB: a segment says that those before it
/// are on disk, which is true if each sync covers no more than one.
const MOST: u64 = 2 << 20;

/// One of the two files.
#[derive(Clone)]
pub(super) struct JournalFile {
    pub(super) file: Arc<File>,
    pub(super) tag: Tag,
}

/// The files of the journal, of which one is written.
pub(super) struct Journal {
    files: [JournalFile; 2],
    in_second: bool,
    /// Where the next record begins in the current file.
    at: u64,
    /// Bytes of changes in the current file.
    taken: u64,
    /// Bytes of changes in the other one that sled may not have brought to disk.
    former: u64,
    /// Number of the last batch that is in the journal, or was.
    last: u64,
    buffer: Vec<u8>,
}

impl Journal {
    /// The journal of a store whose batches are all on disk up to that number: what the files hold is not needed.
    pub(super) fn new(files: [JournalFile; 2], last: u64) -> Self {
        Self { files, in_second: false, at: BEGIN, taken: 0, former: 0, last, buffer: Vec::new() }
    }

    /// Number of the last batch.
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// Whether the current file has taken no batch.
    pub(super) fn is_empty(&self) -> bool {
        self.taken == 0
    }

    /// Whether the current file has taken enough.
    pub(super) fn is_full(&self) -> bool {
        self.taken >= ENOUGH || self.at >= LENGTH
    }

    /// Whether a batch of that size can be added before a checkpoint has ended. One that is larger than all that may be added has room
    /// if nothing else is waiting.
    pub(super) fn has_room(&self, bytes: u64) -> bool {
        let waiting = self.taken + self.former;
        waiting == 0 || waiting + bytes <= MOST
    }

    /// Notes that sled has brought to disk what the other file holds.
    pub(super) fn release(&mut self) {
        self.former = 0;
    }

    /// Writes a batch, which is on disk after [`Self::sync`] and not before.
    pub(super) fn write(&mut self, changes: &Changes) -> io::Result<()> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let JournalFile { file, tag } = self.current();
        let length = record::encode(&mut buffer, tag, self.last + 1, changes);
        file.write_all_at(&buffer, self.at)?;
        self.buffer = buffer;
        self.at += self.buffer.len() as u64;
        self.taken += length as u64;
        self.last += 1;
        // A large batch should not hold on to its memory.
        self.buffer.clear();
        self.buffer.shrink_to(64 << 10);
        Ok(())
    }

    /// Brings to disk what was written.
    pub(super) fn sync(&self, syncer: &dyn Syncer) -> io::Result<()> {
        syncer.sync(self.file(), Synced::Journal)
    }

    /// Continues in the other file, whose batches have to be on disk by now. Returns the former one.
    pub(super) fn turn(&mut self) -> io::Result<Arc<File>> {
        let former = Arc::clone(self.file());
        self.in_second = !self.in_second;
        (self.at, self.former, self.taken) = (BEGIN, self.taken, 0);
        let file = self.file();
        if file.metadata()?.len() > LENGTH {
            file.set_len(LENGTH)?;
        }
        Ok(former)
    }

    fn current(&self) -> &JournalFile {
        let [first, second] = &self.files;
        if self.in_second { second } else { first }
    }

    fn file(&self) -> &Arc<File> {
        &self.current().file
    }
}

/// Opens the files of a folder, and makes those that are not there.
///
/// # Errors
/// `InvalidData` where a file is not one of a journal.
pub(super) fn open(folder: &Path) -> io::Result<[JournalFile; 2]> {
    let [first, second] = JOURNALS;
    Ok([open_file(&folder.join(first))?, open_file(&folder.join(second))?])
}

fn open_file(path: &Path) -> io::Result<JournalFile> {
    let mut options = OpenOptions::new();
    let file = options.create(true).truncate(false).read(true).write(true).mode(0o600).open(path)?;
    let (mut head, mut record) = ([0; 28], [0; BLOCK]);
    let length = file.read_at(&mut head, 0)?;
    file.read_at(&mut record, BEGIN)?;
    let (beginning, checksum) = head.split_at(24);
    let tag = if (length < head.len() || head == [0; 28]) && record == [0; BLOCK] {
        // It is new, or the power failed when it was made.
        make_file(&file)?
    } else if beginning.starts_with(MAGIC) && checksum == crc32fast::hash(beginning).to_le_bytes() {
        beginning.last_chunk().copied().unwrap_or_default()
    } else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    // Where it cannot be done, the file grows with what it takes. A copy of it may have lost its blocks.
    if let Err(error) = fallocate(&file, FallocateFlags::empty(), 0, LENGTH) {
        tracing::debug!(%error, "no space could be reserved for the journal");
    }
    file.sync_all()?;
    Ok(JournalFile { file: Arc::new(file), tag })
}

fn make_file(file: &File) -> io::Result<Tag> {
    let mut tag = Tag::default();
    getrandom::fill(&mut tag).map_err(io::Error::other)?;
    let mut head = [MAGIC.as_slice(), &tag].concat();
    head.extend_from_slice(&crc32fast::hash(&head).to_le_bytes());
    file.write_all_at(&head, 0)?;
    Ok(tag)
}

/// Lets the system drop what it caches of a file from there on, which is not read again. The kernel caches what was read or written at
/// once in large pieces, and a later write of 4 KiB may count as one of the whole piece.
pub(super) fn uncache(file: &File, from: u64) {
    // It is only an advice.
    let _ = fadvise(file, from, None, Advice::DontNeed);
}
