//! `keyferry api-key create`, `list`, `revoke`.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use comfy_table::{Cell, Color};

use super::config::FolderArgs;
use super::error::CliResult;
use super::operator::{Needs, perform};
use super::table::{Table, minute};
use super::term;
use keyferry_api::admin::{ApiKeyState, CreateApiKey, ListApiKeys, RevokeApiKey, ShownApiKey};
use keyferry_store::Scope;
use keyferry_types::ids::{Environment, OrgId};

#[derive(Subcommand)]
pub(super) enum ApiKeyCommand {
    /// Creates an API key and prints it. It is shown only once.
    Create(CreateArgs),
    /// Lists an organisation's API keys with scopes and last use.
    List(ListArgs),
    /// Revokes an API key: later requests with it are refused.
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
    #[command(flatten)]
    folders: FolderArgs,
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
    folders: FolderArgs,
}

#[derive(Args)]
pub(super) struct RevokeArgs {
    /// How the key begins, as `list` shows it, or its id.
    key: String,
    /// The organisation.
    #[arg(long)]
    org: OrgId,
    #[command(flatten)]
    folders: FolderArgs,
}

pub(super) async fn run(command: ApiKeyCommand) -> CliResult {
    match command {
        ApiKeyCommand::Create(CreateArgs { org, environment, label, mut scopes, days, folders }) => {
            scopes.sort();
            scopes.dedup();
            let operation = CreateApiKey { org, environment, label, scopes, days };
            term::print(&perform(folders, Needs::NewStoreAndVault, operation).await?.key);
        }
        ApiKeyCommand::List(ListArgs { org, json, folders }) => {
            let keys = perform(folders, Needs::StoreAndVault, ListApiKeys { org }).await?;
            if json {
                term::print(&serde_json::to_string_pretty(&keys)?);
            } else {
                term::print(&table(&keys).to_string());
            }
        }
        ApiKeyCommand::Revoke(RevokeArgs { key, org, folders }) => {
            let revoked = perform(folders, Needs::StoreAndVault, RevokeApiKey { org, key }).await?;
            let since = revoked.revoked_at.as_deref().unwrap_or_default();
            term::print(&format!("revoked {} ({}) since {since}", revoked.shown, revoked.id));
        }
    }
    Ok(ExitCode::SUCCESS)
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
