//! What people see: errors on stderr, colour where there is a terminal.

use std::error::Error;
use std::io::Write as _;

use owo_colors::{OwoColorize as _, Stream::Stderr};

/// An error and what caused it, in one line; a cause that its effect already quotes is left out.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

/// Says what went wrong, on stderr.
pub(super) fn error(message: &str) {
    let label = "error:".if_supports_color(Stderr, |text| text.red()).to_string();
    let _ = writeln!(std::io::stderr(), "{label} {message}");
}

/// Prints a warning on stderr.
pub(super) fn warning(message: &str) {
    let label = "warning:".if_supports_color(Stderr, |text| text.yellow()).to_string();
    let _ = writeln!(std::io::stderr(), "{label} {message}");
}

/// Prints progress on stderr; stdout is for results.
pub(super) fn progress(message: &str) {
    let _ = writeln!(std::io::stderr(), "{message}");
}

/// Prints a result on stdout. A reader that has gone away (`| head`) is no error.
pub(super) fn print(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}
