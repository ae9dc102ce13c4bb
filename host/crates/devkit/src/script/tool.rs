use std::io;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::error::BuildError;

/// Lines of a tool's last words.
const LAST_WORDS: usize = 12;

/// Runs a tool to its end. `missing` is what is said where it is not there.
pub(super) fn run(
    mut command: Command,
    tool: &'static str,
    folder: &Path,
    missing: impl FnOnce() -> BuildError,
) -> Result<String, BuildError> {
    let failed = |said: String| BuildError::Tool { tool, folder: folder.to_owned(), said };
    match command.stdin(Stdio::null()).output() {
        Ok(output) if output.status.success() => Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
        Ok(output) => Err(failed(last_words(&output))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(missing()),
        Err(error) => Err(failed(error.to_string())),
    }
}

/// The end of what a tool wrote: it says what went wrong.
fn last_words(output: &Output) -> String {
    let text = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat();
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let from = lines.len().saturating_sub(LAST_WORDS);
    match lines.get(from..) {
        Some(last) if !last.is_empty() => format!("\n{}", last.join("\n")),
        _ => format!("it ended with {} and gave no reason", output.status),
    }
}
