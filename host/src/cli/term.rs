//! Text for people: results on stdout, errors and progress on stderr, colour on a terminal.

use std::io::{IsTerminal as _, Write as _};

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

/// Whether a person can be asked.
pub(super) fn is_interactive() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Whether the person at the terminal agrees; `None` if there is no terminal to ask at.
pub(super) fn ask(question: &str) -> Option<bool> {
    if !is_interactive() {
        return None;
    }
    let mut stderr = std::io::stderr();
    let _ = write!(stderr, "{question} [y/N] ");
    let _ = stderr.flush();
    let mut answer = String::new();
    let is_read = std::io::stdin().read_line(&mut answer).is_ok();
    Some(is_read && matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

/// A progress bar with a style, as a template of `indicatif`.
pub(super) fn styled(bar: ProgressBar, template: &str) -> ProgressBar {
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
