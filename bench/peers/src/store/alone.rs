//! The disk's own rate: repeatedly appends and syncs the bytes of a batch of records.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::committer::{Engine as _, MOST_WRITES};
use super::engines::Raw;
use super::records::{Records, Rows};
use crate::outcome::{Outcome, Tried as _};

/// The folder for files, and records to append to them.
pub(super) struct Alone {
    folder: PathBuf,
    rows: Vec<Rows>,
}

impl Alone {
    pub(super) fn open(folder: &Path) -> Outcome<Self> {
        let records = Records::new()?;
        let rows = (0..MOST_WRITES as u64).map(|number| records.rows(number)).collect::<Outcome<_>>()?;
        let folder = folder.join("alone");
        std::fs::create_dir(&folder).tried("make a folder for the disk's own rate")?;
        Ok(Self { folder, rows })
    }

    /// Records a second at this batch size, in a file that is empty at first.
    pub(super) fn run(&self, batch: usize, length: Duration) -> Outcome<f64> {
        let batch = self.rows.iter().take(batch.max(1)).cloned().collect::<Vec<_>>();
        let folder = tempfile::tempdir_in(&self.folder).tried("make a folder for the disk's own rate")?;
        let mut raw = Raw::open(folder.path())?;
        let (began, mut written) = (Instant::now(), 0);
        while began.elapsed() < length {
            raw.write(&batch)?;
            written += batch.len();
        }
        Ok(written as f64 / began.elapsed().as_secs_f64())
    }
}
