//! The result of a command.

use std::error::Error;

use super::exit::Exit;

/// The message of a failed command.
pub(super) type CliError = Box<dyn Error + Send + Sync>;
/// How a command ended, or its error.
pub(super) type CliResult = Result<Exit, CliError>;

/// An error and its causes in one line. A cause that the error's own text contains already is left out.
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
