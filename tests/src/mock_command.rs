//! `keyferry mock-provider` as a child process.

use std::path::Path;
use std::process::{ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::binary;
use crate::or_fail::{OrFail as _, fail};

/// The last line of the output for people, and of the output for programs.
const LAST: [&str; 2] = ["Ctrl-C ends the mock providers.", "}"];

/// A running `keyferry mock-provider`. It is killed when dropped.
pub struct MockCommand {
    child: Child,
    /// Its output before it was ready.
    pub printed: String,
}

impl MockCommand {
    /// Starts one in a folder with these arguments, and waits until it listens.
    pub async fn start<S: AsRef<str>>(folder: &Path, arguments: &[S]) -> Self {
        let mut command = Command::from(binary::command(binary::keyferry()));
        command.arg("mock-provider").args(arguments.iter().map(AsRef::as_ref)).current_dir(folder);
        // Files that a killed command leaves behind go with the folder.
        command.env("TMPDIR", folder);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().or_fail("start the mock providers");
        let stdout = child.stdout.take().or_fail("read the output of the mock providers");
        let mut lines = BufReader::new(stdout).lines();
        let mut printed = String::new();
        while let Some(line) = lines.next_line().await.or_fail("read the output of the mock providers") {
            printed.push_str(&line);
            printed.push('\n');
            if LAST.contains(&line.as_str()) {
                return Self { child, printed };
            }
        }
        fail(format_args!("the mock providers ended after they printed:\n{printed}"))
    }

    /// The document that `--json` prints.
    pub fn document(&self) -> serde_json::Value {
        serde_json::from_str(&self.printed).or_fail(format_args!("read as JSON:\n{}", self.printed))
    }

    /// The arguments of the printed command that begins with these words after the program.
    pub fn command(&self, begin: &str) -> Vec<String> {
        let begin = format!("{} {begin} ", binary::keyferry().display());
        let found = self.printed.lines().find_map(|line| line.strip_prefix(&begin));
        let line = found.or_fail(format_args!("find {begin} in:\n{}", self.printed));
        shlex::split(line).or_fail("split a command as a shell does")
    }

    /// Sends Ctrl-C and returns the exit status.
    pub async fn interrupt(mut self) -> ExitStatus {
        let pid = self.child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        kill_process(pid.or_fail("the mock providers run"), Signal::INT).or_fail("interrupt the mock providers");
        self.child.wait().await.or_fail("wait for the mock providers")
    }
}
