//! The command line, with what the file says behind it.
//!
//! clap takes a flag before a variable and a variable before a default. So what the file says is put where the defaults are,
//! once it is known which file it is.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{ArgMatches, Command, CommandFactory, FromArgMatches};

use super::effective::Effective;
use super::file::{ConfigFile, ConfigFileError};
use super::setting::Setting;

/// The file that is read where none is named.
const DEFAULT_FILE: &str = "keyferry.toml";

/// A command line that was understood.
pub(in crate::cli) struct Parsed<C> {
    pub(in crate::cli) cli: C,
    pub(in crate::cli) effective: Effective,
}

/// A command line that was not, or a file that it leads to.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum CommandLineError {
    /// clap's own words, with their own exit code; `--help` is one of them.
    #[error(transparent)]
    Arguments(#[from] clap::Error),
    /// The settings file cannot be read or has errors.
    #[error(transparent)]
    File(#[from] ConfigFileError),
}

/// Takes flags, variables and file together.
pub(in crate::cli) fn parse<C: CommandFactory + FromArgMatches>(
    arguments: &[OsString],
) -> Result<Parsed<C>, CommandLineError> {
    let settings = Setting::all();
    // Nothing that the file can say has to be said, so whatever is wrong here is wrong in any case.
    let first = C::command().try_get_matches_from(arguments)?;
    let (way, below) = leaf(&first);
    let file = match named(below) {
        Some(path) => Some(ConfigFile::read(&path, &settings)?),
        None => None,
    };
    let matches = match &file {
        Some(file) => with_file(C::command(), &way, file).try_get_matches_from(arguments)?,
        None => first.clone(),
    };
    let effective = Effective::of(&settings, leaf(&matches).1, file);
    Ok(Parsed { cli: C::from_arg_matches(&matches)?, effective })
}

/// The innermost command, and the way to it.
fn leaf(matches: &ArgMatches) -> (Vec<&str>, &ArgMatches) {
    let (mut way, mut at) = (Vec::new(), matches);
    while let Some((name, below)) = at.subcommand() {
        way.push(name);
        at = below;
    }
    (way, at)
}

/// The file that a command is to read: the one that is named, or the one in the working folder. None where the command has
/// no settings.
fn named(matches: &ArgMatches) -> Option<PathBuf> {
    match matches.try_get_one::<PathBuf>("config") {
        Ok(Some(path)) => Some(path.clone()),
        Ok(None) => Some(PathBuf::from(DEFAULT_FILE)).filter(|path| Path::exists(path)),
        Err(_) => None,
    }
}

fn with_file(command: Command, way: &[&str], file: &ConfigFile) -> Command {
    match way.split_first() {
        Some((name, rest)) => command.mut_subcommand(name, |below| with_file(below, rest, file)),
        None => command.mut_args(|arg| match file.lines.get(arg.get_id().as_str()) {
            Some(line) if !line.values.is_empty() => arg.default_values(line.values.clone()),
            _ if arg.get_id() == "config" => arg.default_value(file.path.clone().into_os_string()),
            _ => arg,
        }),
    }
}
