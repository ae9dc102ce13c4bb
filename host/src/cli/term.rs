//! Text for people: results on stdout, errors and progress on stderr, colour on a terminal.

use std::borrow::Cow;
use std::io::{IsTerminal as _, Write as _};

use indicatif::{ProgressBar, ProgressStyle};
use owo_colors::{OwoColorize as _, Stream::Stderr};
use serde::Serialize;

use super::stdout::stdout;
use keyferry_types::text::is_unfit;

/// Prints an error on stderr.
pub(super) fn error(message: &str) {
    let label = "error:".if_supports_color(Stderr, |text| text.red()).to_string();
    let _ = writeln!(std::io::stderr(), "{label} {}", harmless(message));
}

/// Prints a warning on stderr.
pub(super) fn warning(message: &str) {
    let label = "warning:".if_supports_color(Stderr, |text| text.yellow()).to_string();
    let _ = writeln!(std::io::stderr(), "{label} {}", harmless(message));
}

/// Prints progress on stderr; stdout is for results.
pub(super) fn progress(message: &str) {
    coloured_progress(&harmless(message));
}

/// Prints progress that has colours of ours. What is of others in it has to be [`harmless`].
pub(super) fn coloured_progress(message: &str) {
    let _ = writeln!(std::io::stderr(), "{message}");
}

/// A text with its control characters replaced, which a terminal could carry out. Names and descriptions come from callers, file names
/// from users, and messages from servers and providers.
pub(super) fn harmless(text: &str) -> Cow<'_, str> {
    let is_command = |c: char| is_unfit(c) && !matches!(c, '\t' | '\n');
    if text.contains(is_command) { Cow::Owned(text.replace(is_command, "\u{fffd}")) } else { Cow::Borrowed(text) }
}

/// Prints a result on stdout. It is not an error if the reader has closed the pipe (`| head`).
pub(super) fn print(text: &str) {
    let _ = writeln!(stdout(), "{text}");
}

/// Prints a result for programs on stdout, as one JSON document.
pub(super) fn print_json(result: &(impl Serialize + ?Sized)) -> Result<(), serde_json::Error> {
    print(&serde_json::to_string_pretty(result)?);
    Ok(())
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
    let _ = write!(stderr, "{} [y/N] ", harmless(question));
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
