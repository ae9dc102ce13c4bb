//! The command line as clap parses it, and the function that runs each command.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use super::config::{self, CommandLineError, ConfigCommand, Effective, Parsed, ServeArgs, UnknownVariable};
use super::error::{CliResult, chain};
use super::{api_key, audit, demo, export, import, key, openapi, org, plugin, serve, term};

/// Puts credentials a team already holds, proven to work and encrypted, onto linked accounts.
#[derive(Parser)]
#[command(name = "keyferry", version, max_term_width = 120)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Subcommand)]
pub(super) enum Command {
    /// Runs a complete migration against mock providers, shows it, and keeps serving.
    Demo(demo::DemoArgs),
    /// Runs the server.
    Serve(Box<ServeArgs>),
    /// Shows the effective settings, or an example settings file.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Imports credentials from files onto a running server's linked accounts. Ends with 3 if rows failed, 4 if the import
    /// stopped.
    Import(Box<import::ImportArgs>),
    /// Shows imports and changes their state.
    #[command(subcommand)]
    Imports(import::ImportsCommand),
    /// Writes all credentials of an environment into an encrypted file, which `import` reads on another server.
    Export(export::ExportArgs),
    /// Lists the organisations.
    #[command(subcommand)]
    Org(org::OrgCommand),
    /// Creates, lists and revokes API keys.
    #[command(subcommand)]
    ApiKey(api_key::ApiKeyCommand),
    /// Manages the root keys that credentials are sealed under.
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// Verifies and exports the audit trail.
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Prints the API that `serve` with the same settings has, as an OpenAPI 3.1 document.
    Openapi(Box<ServeArgs>),
    /// Creates, checks, tests and grants app plugins.
    #[command(subcommand)]
    Plugin(plugin::PluginCommand),
}

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    // Most commands handle keys or credentials. Where the system refuses to protect them, only `serve` warns.
    let _ignored = keyferry_vault::harden();
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let Parsed { cli, effective, unknown_variables } = match config::parse::<Cli>(&arguments) {
        Ok(parsed) => parsed,
        Err(CommandLineError::Arguments(error)) => error.exit(),
        Err(CommandLineError::File(error)) => {
            term::error(&chain(&error));
            return ExitCode::FAILURE;
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            term::error(&format!("cannot start: {error}"));
            return ExitCode::FAILURE;
        }
    };
    // Unusable input ends with 2, so that scripts can distinguish it from failed tests (1).
    let on_error = match cli.command {
        Command::Plugin(_) => ExitCode::from(2),
        _ => ExitCode::FAILURE,
    };
    let result = runtime.block_on(run(cli.command, &effective, unknown_variables));
    // A blocking task (a compilation, a look-up that hangs) must not keep the process from ending.
    runtime.shutdown_background();
    match result {
        Ok(code) => code,
        Err(error) => {
            term::error(&chain(error.as_ref()));
            on_error
        }
    }
}

async fn run(command: Command, effective: &Effective, unknown: Vec<UnknownVariable>) -> CliResult {
    let is_about_settings = matches!(command, Command::Config(_));
    if !matches!(command, Command::Serve(_)) {
        let told = unknown.iter().filter(|variable| is_about_settings || variable.is_misspelled());
        told.for_each(|variable| term::warning(&variable.warning()));
    }
    match command {
        Command::Demo(args) => demo::run(args).await,
        Command::Serve(args) => serve::run(*args, &unknown).await,
        Command::Import(args) => import::run(*args).await,
        Command::Imports(command) => import::manage(command).await,
        Command::Export(args) => export::run(args).await,
        Command::Config(command) => config::run(command, effective),
        Command::Org(command) => org::run(command).await,
        Command::ApiKey(command) => api_key::run(command).await,
        Command::Key(command) => key::run(command).await,
        Command::Audit(command) => audit::run(command).await,
        Command::Openapi(args) => openapi::run(*args).await,
        Command::Plugin(command) => plugin::run(command).await,
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    /// Names that are used twice and the like are found by clap only when the very command runs.
    #[test]
    fn every_command_is_put_together_right() {
        Cli::command().debug_assert();
    }
}
