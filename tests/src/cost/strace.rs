//! strace: records the system calls of a server while it serves.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use super::system_calls::SystemCalls;
use super::wrapper;
use crate::or_fail::OrFail as _;

/// A server under strace.
pub struct Strace {
    folder: TempDir,
}

/// A position in the record.
#[derive(Debug, Clone, Copy)]
pub struct Mark(usize);

impl Strace {
    /// Fails with the name of the package to install.
    pub fn new() -> Result<Self, String> {
        wrapper::installed("strace")?;
        Ok(Self { folder: TempDir::new().or_fail("make a folder for strace") })
    }

    /// The command under which a server is started.
    pub fn under(&self) -> Vec<String> {
        let written = self.written().display().to_string();
        // `-D`: the server stays our own child. The record has the names of files, not their content.
        ["strace", "-D", "-f", "-y", "-qq", "-s", "0", "-e", "signal=none", "-o", &written].map(str::to_owned).to_vec()
    }

    /// The current position in the record.
    pub fn begin(&self) -> Mark {
        Mark(self.read().len())
    }

    /// The record since that position.
    pub fn end(&self, Mark(since): Mark) -> SystemCalls {
        SystemCalls::parse(self.read().get(since..).unwrap_or_default())
    }

    fn written(&self) -> PathBuf {
        self.folder.path().join("calls")
    }

    fn read(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.written()).or_fail("read what strace wrote down")).into_owned()
    }
}
