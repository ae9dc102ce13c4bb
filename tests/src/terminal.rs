//! Commands at a terminal of 80 columns, and the typing of a person there.

use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use regex::Regex;
use tempfile::TempDir;

use crate::binary;
use crate::or_fail::{OrFail as _, fail};
use crate::tools;

/// The byte of Ctrl-C.
const CTRL_C: &[u8] = b"\x03";
/// How long a command may take to show an expected text.
const PATIENCE: Duration = Duration::from_secs(300);
/// The interval of polling the screen.
const POLL: Duration = Duration::from_millis(20);

/// Runs keyferry at a pseudo-terminal and types `typed`. Returns its exit status and the screen. `None` where `script`
/// of util-linux, which creates the terminal, is missing.
pub async fn at_terminal(
    environment: &[(String, String)],
    arguments: &[&str],
    typed: &str,
) -> Option<(Option<i32>, String)> {
    let keyferry = binary::keyferry().display().to_string();
    let words = std::iter::once(keyferry.as_str()).chain(arguments.iter().copied());
    let line = shlex::try_join(words).or_fail("write the command");
    let mut terminal = Terminal::open(Path::new("."), environment, &line)?;
    terminal.types(typed);
    Some(terminal.ended().await)
}

/// A command line at a terminal of its own. It is killed when dropped.
pub struct Terminal {
    child: Child,
    keyboard: ChildStdin,
    folder: TempDir,
}

impl Terminal {
    /// Runs a shell line in a folder. `None` where `script` is missing.
    pub fn open(folder: &Path, environment: &[(String, String)], line: &str) -> Option<Self> {
        let mut command = binary::command("script");
        command.args(["-q", "-f", "-e", "-c", &format!("stty cols 80 rows 24; {line}"), "/dev/null"]);
        command.current_dir(folder).env("SHELL", "/bin/sh").env("TERM", "xterm");
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        Self::start(command)
    }

    fn start(mut command: Command) -> Option<Self> {
        let folder = TempDir::new().or_fail("make a folder for the screen");
        let screen = File::create(screen(&folder)).or_fail("make a file for the screen");
        command.stdin(Stdio::piped()).stdout(screen).stderr(Stdio::null());
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                tools::skip("there is no `script`");
                return None;
            }
            Err(error) => fail(format_args!("start script: {error}")),
        };
        let keyboard = child.stdin.take().or_fail("type");
        Some(Self { child, keyboard, folder })
    }

    /// Types these characters.
    pub fn types(&mut self, characters: &str) {
        self.keyboard.write_all(characters.as_bytes()).or_fail("type");
    }

    /// The screen, without colours; of a line that was overwritten, its last content.
    pub fn screen(&self) -> String {
        let bytes = fs::read(screen(&self.folder)).or_fail("look at the screen");
        let text = String::from_utf8_lossy(&bytes);
        let escape = Regex::new(r"\x1b\[[0-9;?]*[A-Za-z]").or_fail("read escape sequences");
        let text = escape.replace_all(&text, "").replace("\r\n", "\n");
        text.split('\n').map(|line| line.rsplit('\r').next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
    }

    /// Waits until the screen has a text and the end of its line, and returns the screen. Fails the test with the
    /// screen if the command ends first, or takes too
    /// long.
    pub async fn sees(&mut self, text: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            // Checked before the look, so that no final output is missed.
            let ended = self.child.try_wait().or_fail("look at the command");
            let screen = self.screen();
            if screen.split_once(text).is_some_and(|(_, after)| after.contains('\n')) {
                return screen;
            }
            if ended.is_some() || Instant::now() > deadline {
                fail(format_args!("{text:?} is not on the screen ({ended:?}):\n{screen}"));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Presses Ctrl-C.
    pub fn interrupt(&mut self) {
        self.keyboard.write_all(CTRL_C).or_fail("press Ctrl-C");
    }

    /// Waits until the command has ended: its exit status, and the whole screen.
    pub async fn ended(&mut self) -> (Option<i32>, String) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            // The keyboard stays connected: closing it could end the command earlier.
            if let Some(status) = self.child.try_wait().or_fail("look at the command") {
                return (status.code(), self.screen());
            }
            if Instant::now() > deadline {
                fail(format_args!("the command does not end:\n{}", self.screen()));
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn screen(folder: &TempDir) -> PathBuf {
    folder.path().join("screen")
}
