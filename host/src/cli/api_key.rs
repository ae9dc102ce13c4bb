//! `keyferry api-key create`, `list`, `revoke`.

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand};
use comfy_table::{Cell, Color};

use super::config::OperatorArgs;
use super::error::CliResult;
use super::exit::Exit;
use super::operator::{Needs, perform};
use super::table::{Table, minute};
use super::term;
use keyferry_api::admin::{ApiKeyState, CreateApiKey, ListApiKeys, RevokeApiKey, ShownApiKey};
use keyferry_store::Scope;
use keyferry_types::ids::{Environment, OrgId};

#[derive(Subcommand)]
pub(super) enum ApiKeyCommand {
    /// Creates an API key and prints it. It is shown only once.
    #[command(after_help = "\
Examples:
  keyferry api-key create --org acme --environment test
  keyferry api-key create --org acme --environment production --scope read --days 90 --label dashboards")]
    Create(CreateArgs),
    /// Lists an organisation's API keys with scopes and last use.
    #[command(after_help = "Examples:\n  keyferry api-key list --org acme")]
    List(ListArgs),
    /// Revokes an API key: later requests with it are refused.
    #[command(after_help = "Examples:\n  keyferry api-key revoke --org acme kf_test_3aX9")]
    Revoke(RevokeArgs),
}

#[derive(Args)]
pub(super) struct CreateArgs {
    /// The organisation of the key; created with its first key.
    #[arg(long)]
    org: OrgId,
    /// The environment: `test` or `production`.
    #[arg(long)]
    environment: Environment,
    /// A description of the key's use.
    #[arg(long, default_value = "")]
    label: String,
    /// The scopes: `migrate`, `read`, `read_credentials`, `admin`. Separate several by commas.
    #[arg(long = "scope", value_name = "SCOPE", value_delimiter = ',', default_values = ["migrate", "read", "admin"])]
    scopes: Vec<Scope>,
    /// Days until the key expires [default: no expiry].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=36_500))]
    days: Option<u32>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    folders: OperatorArgs,
}

#[derive(Args)]
pub(super) struct ListArgs {
    /// The organisation.
    #[arg(long)]
    org: OrgId,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    folders: OperatorArgs,
}

#[derive(Args)]
pub(super) struct RevokeArgs {
    /// How the key begins, as `list` shows it, or its id.
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    key: String,
    /// The organisation.
    #[arg(long)]
    org: OrgId,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    folders: OperatorArgs,
}

pub(super) async fn run(command: ApiKeyCommand) -> CliResult {
    match command {
        ApiKeyCommand::Create(CreateArgs { org, environment, label, mut scopes, days, json, folders }) => {
            scopes.sort();
            scopes.dedup();
            let operation = CreateApiKey { org, environment, label, scopes, days };
            let created = perform(folders, Needs::NewStoreAndVault, operation).await?;
            if json {
                term::print_json(&created)?;
            } else {
                term::print(&created.key);
            }
        }
        ApiKeyCommand::List(ListArgs { org, json, folders }) => {
            let keys = perform(folders, Needs::StoreAndVault, ListApiKeys { org }).await?;
            if json {
                term::print_json(&keys)?;
            } else {
                term::print(&table(&keys).to_string());
            }
        }
        ApiKeyCommand::Revoke(RevokeArgs { key, org, json, folders }) => {
            let revoked = perform(folders, Needs::StoreAndVault, RevokeApiKey { org, key }).await?;
            if json {
                term::print_json(&revoked)?;
            } else {
                let since = revoked.revoked_at.as_deref().unwrap_or_default();
                term::print(&format!("revoked {} ({}) since {since}", revoked.shown, revoked.id));
            }
        }
    }
    Ok(Exit::Done)
}

fn table(keys: &[ShownApiKey]) -> Table {
    let header = ["id", "key", "label", "environment", "scopes", "state", "made", "ends", "last used"];
    let mut table = Table::new(header).text(["label", "scopes"]);
    for key in keys {
        let (state, color) = match key.state {
            ApiKeyState::Live => ("live", Color::Green),
            ApiKeyState::Expired => ("expired", Color::Yellow),
            ApiKeyState::Revoked => ("revoked", Color::Red),
        };
        let scopes = key.scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(", ");
        table.add_row([
            Cell::new(&key.id),
            Cell::new(format!("{}...", key.shown)),
            Cell::new(&key.label),
            Cell::new(key.environment),
            Cell::new(scopes),
            Cell::new(state).fg(color),
            Cell::new(minute(&key.created_at)),
            Cell::new(key.expires_at.as_deref().map_or("-", minute)),
            Cell::new(key.last_used_at.as_deref().map_or("-", minute)),
        ]);
    }
    table
}
