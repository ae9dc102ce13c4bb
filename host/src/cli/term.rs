//! Text for people: results on stdout, errors and progress on stderr, colour on a terminal.

use std::io::Write as _;

use indicatif::{ProgressBar, ProgressStyle};
use owo_colors::{OwoColorize as _, Stream::Stderr};

/// Prints an error on stderr.
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

/// Prints a result on stdout. It is not an error if the reader has closed the pipe (`| head`).
pub(super) fn print(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// A progress bar with a style, as a template of `indicatif`.
pub(super) fn styled(bar: ProgressBar, template: &str) -> ProgressBar {
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
