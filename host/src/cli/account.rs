//! `keyferry account list` and `show`.

use std::io::Write as _;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand};
use comfy_table::{Cell, Color};
use serde_json::Value;

use super::api_client::{ApiClient, ServerArgs};
use super::error::{CliError, CliResult};
use super::exit::Exit;
use super::json_list::JsonList;
use super::key_identity::explained;
use super::linked_accounts::{Account, Integration, Pages, fetch, state};
use super::stdout::stdout;
use super::table::{Facts, Table, minute};
use super::term;

#[derive(Subcommand)]
pub(super) enum AccountCommand {
    /// Lists linked accounts with the apps that are connected to them, newest first.
    #[command(after_help = "\
Examples:
  keyferry account list
  keyferry account list --search jane
  keyferry account list --json | jq -r '.[].account_id'")]
    List(ListArgs),
    /// Shows a linked account and the state of each of its credentials.
    #[command(after_help = "Examples:\n  keyferry account show user_1\n  keyferry account show user_1 --json")]
    Show(ShowArgs),
}

#[derive(Args)]
pub(super) struct ListArgs {
    /// Only accounts whose id or name contains this, upper and lower case alike.
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Args)]
pub(super) struct ShowArgs {
    /// Your own id of the linked account.
    #[arg(value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    account: String,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

pub(super) async fn run(command: AccountCommand) -> CliResult {
    let (client, done) = match command {
        AccountCommand::List(ListArgs { search, json, server }) => {
            let client = ApiClient::new(&server)?;
            let done = list(&client, search, json).await;
            (client, done)
        }
        AccountCommand::Show(ShowArgs { account, json, server }) => {
            let client = ApiClient::new(&server)?;
            let done = show(&client, &account, json).await;
            (client, done)
        }
    };
    match done {
        Ok(()) => Ok(Exit::Done),
        Err(error) => Err(explained(&client, "read", error).await),
    }
}

/// Prints each page before it reads the next one: there can be more accounts than fit into memory.
async fn list(client: &ApiClient, search: Option<String>, json: bool) -> Result<(), CliError> {
    let mut pages = Pages::new(client, search.clone());
    let mut array = JsonList::default();
    let mut is_first = true;
    loop {
        let accounts = pages.next().await?;
        let is_end = accounts.is_empty();
        let mut out = stdout();
        let written = match (json, is_end) {
            (true, true) => array.end(&mut out),
            (true, false) => accounts.iter().try_for_each(|account| array.item(&mut out, account)),
            (false, _) if is_end && !is_first => Ok(()),
            (false, _) => writeln!(out, "{}", table(accounts)?.continuing(!is_first)),
        };
        // The reader has closed the pipe (`| head`).
        if written.is_err() {
            return Ok(());
        }
        if is_end {
            break;
        }
        is_first = false;
    }
    if let (true, false, Some(search)) = (is_first, json, search) {
        term::progress(&format!("no linked account has `{search}` in its id or name"));
    }
    Ok(())
}

fn table(accounts: Vec<Value>) -> Result<Table, CliError> {
    let mut table = Table::new(["account", "name", "apps", "made"]).text(["name", "apps"]);
    for account in accounts {
        let account: Account = serde_json::from_value(account)?;
        let app = |integration: &Integration| match state(integration.reauth_required, &integration.outcome) {
            "verified" => integration.slug.clone(),
            state => format!("{} ({state})", integration.slug),
        };
        table.add_row([
            account.account_id.clone(),
            account.name.unwrap_or_default(),
            account.integrations.iter().map(app).collect::<Vec<_>>().join(", "),
            minute(&account.created_at).to_owned(),
        ]);
    }
    Ok(table)
}

async fn show(client: &ApiClient, account: &str, json: bool) -> Result<(), CliError> {
    let found = fetch(client, account).await?;
    if json {
        term::print_json(&found)?;
        return Ok(());
    }
    let Account { account_id, name, environment, udf, integrations, created_at } = serde_json::from_value(found)?;
    let udf: Vec<_> = udf.iter().map(|field| format!("{}={}", field.key_name, field.key_value)).collect();
    let facts = [
        ("account", account_id),
        ("name", name.unwrap_or_default()),
        ("environment", environment),
        ("fields", udf.join(", ")),
        ("made", minute(&created_at).to_owned()),
        ("apps", if integrations.is_empty() { "none is connected".to_owned() } else { String::new() }),
    ];
    term::print(&Facts::new(facts).to_string());
    if !integrations.is_empty() {
        term::print("");
        term::print(&integrations_table(&integrations).to_string());
    }
    Ok(())
}

fn integrations_table(integrations: &[Integration]) -> Table {
    let header = ["app", "auth type", "state", "verified", "ends", "last check", "provider account", "why"];
    let mut table = Table::new(header).text(["last check", "provider account"]).notes(["why"]);
    for integration in integrations {
        let state = state(integration.reauth_required, &integration.outcome);
        let color = match state {
            "verified" => Color::Green,
            "expired" => Color::Red,
            _ => Color::Yellow,
        };
        let check = integration.last_check.as_ref();
        let last = check.map(|check| format!("{} {}", minute(&check.checked_at), check.outcome));
        let why = check.and_then(|check| check.detail.clone()).or_else(|| integration.outcome_reason.clone());
        let why: Vec<_> = why.into_iter().chain(integration.warnings.iter().cloned()).collect();
        table.add_row([
            Cell::new(&integration.slug),
            Cell::new(&integration.auth_type),
            Cell::new(state).fg(color),
            Cell::new(integration.verified_at.as_deref().map_or("-", minute)),
            Cell::new(integration.expires_at.as_deref().map_or("-", minute)),
            Cell::new(last.as_deref().unwrap_or("-")),
            Cell::new(&integration.identifier),
            Cell::new(why.join("; ")),
        ]);
    }
    table
}
