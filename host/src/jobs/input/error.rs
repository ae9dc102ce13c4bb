//! What ends the reading of a file.

use std::io;

use super::unpack::Packing;

/// Why nothing more can be read. The rows before stand.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// Its bytes do not come.
    #[error("the file could not be read: {0}")]
    Unreadable(#[source] io::Error),
    /// It cannot be unpacked.
    #[error("the file cannot be unpacked: its {packing} data is broken or cut short")]
    Broken {
        /// What it is packed by.
        packing: Packing,
        /// What the decoder says.
        source: io::Error,
    },
    /// It is of a format that is not read here.
    #[error(
        "the file is {0}; what is read is NDJSON, a JSON array or CSV in UTF-8, as it is or packed by gzip or zstd"
    )]
    Unsupported(&'static str),
    /// The header of a CSV file says nothing of use.
    #[error("the header of the file does not do: {0}")]
    Header(String),
    /// The export names no accounts, and no rule of the mapping does.
    #[error("`linked_account_id` is missing{0}")]
    NoAccount(&'static str),
    /// The JSON goes wrong in a way after which nobody knows where the next row begins.
    #[error("line {line} column {column}: {message}; where the next row begins cannot be told")]
    Lost {
        /// Counted from 1.
        line: u64,
        /// In bytes, counted from 1.
        column: u64,
        /// What is wrong.
        message: &'static str,
    },
}

impl ReadError {
    /// Stable text for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => "unreadable",
            Self::Broken { .. } => "broken_packing",
            Self::Unsupported(_) => "unsupported_format",
            Self::Header(_) => "invalid_header",
            Self::NoAccount(_) => "missing_column",
            Self::Lost { .. } => "invalid_json",
        }
    }
}

/// What stops a reader of rows: a failure of the bytes, whose reason only their owner can tell, or one that is known.
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
