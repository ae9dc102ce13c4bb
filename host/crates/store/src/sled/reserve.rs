//! Space that is kept for opening the store on a full disk.
//!
//! Opening writes a snapshot and may begin a segment, so that it needs space where reading needs none. A file of that size is deleted
//! if there is too little, and written again afterwards: a server that restarts on a full disk reads, and waits for space to write.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, fallocate};

use super::durability::free_bytes;
use keyferry_types::path_text::ShowPath as _;

/// The file's name.
pub(super) const RESERVE: &str = "reserve";
/// What openings may use up of the reserve, so that further ones have enough as well: a segment, and snapshots.
const USED_UP: u64 = 16 << 20;
/// Left to others when the reserve is written again on a full disk.
const LEFT: u64 = 64 << 10;

/// The reserve of one store.
pub(super) struct Reserve {
    path: PathBuf,
    folder: PathBuf,
    /// Bytes that an opening needs.
    needed: u64,
    was_released: bool,
}

impl Reserve {
    /// The reserve of the store in this folder.
    pub(super) fn new(folder: &Path, needed: u64) -> Self {
        Self { path: folder.join(RESERVE), folder: folder.to_owned(), needed, was_released: false }
    }

    /// Deletes the reserve if the disk has too little space for an opening.
    pub(super) fn release_if_needed(&mut self) {
        if free_bytes(&self.folder).is_none_or(|free| free >= self.needed) {
            return;
        }
        match fs::remove_file(&self.path) {
            Ok(()) => {
                self.was_released = true;
                tracing::warn!(
                    folder = %self.folder.shown(),
                    "the disk is full: the store is opened with the space that is reserved for it, and takes no writes"
                );
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => tracing::warn!(%error, file = %self.path.shown(), "the reserved space could not be released"),
        }
    }

    /// Writes what is missing of the reserve, if there is space. `for_writes` is what has to stay free for the store to take writes.
    pub(super) fn refill(&self, for_writes: u64) {
        let Some(free) = free_bytes(&self.folder) else { return };
        // What takes no writes anyway loses nothing by it.
        let kept_free = if self.was_released { LEFT } else { for_writes };
        let present = fs::metadata(&self.path).map_or(0, |metadata| metadata.len());
        let missing = (self.needed + USED_UP).saturating_sub(present).min(free.saturating_sub(kept_free));
        if missing == 0 {
            return;
        }
        if let Err(error) = self.grow(present + missing) {
            // Some file systems cannot do it, and the store works without.
            tracing::debug!(%error, file = %self.path.shown(), "no space could be reserved for an opening on a full disk");
        }
    }

    fn grow(&self, length: u64) -> io::Result<()> {
        let mut options = OpenOptions::new();
        let file = options.create(true).truncate(false).write(true).mode(0o600).open(&self.path)?;
        Ok(fallocate(&file, FallocateFlags::empty(), 0, length)?)
    }
}
