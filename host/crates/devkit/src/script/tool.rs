use std::io;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::error::BuildError;

/// Lines of a failed tool's output that are reported.
const LAST_LINES: usize = 12;

/// Runs a tool until it exits, and returns its standard output. `missing` is the error if there is no such program.
pub(super) fn run(
    mut command: Command,
    tool: &'static str,
    folder: &Path,
    missing: impl FnOnce() -> BuildError,
) -> Result<String, BuildError> {
    let failed = |said: String| BuildError::Tool { tool, folder: folder.to_owned(), said };
    match command.stdin(Stdio::null()).output() {
        Ok(output) if output.status.success() => Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
        Ok(output) => Err(failed(last_lines(&output))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(missing()),
        Err(error) => Err(failed(error.to_string())),
    }
}

/// The end of a tool's output, which says what went wrong.
fn last_lines(output: &Output) -> String {
    let text = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat();
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let from = lines.len().saturating_sub(LAST_LINES);
    match lines.get(from..) {
        Some(last) if !last.is_empty() => format!("\n{}", last.join("\n")),
        _ => format!("it ended with {} and gave no reason", output.status),
    }
}
