//! The name of the program.

use std::path::PathBuf;

use keyferry_imports::input::shell_path;

/// The program as it was called, as a word of a command to type.
pub(super) fn program() -> String {
    std::env::args_os().next().map_or_else(|| "keyferry".to_owned(), |name| shell_path(&PathBuf::from(name)))
}
