//! The disk's own rate: the bytes of so many records, appended and synced, again and again.

use std::path::Path;
use std::time::{Duration, Instant};

use super::committer::{Engine as _, MOST_WRITES};
use super::engines::Raw;
use super::records::{Records, Rows};
use crate::outcome::Outcome;

/// A file, and records to append to it.
pub(super) struct Alone {
    raw: Raw,
    rows: Vec<Rows>,
}

impl Alone {
    pub(super) fn open(folder: &Path) -> Outcome<Self> {
        let records = Records::new()?;
        let rows = (0..MOST_WRITES as u64).map(|number| records.rows(number)).collect::<Outcome<_>>()?;
        Ok(Self { raw: Raw::open(folder)?, rows })
    }

    /// Records a second at this batch size.
    pub(super) fn run(&mut self, batch: usize, length: Duration) -> Outcome<f64> {
        let batch = self.rows.iter().take(batch.max(1)).cloned().collect::<Vec<_>>();
        let (began, mut written) = (Instant::now(), 0);
        while began.elapsed() < length {
            self.raw.write(&batch)?;
            written += batch.len();
        }
        Ok(written as f64 / began.elapsed().as_secs_f64())
    }
}
