//! `keyferry webhook list`, `delete`.

use clap::Args;
use http::Method;
use serde_json::Value;

use super::registration::WEBHOOKS;
use crate::cli::api_client::{ApiClient, ServerArgs};
use crate::cli::error::CliResult;
use crate::cli::exit::Exit;
use crate::cli::members::text;
use crate::cli::table::{Table, minute};
use crate::cli::term;
use keyferry_store::ObjectId;

#[derive(Args)]
pub(in crate::cli) struct ListArgs {
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Args)]
pub(in crate::cli) struct DeleteArgs {
    /// The webhook's id.
    id: ObjectId,
    /// Do not ask. Without a terminal, nothing is asked.
    #[arg(long)]
    yes: bool,
    /// Print JSON: the webhooks that remain.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

pub(super) async fn list(ListArgs { json, server }: ListArgs) -> CliResult {
    let webhooks = ApiClient::new(&server)?.json(Method::GET, WEBHOOKS).await?;
    if json {
        term::print_json(&webhooks)?;
        return Ok(Exit::Done);
    }
    let header = ["webhook", "url", "events", "app", "state", "made", "description"];
    let mut table = Table::new(header).text(["url", "events"]).notes(["description"]);
    for webhook in webhooks.as_array().into_iter().flatten() {
        let events = webhook.get("webhook_events").and_then(Value::as_array).into_iter().flatten();
        let events: Vec<_> = events.filter_map(Value::as_str).collect();
        let is_enabled = webhook.get("is_enabled").and_then(Value::as_bool).unwrap_or_default();
        table.add_row([
            text(webhook, "_id"),
            text(webhook, "webhook_url"),
            &events.join(", "),
            Some(text(webhook, "slug")).filter(|slug| !slug.is_empty()).unwrap_or("all"),
            if is_enabled { "enabled" } else { "disabled" },
            minute(text(webhook, "createdAt")),
            text(webhook, "webhook_description"),
        ]);
    }
    term::print(&table.to_string());
    Ok(Exit::Done)
}

pub(super) async fn delete(DeleteArgs { id, yes, json, server }: DeleteArgs) -> CliResult {
    let client = ApiClient::new(&server)?;
    let path = format!("{WEBHOOKS}/{id}");
    if !yes && term::is_interactive() {
        let webhook = client.json(Method::GET, &path).await?;
        let url = text(&webhook, "webhook_url");
        if term::ask(&format!("Delete webhook {id} ({url})? Its waiting deliveries are deleted too.")) == Some(false) {
            return Err(format!("webhook {id} is as it was").into());
        }
    }
    let remaining = client.json(Method::DELETE, &path).await?;
    if json {
        term::print_json(&remaining)?;
    } else {
        term::print(&format!("webhook {id} is deleted"));
    }
    Ok(Exit::Done)
}
