//! Callgrind of valgrind: instructions in user code, counted between two moments while a server serves.

use std::fs;
use std::process::Command;

use tempfile::TempDir;

use super::profile::Profile;
use super::wrapper;
use crate::or_fail::{OrFail as _, fail};

/// The C library copies and clears large blocks by one instruction, which callgrind counts once a byte. With this it
/// does not.
const TUNABLES: &str =
    "GLIBC_TUNABLES=glibc.cpu.x86_rep_movsb_threshold=1000000000:glibc.cpu.x86_rep_stosb_threshold=1000000000";

/// A server under callgrind, which starts without counting.
pub struct Callgrind {
    folder: TempDir,
}

impl Callgrind {
    /// Fails with the name of the package to install.
    pub fn new() -> Result<Self, String> {
        wrapper::installed("valgrind")?;
        Ok(Self { folder: TempDir::new().or_fail("make a folder for callgrind") })
    }

    /// The command under which a server is started.
    pub fn under(&self) -> Vec<String> {
        let path = |name: &str| self.folder.path().join(name).display().to_string();
        vec![
            "env".to_owned(),
            TUNABLES.to_owned(),
            "valgrind".to_owned(),
            "--tool=callgrind".to_owned(),
            "--instr-atstart=no".to_owned(),
            "--quiet".to_owned(),
            format!("--log-file={}", path("valgrind.log")),
            format!("--callgrind-out-file={}", path("counts")),
            // The prefix of its control pipes, which no other valgrind uses.
            format!("--vgdb-prefix={}", path("vgdb")),
        ]
    }

    /// Starts counting instructions.
    pub fn begin(&self, server: u32) {
        self.command(server, "instrumentation on");
    }

    /// Stops counting, and returns the counts since the start.
    pub fn end(&self, server: u32) -> Profile {
        self.command(server, "instrumentation off");
        self.command(server, "dump");
        let counts = fs::read_to_string(self.folder.path().join("counts.1")).or_fail("read callgrind's counts");
        Profile::parse(&counts).or_fail("read callgrind's counts")
    }

    fn command(&self, server: u32, command: &str) {
        let mut vgdb = Command::new("vgdb");
        vgdb.arg(format!("--vgdb-prefix={}", self.folder.path().join("vgdb").display()));
        vgdb.arg(format!("--pid={server}")).args(command.split(' '));
        let output = vgdb.output().or_fail(format_args!("start {vgdb:?}"));
        if !output.status.success() {
            fail(format_args!("{vgdb:?} ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr)));
        }
    }
}
