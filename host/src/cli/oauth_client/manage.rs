//! `keyferry oauth-client list`, `show`, `delete`.

use clap::Args;
use http::Method;
use serde_json::Value;

use super::client::{ClientArgs, OAUTH_CLIENTS};
use crate::cli::api_client::{ApiClient, ServerArgs};
use crate::cli::error::CliResult;
use crate::cli::exit::Exit;
use crate::cli::key_identity::explained;
use crate::cli::members::text;
use crate::cli::table::{Facts, Table, minute};
use crate::cli::term;

#[derive(Args)]
pub(in crate::cli) struct ListArgs {
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Args)]
pub(in crate::cli) struct ShowArgs {
    #[command(flatten)]
    client: ClientArgs,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Args)]
pub(in crate::cli) struct DeleteArgs {
    #[command(flatten)]
    client: ClientArgs,
    /// Do not ask. Without a terminal, nothing is asked.
    #[arg(long)]
    yes: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

pub(super) async fn list(ListArgs { json, server }: ListArgs) -> CliResult {
    let api = ApiClient::new(&server)?;
    let clients = match api.json(Method::GET, OAUTH_CLIENTS).await {
        Ok(clients) => clients,
        Err(error) => return Err(explained(&api, "admin", error).await),
    };
    if json {
        term::print_json(&clients)?;
        return Ok(Exit::Done);
    }
    let header = ["app", "name", "client id", "secret", "callback URL", "changed", "refused"];
    let mut table = Table::new(header).text(["callback URL"]).notes(["refused"]);
    for client in clients.as_array().into_iter().flatten() {
        table.add_row([
            text(client, "slug"),
            text(client, "name"),
            &id_end(client),
            secret(client),
            text(client, "callback_url"),
            minute(text(client, "updated_at")),
            &refusal(client),
        ]);
    }
    term::print(&table.to_string());
    Ok(Exit::Done)
}

pub(super) async fn show(ShowArgs { client, json, server }: ShowArgs) -> CliResult {
    let api = ApiClient::new(&server)?;
    let shown = match api.json(Method::GET, &client.path()).await {
        Ok(shown) => shown,
        Err(error) => return Err(explained(&api, "admin", error).await),
    };
    if json {
        term::print_json(&shown)?;
        return Ok(Exit::Done);
    }
    let facts = [
        ("app", text(&shown, "slug").to_owned()),
        ("name", text(&shown, "name").to_owned()),
        ("environment", text(&shown, "environment").to_owned()),
        ("client id", id_end(&shown)),
        ("secret", secret(&shown).to_owned()),
        ("callback URL", text(&shown, "callback_url").to_owned()),
        ("made", minute(text(&shown, "created_at")).to_owned()),
        ("changed", minute(text(&shown, "updated_at")).to_owned()),
        ("refused", refusal(&shown)),
    ];
    term::print(&Facts::new(facts).to_string());
    Ok(Exit::Done)
}

pub(super) async fn delete(DeleteArgs { client, yes, json, server }: DeleteArgs) -> CliResult {
    let api = ApiClient::new(&server)?;
    let (slug, name) = (&client.slug, &client.name);
    let question = format!("Delete OAuth client {name} of {slug}? Tokens that it renews are not renewed then.");
    if !yes && term::ask(&question) == Some(false) {
        return Err(format!("OAuth client {name} of {slug} is as it was").into());
    }
    let deleted = match api.json(Method::DELETE, &client.path()).await {
        Ok(deleted) => deleted,
        Err(error) => return Err(explained(&api, "admin", error).await),
    };
    if json {
        term::print_json(&deleted)?;
    } else {
        term::print(&format!("OAuth client {name} of {slug} is deleted"));
    }
    Ok(Exit::Done)
}

/// What of a client's id is shown.
fn id_end(client: &Value) -> String {
    match text(client, "client_id_ends_with") {
        "" => "***".to_owned(),
        end => format!("...{end}"),
    }
}

fn secret(client: &Value) -> &'static str {
    match client.get("has_client_secret").and_then(Value::as_bool) {
        Some(true) => "sealed",
        _ => "none",
    }
}

/// When the provider refused a client, and what it said; empty if it has not.
fn refusal(client: &Value) -> String {
    let Some(refused) = client.get("refused").filter(|refused| !refused.is_null()) else { return String::new() };
    format!("{}: {}", minute(text(refused, "at")), text(refused, "detail"))
}
