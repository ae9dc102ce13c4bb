//! [`ReadError`]: why the reading of a file ends.

use std::io;

use super::compression::Compression;

/// Why the rest of the file cannot be read. Earlier rows stay valid.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// Its bytes cannot be read.
    #[error("the file could not be read: {0}")]
    Unreadable(#[source] io::Error),
    /// The compressed data is broken.
    #[error("the file cannot be unpacked: its {compression} data is broken or cut short")]
    Broken {
        /// The compression of the file.
        compression: Compression,
        /// The decoder's error.
        source: io::Error,
    },
    /// Its format is not supported.
    #[error(
        "the file is {0}; NDJSON, a JSON array and CSV can be read, in UTF-8 or UTF-16, as they are or packed by gzip or zstd"
    )]
    Unsupported(&'static str),
    /// No rows can be read by the header of a CSV file.
    #[error("the header of the file cannot be used: {0}")]
    Header(String),
    /// The export names no accounts, and no rule of the mapping does.
    #[error("`linked_account_id` is missing{0}")]
    NoAccount(&'static str),
    /// A JSON text ends before it is whole.
    #[error("line {line} column {column}: the file ends {}; it is incomplete, and no row is imported", within(*.row))]
    CutShort {
        /// The line on which it ends, counted from 1.
        line: u64,
        /// The byte within the line, counted from 1.
        column: u64,
        /// The line on which the row begins that it ends in.
        row: Option<u64>,
    },
    /// The JSON is invalid in a way that leaves the start of the next row unknown.
    #[error("line {line} column {column}: {message}; the start of the next row is unknown")]
    Lost {
        /// The line, counted from 1.
        line: u64,
        /// The byte within the line, counted from 1.
        column: u64,
        /// The error in words.
        message: &'static str,
    },
}

impl ReadError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => "unreadable",
            Self::Broken { .. } => "broken_packing",
            Self::Unsupported(_) => "unsupported_format",
            Self::Header(_) => "invalid_header",
            Self::NoAccount(_) => "missing_column",
            Self::Lost { .. } | Self::CutShort { .. } => "invalid_json",
        }
    }
}

fn within(row: Option<u64>) -> String {
    match row {
        Some(line) => format!("inside the row that begins on line {line}"),
        None => "before the list of its rows is closed".to_owned(),
    }
}

/// Why a reader of rows stops: its bytes cannot be read, for a reason that the caller knows, or a known error.
pub(super) enum Stop {
    Bytes(io::Error),
    Read(ReadError),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Bytes(error)
    }
}

impl From<ReadError> for Stop {
    fn from(error: ReadError) -> Self {
        Self::Read(error)
    }
}
