//! `keyferry.toml`, and how it, variables and flags come together.
//!
//! | file | answers |
//! |---|---|
//! | `setting` | which settings are there? Whichever flags `serve` has |
//! | `file` | what does the file say, line by line, and what is wrong with it? |
//! | `layers` | how does what it says get behind flags and variables, and before defaults? |
//! | `effective` | what holds in the end, and where does each value come from? |
//! | `example` | what does a file with all settings look like? |
//! | `command` | `keyferry config check`, `example` |

mod command;
mod effective;
mod example;
mod file;
mod layers;
mod setting;

pub(super) use command::{ConfigCommand, run};
pub(super) use layers::{CommandLineError, Parsed, parse};

#[cfg(test)]
pub(super) mod tests {
    use std::ffi::OsString;

    use super::super::settings::ServeArgs;
    use super::super::{Cli, CliError, Command};
    use super::parse;

    /// The arguments of `serve`, put together as the program does it.
    pub(in crate::cli) fn served(arguments: &[&str]) -> Result<ServeArgs, CliError> {
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        match parse::<Cli>(&arguments)?.cli.command {
            Command::Serve(args) => Ok(*args),
            _ => Err("another command".into()),
        }
    }
}
