//! What is wrong with a backup, and why a store is not filled.

use std::fmt;
use std::io;

use crate::StoreError;

/// A section, as messages name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SectionName {
    /// Its number, from 1.
    pub number: u64,
    /// Where it begins, in bytes.
    pub at: u64,
    /// What is in it, where that is known.
    pub kind: Option<&'static str>,
}

impl fmt::Display for SectionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, at, kind } = self;
        match kind {
            Some(kind) => write!(f, "section {number} ({kind}, from byte {at})"),
            None => write!(f, "section {number} (from byte {at})"),
        }
    }
}

/// A backup that cannot be used. Nothing of the section that is named is taken.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The first line is another one.
    #[error("it is no backup: it does not begin with `KEYFERRY-BACKUP`")]
    NotABackup,
    /// A newer form of backups.
    #[error(
        "the backup has format {found}, and this Keyferry reads format {known}: use the Keyferry that made it, or a newer one"
    )]
    Format {
        /// The format of the backup.
        found: String,
        /// The format that is known here.
        known: u32,
    },
    /// Rows of a newer layout.
    #[error(
        "the backup has rows of layout {found}, and this Keyferry reads layout {known}: use the Keyferry that made it, or a newer one"
    )]
    Layout {
        /// The layout of the rows.
        found: u32,
        /// The layout that is known here.
        known: u32,
    },
    /// A table of a newer version.
    #[error(
        "the backup has a table `{name}`, which this Keyferry does not know: use the Keyferry that made it, or a newer one"
    )]
    Table {
        /// Its name.
        name: String,
    },
    /// It ends too early.
    #[error(
        "the backup is cut off in {section}, after {bytes} bytes: it was not written or copied to its end; use another copy, or another backup"
    )]
    Cut {
        /// The section that is incomplete or missing.
        section: SectionName,
        /// Bytes that are there.
        bytes: u64,
    },
    /// Its bytes are not those that were written.
    #[error("the backup is damaged in {section}: {problem}; use another copy, or another backup")]
    Damaged {
        /// The damaged section.
        section: SectionName,
        /// How it was noticed.
        problem: &'static str,
    },
    /// It cannot be read.
    #[error("the backup cannot be read in {section}: {source}")]
    Read {
        /// The section that was read.
        section: SectionName,
        /// Error of the system.
        source: io::Error,
    },
}

/// A store that was not filled.
#[derive(Debug, thiserror::Error)]
pub enum FillError {
    /// The backup cannot be used.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// A store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store has content.
    #[error("{place} is not empty: give a data folder without `store`, or an empty database")]
    NotEmpty {
        /// The store.
        place: String,
    },
    /// The store has a part of other content.
    #[error(
        "{place} has a part of something else: {what} has not come to its end; run that command again, or empty the store"
    )]
    OtherContent {
        /// The store.
        place: String,
        /// What was filling it.
        what: String,
    },
    /// The store has other rows than it should.
    #[error("{place} has {found} rows in `{table}`, and {expected} were written: empty it, and try again")]
    Count {
        /// The store.
        place: String,
        /// The table.
        table: &'static str,
        /// Rows that it has.
        found: u64,
        /// Rows that it should have.
        expected: u64,
    },
    /// The copy differs from its source.
    #[error(
        "table `{table}` of {to} differs from that of {from}, which has changed since the copy was begun: empty {to}, and copy again"
    )]
    Differs {
        /// The source.
        from: String,
        /// The copy.
        to: String,
        /// The table.
        table: &'static str,
    },
    /// The source is not whole.
    #[error("{place} is incomplete itself: {what} has not come to its end")]
    IncompleteSource {
        /// The source.
        place: String,
        /// What was filling it.
        what: String,
    },
}
