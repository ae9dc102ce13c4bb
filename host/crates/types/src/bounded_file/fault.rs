//! [`FileFault`]: why a file cannot be read within its bounds.

use std::fmt;
use std::fs::FileType;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileTypeExt as _;

/// Why a file cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FileFault {
    /// The path leads to something other than a regular file.
    #[error("it is {0}, and must be a regular file")]
    NotRegular(Kind),
    /// The file is larger than this limit in bytes.
    #[error("it has more than {0} bytes, which no such file has")]
    TooLarge(u64),
    /// The read took longer than its time limit, in seconds.
    #[error("it did not answer within {0} s, as a network mount that hangs does")]
    Stalled(u64),
    /// A pipe delivered nothing, or did not end, within its time limit in seconds.
    #[error("it is a FIFO (named pipe), and what comes through it did not {1} within {0} s")]
    SilentPipe(u64, &'static str),
}

/// Kinds of files that are not regular.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Kind {
    Fifo,
    Folder,
    Socket,
    Device,
    Other,
}

impl Kind {
    /// The kind of what is not a regular file.
    pub(super) fn of(file_type: FileType) -> Option<Self> {
        if file_type.is_file() {
            None
        } else if file_type.is_fifo() {
            Some(Self::Fifo)
        } else if file_type.is_dir() {
            Some(Self::Folder)
        } else if file_type.is_socket() {
            Some(Self::Socket)
        } else if file_type.is_char_device() || file_type.is_block_device() {
            Some(Self::Device)
        } else {
            Some(Self::Other)
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fifo => "a FIFO (named pipe)",
            Self::Folder => "a folder",
            Self::Socket => "a socket",
            Self::Device => "a device",
            Self::Other => "no file",
        })
    }
}

impl From<FileFault> for io::Error {
    fn from(fault: FileFault) -> Self {
        let kind = match fault {
            FileFault::NotRegular(Kind::Folder) => ErrorKind::IsADirectory,
            FileFault::NotRegular(_) => ErrorKind::InvalidInput,
            FileFault::TooLarge(_) => ErrorKind::FileTooLarge,
            FileFault::Stalled(_) | FileFault::SilentPipe(..) => ErrorKind::TimedOut,
        };
        Self::new(kind, fault)
    }
}

/// Whether a read failed because the file hangs, is not a regular file, or is too large. Such a failure says nothing about the value
/// that the file should hold, so callers keep the last value.
pub fn is_obstructed(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<FileFault>())
}
