//! The layers of settings: a flag before a variable, a variable before the file, the file before a default.
//!
//! clap itself takes a flag before a variable and a variable before a default. Values of the file are therefore set as clap's
//! defaults, once the first parse has found which file to read.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{ArgMatches, Command, CommandFactory, FromArgMatches};

use super::effective::Effective;
use super::file::{ConfigFile, ConfigFileError};
use super::resolved::LogFormat;
use super::setting::Setting;
use super::variables::{self, UnknownVariable};

/// The file that is read where none is named.
const DEFAULT_FILE: &str = "keyferry.toml";

/// A command line that was understood.
pub(in crate::cli) struct Parsed<C> {
    pub(in crate::cli) cli: C,
    pub(in crate::cli) effective: Effective,
    /// Variables that look like Keyferry's own and are read by no command.
    pub(in crate::cli) unknown_variables: Vec<UnknownVariable>,
}

/// A command line, or a settings file, that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum CommandLineError {
    /// Printed by clap with its own exit code; `--help` is one of these.
    #[error(transparent)]
    Arguments(#[from] clap::Error),
    /// The settings file cannot be read or has errors.
    #[error(transparent)]
    File(#[from] ConfigFileError),
    /// The same of `serve`, whose flags or variables ask for a log in JSON.
    #[error(transparent)]
    FileLoggedAsJson(ConfigFileError),
}

/// Parses the command line with variables and the settings file.
pub(in crate::cli) fn parse<C: CommandFactory + FromArgMatches>(
    arguments: &[OsString],
) -> Result<Parsed<C>, CommandLineError> {
    let settings = Setting::all();
    // No flag is required that the file could set instead, so an error here is an error with any file.
    let first = C::command().try_get_matches_from(arguments)?;
    let (path, below) = leaf(&first);
    let file = match named(below) {
        Some(file) => Some(ConfigFile::read(&file, &settings).map_err(|error| unusable(error, &path, below))?),
        None => None,
    };
    let matches = match &file {
        Some(file) => with_file(C::command(), &path, file).try_get_matches_from(arguments)?,
        None => first.clone(),
    };
    let effective = Effective::new(&settings, leaf(&matches).1, file);
    let set = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let unknown_variables = variables::unknown(&C::command(), &effective.named_variables(), set);
    Ok(Parsed { cli: C::from_arg_matches(&matches)?, effective, unknown_variables })
}

fn unusable(error: ConfigFileError, command: &[&str], matches: &ArgMatches) -> CommandLineError {
    match matches.try_get_one("log_format") {
        Ok(Some(LogFormat::Json)) if command == ["serve"] => CommandLineError::FileLoggedAsJson(error),
        _ => CommandLineError::File(error),
    }
}

/// The innermost command, and the names that lead to it.
fn leaf(matches: &ArgMatches) -> (Vec<&str>, &ArgMatches) {
    let (mut path, mut at) = (Vec::new(), matches);
    while let Some((name, below)) = at.subcommand() {
        path.push(name);
        at = below;
    }
    (path, at)
}

/// The settings file of a command: the named one, or else the one in the working folder. `None` for commands without
/// settings.
fn named(matches: &ArgMatches) -> Option<PathBuf> {
    match matches.try_get_one::<PathBuf>("config") {
        Ok(Some(path)) => Some(path.clone()),
        Ok(None) => Some(PathBuf::from(DEFAULT_FILE)).filter(|path| Path::exists(path)),
        Err(_) => None,
    }
}

fn with_file(command: Command, path: &[&str], file: &ConfigFile) -> Command {
    match path.split_first() {
        Some((name, rest)) => command.mut_subcommand(name, |below| with_file(below, rest, file)),
        None => command.mut_args(|arg| match file.lines.get(arg.get_id().as_str()) {
            Some(line) if !line.values.is_empty() => arg.default_values(line.values.clone()),
            _ if arg.get_id() == "config" => arg.default_value(file.path.clone().into_os_string()),
            _ => arg,
        }),
    }
}
