//! The command line as clap parses it, and the function that runs each command.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use super::config::{self, CommandLineError, ConfigCommand, Effective, Parsed, ServeArgs, UnknownVariable};
use super::error::{CliResult, chain};
use super::exit::Exit;
use super::{
    account, api_key, audit, backup, credentials, demo, export, import, key, mock_provider, oauth_client, openapi, org,
    plugin, serve, stdout, store, term, verify, webhook, whoami,
};

/// Puts credentials a team already holds, proven to work and encrypted, onto linked accounts.
#[derive(Parser)]
#[command(name = "keyferry", version, max_term_width = 120, after_help = Exit::help())]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Subcommand)]
pub(super) enum Command {
    /// Runs a complete migration against mock providers, shows it, and keeps serving.
    #[command(after_help = "Examples:\n  keyferry demo\n  keyferry demo --once")]
    Demo(demo::DemoArgs),
    /// Runs mock providers of apps, and prints how a server reaches them and which credentials they know.
    #[command(after_help = "\
Examples:
  keyferry mock-provider hubspot stripe
  keyferry mock-provider --latency 200ms --outage stripe --sample sample.csv
  keyferry mock-provider . --tokens staging.csv")]
    MockProvider(mock_provider::MockProviderArgs),
    /// Runs the server.
    #[command(after_help = "\
Examples:
  keyferry serve --dev
  keyferry serve --listen 0.0.0.0:8700 --tls-cert cert.pem --tls-key key.pem
  keyferry serve --config /etc/keyferry.toml")]
    Serve(Box<ServeArgs>),
    /// Shows the effective settings, or an example settings file.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Imports credentials from files onto a running server's linked accounts. Ends with 3 if rows failed, 4 if the import
    /// stopped.
    #[command(after_help = "\
Examples:
  keyferry import --dry-run --create-accounts customers.csv
  keyferry import --map customer=linked_account_id --map slug:=hubspot customers.csv
  keyferry import --from nango --max-failures 5% connections.json")]
    Import(Box<import::ImportArgs>),
    /// Shows imports and changes their state.
    #[command(subcommand)]
    Imports(import::ImportsCommand),
    /// Writes all credentials of an environment into an encrypted file, which `import` reads on another server.
    #[command(after_help = "\
Examples:
  keyferry export --recipient age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p -o all.age")]
    Export(export::ExportArgs),
    /// Shows the server, and what the API key stands for: organisation, environment, scopes, end.
    #[command(after_help = "Examples:\n  keyferry whoami\n  keyferry whoami --json | jq -r .org")]
    Whoami(whoami::WhoamiArgs),
    /// Lists and shows linked accounts.
    #[command(subcommand)]
    Account(account::AccountCommand),
    /// Shows stored credentials.
    #[command(subcommand)]
    Credentials(credentials::CredentialsCommand),
    /// Has stored credentials verified by their providers. Ends with 3 if some do not work, 4 if some could not be verified.
    #[command(after_help = "\
Examples:
  keyferry verify user_1
  keyferry verify user_1 hubspot
  keyferry verify --app hubspot --only-failed
  keyferry verify --all --json > verified.json")]
    Verify(verify::VerifyArgs),
    /// Lists and deletes webhooks, and receives their deliveries on this machine.
    #[command(subcommand)]
    Webhook(webhook::WebhookCommand),
    /// Stores, lists, shows and deletes OAuth clients: your app registrations at providers.
    #[command(subcommand)]
    OauthClient(oauth_client::OAuthClientCommand),
    /// Lists the organisations.
    #[command(subcommand)]
    Org(org::OrgCommand),
    /// Creates, lists and revokes API keys.
    #[command(subcommand)]
    ApiKey(api_key::ApiKeyCommand),
    /// Manages the root keys that credentials are sealed under.
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// Writes all that is stored into a file, while the server serves; or checks such a file.
    #[command(after_help = "\
Examples:
  keyferry backup /backup/monday.kfb
  keyferry backup --verify /backup/monday.kfb
  keyferry backup --recipient age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p - | ssh backup 'cat > monday.kfb.age'")]
    Backup(Box<backup::BackupArgs>),
    /// Restores a backup into an empty store of either kind.
    #[command(after_help = "\
Examples:
  keyferry restore --data /srv/keyferry --key-file /run/secrets/keyferry.key /backup/monday.kfb
  keyferry restore --store postgres://keyferry@db.example.com/keyferry /backup/monday.kfb")]
    Restore(Box<backup::RestoreArgs>),
    /// Prepares the database of a store that is not in the data folder, and copies stores.
    #[command(subcommand)]
    Store(store::StoreCommand),
    /// Verifies and exports the audit trail.
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Prints the API that `serve` with the same settings has, as an OpenAPI 3.1 document.
    #[command(after_help = "\
Examples:
  keyferry openapi > openapi.json
  keyferry openapi --config /etc/keyferry.toml")]
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
            return Exit::Failed.into();
        }
        Err(CommandLineError::FileLoggedAsJson(error)) => {
            serve::log_as_json(&chain(&error));
            return Exit::Failed.into();
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            term::error(&format!("cannot start: {error}"));
            return Exit::Failed.into();
        }
    };
    // So that scripts can distinguish unusable input from failed tests.
    let on_error = match cli.command {
        Command::Plugin(_) => Exit::Unusable,
        _ => Exit::Failed,
    };
    let result = runtime.block_on(run(cli.command, &effective, unknown_variables));
    // A blocking task (a compilation, a look-up that hangs) must not keep the process from ending.
    runtime.shutdown_background();
    let exit = result.unwrap_or_else(|error| {
        term::error(&chain(error.as_ref()));
        on_error
    });
    if let Some(error) = stdout::failure() {
        term::error(&format!("the result was not written to standard output completely: {error}"));
        return Exit::Failed.into();
    }
    exit.into()
}

async fn run(command: Command, effective: &Effective, unknown: Vec<UnknownVariable>) -> CliResult {
    let is_about_settings = matches!(command, Command::Config(_));
    if !matches!(command, Command::Serve(_)) {
        let told = unknown.iter().filter(|variable| is_about_settings || variable.is_misspelled());
        told.for_each(|variable| term::warning(&variable.warning()));
    }
    match command {
        Command::Demo(args) => demo::run(args).await,
        Command::MockProvider(args) => mock_provider::run(args).await,
        Command::Serve(args) => serve::run(*args, &unknown).await,
        Command::Import(args) => import::run(*args).await,
        Command::Imports(command) => import::manage(command).await,
        Command::Export(args) => export::run(args).await,
        Command::Webhook(command) => webhook::run(command).await,
        Command::OauthClient(command) => oauth_client::run(command).await,
        Command::Config(command) => config::run(command, effective),
        Command::Whoami(args) => whoami::run(args).await,
        Command::Account(command) => account::run(command).await,
        Command::Credentials(command) => credentials::run(command).await,
        Command::Verify(args) => verify::run(args).await,
        Command::Org(command) => org::run(command).await,
        Command::ApiKey(command) => api_key::run(command).await,
        Command::Key(command) => key::run(command).await,
        Command::Backup(args) => backup::backup(*args).await,
        Command::Restore(args) => backup::restore(*args).await,
        Command::Store(command) => store::run(command).await,
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
