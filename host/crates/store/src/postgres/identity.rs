//! Who opens the database: one process, or all processes that one after the other have a data folder of this host.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Read as _;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

use crate::{StoreError, StoreResult};

/// Bytes of an identity.
const ID: usize = 16;

/// The identity of a data folder, or of this process alone.
pub(super) struct Identity {
    pub(super) owner: Vec<u8>,
    /// Held while the store is open, so that a process of the same identity that has the lease is known to have ended.
    _lock: Option<File>,
}

impl Identity {
    /// The identity in this file, which is created if it is missing; without a file, a new one.
    pub(super) fn open(path: Option<&Path>) -> StoreResult<Self> {
        let Some(path) = path else { return Ok(Self { owner: random(path)?, _lock: None }) };
        let failed = |action| move |source| StoreError::Open { action, path: path.to_owned(), source };
        let mut options = OpenOptions::new();
        let opened = options.create(true).truncate(false).read(true).write(true).mode(0o600).open(path);
        let mut file = opened.map_err(failed("open"))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StoreError::Locked { path: path.to_owned() }),
            Err(TryLockError::Error(source)) => return Err(failed("lock")(source)),
        }
        let mut id = Vec::new();
        file.read_to_end(&mut id).map_err(failed("read"))?;
        if id.len() != ID {
            id = random(Some(path))?;
            file.write_all_at(&id, 0).and_then(|()| file.sync_all()).map_err(failed("write"))?;
        }
        // A folder that was copied to another host has another identity there.
        id.extend_from_slice(host().as_bytes());
        Ok(Self { owner: id, _lock: Some(file) })
    }
}

fn random(path: Option<&Path>) -> StoreResult<Vec<u8>> {
    let mut id = vec![0; ID];
    getrandom::fill(&mut id).map_err(|error| StoreError::Open {
        action: "make an identity for",
        path: path.unwrap_or(Path::new("this process")).to_owned(),
        source: error.into(),
    })?;
    Ok(id)
}

/// The name of this host.
pub(super) fn host() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "an unnamed host".to_owned() } else { name.to_owned() }
}
