//! The settings of `serve`: where they are declared, read, layered and printed.
//!
//! | file | answers |
//! |---|---|
//! | `flags` | declared: which settings are there? Each is a flag of `serve` |
//! | `setting` | declared: what is the name of a flag in `keyferry.toml`, and its variable, default and help? |
//! | `file` | read: what does `keyferry.toml` set, line by line, and what is wrong with it? |
//! | `layers` | layered: a flag before a variable, a variable before the file, the file before a default |
//! | `resolved` | layered: what does a server run with in the end? |
//! | `data_folder` | layered: where are the files of a server? |
//! | `variables` | layered: which variables are set and read by nothing? |
//! | `effective` | printed: what does each setting come to, and from which layer? |
//! | `example` | printed: a file with all settings |
//! | `command` | printed: `keyferry config check`, `example` |
//!
//! A new setting is one field in `flags`: its name in the file, its line in the example and in `config check` are derived.

mod command;
mod data_folder;
mod effective;
mod example;
mod file;
mod flags;
mod layers;
mod resolved;
mod setting;
mod variables;

pub(super) use command::{ConfigCommand, run};
pub(super) use data_folder::DataFolder;
pub(super) use effective::Effective;
pub(super) use flags::{
    FolderArgs, Folders, NewKekArgs, OperatorArgs, PluginsFrom, ServeArgs, listen_address, whole_number,
};
pub(super) use layers::{CommandLineError, Parsed, parse};
pub(super) use resolved::{LogFormat, LogSettings, Settings};
pub(super) use variables::UnknownVariable;

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::{ServeArgs, parse};
    use crate::cli::command::{Cli, Command};
    use crate::cli::error::CliError;

    /// The arguments of `serve`, put together as the program does it.
    pub(super) fn served(arguments: &[&str]) -> Result<ServeArgs, CliError> {
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        match parse::<Cli>(&arguments)?.cli.command {
            Command::Serve(args) => Ok(*args),
            _ => Err("another command".into()),
        }
    }
}
