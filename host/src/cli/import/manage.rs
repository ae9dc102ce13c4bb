//! `keyferry imports`: commands for existing imports.

use std::io::Write as _;

use clap::{Args, Subcommand};
use http::Method;
use serde_json::Value;

use super::args::OutputArgs;
use super::follow::follow;
use super::interrupt::{continues, note, unless_interrupted};
use super::summary::{self, exit};
use crate::cli::api_client::{ApiClient, ServerArgs};
use crate::cli::config::whole_number;
use crate::cli::error::CliResult;
use crate::cli::exit::Exit;
use crate::cli::members::{number, text};
use crate::cli::stdout::stdout;
use crate::cli::table::{Table, minute};
use crate::cli::term;
use keyferry_store::ObjectId;

#[derive(Subcommand)]
pub(crate) enum ImportsCommand {
    /// Lists imports, newest first.
    #[command(after_help = "Examples:\n  keyferry imports list\n  keyferry imports list --json")]
    List(ListArgs),
    /// Shows an import's rows by app and outcome.
    #[command(after_help = "Examples:\n  keyferry imports show 6a1f0c3e9b2d4857a0c1e2f3")]
    Show(OneArgs),
    /// Follows an import until no work is left.
    #[command(after_help = "Examples:\n  keyferry imports watch 6a1f0c3e9b2d4857a0c1e2f3")]
    Watch(WatchArgs),
    /// Prints an import's ledger, one JSON object a row.
    #[command(after_help = "\
Examples:
  keyferry imports results 6a1f0c3e9b2d4857a0c1e2f3 --state failed
  keyferry imports results 6a1f0c3e9b2d4857a0c1e2f3 --warnings | jq .")]
    Results(ResultsArgs),
    /// Pauses an import until it is resumed.
    #[command(after_help = "Examples:\n  keyferry imports pause 6a1f0c3e9b2d4857a0c1e2f3")]
    Pause(OneArgs),
    /// Resumes an import that was paused or has stopped on its own.
    #[command(after_help = "Examples:\n  keyferry imports resume 6a1f0c3e9b2d4857a0c1e2f3")]
    Resume(OneArgs),
    /// Cancels an import. Rows that are not settled stay as they are.
    #[command(after_help = "Examples:\n  keyferry imports cancel 6a1f0c3e9b2d4857a0c1e2f3")]
    Cancel(OneArgs),
    /// Retries rows that failed for a temporary reason, never rejected ones.
    #[command(after_help = "Examples:\n  keyferry imports retry-failed 6a1f0c3e9b2d4857a0c1e2f3")]
    RetryFailed(OneArgs),
    /// Restores what each row replaced and removes what it created, unless it was changed since.
    #[command(after_help = "\
Examples:
  keyferry imports undo 6a1f0c3e9b2d4857a0c1e2f3
  keyferry imports undo 6a1f0c3e9b2d4857a0c1e2f3 --yes")]
    Undo(FinalArgs),
    /// Confirms an import: deletes its undo data.
    #[command(after_help = "Examples:\n  keyferry imports confirm 6a1f0c3e9b2d4857a0c1e2f3")]
    Confirm(FinalArgs),
    /// Deletes an import and its ledger. Stored credentials stay.
    #[command(after_help = "Examples:\n  keyferry imports delete 6a1f0c3e9b2d4857a0c1e2f3")]
    Delete(FinalArgs),
}

#[derive(Args)]
pub(crate) struct ListArgs {
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Args)]
pub(crate) struct OneArgs {
    /// The import's id.
    id: ObjectId,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

/// The arguments of a command whose effect cannot be taken back.
#[derive(Args)]
pub(crate) struct FinalArgs {
    /// Do not ask. Without a terminal, nothing is asked.
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    one: OneArgs,
}

#[derive(Args)]
pub(crate) struct WatchArgs {
    /// The import's id.
    id: ObjectId,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Args)]
pub(crate) struct ResultsArgs {
    /// The import's id.
    id: ObjectId,
    /// Only rows in this state.
    #[arg(long, value_name = "STATE", value_parser = ["queued", "done", "skipped", "failed", "undone", "kept"])]
    state: Option<String>,
    /// Only rows that have warnings.
    #[arg(long)]
    warnings: bool,
    /// Only rows after this one.
    #[arg(long, value_name = "ROW", default_value_t = 0, value_parser = whole_number::<u64>)]
    after: u64,
    /// JSON, one object a line, is printed with this flag and without it.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

pub(crate) async fn run(command: ImportsCommand) -> CliResult {
    match command {
        ImportsCommand::List(args) => list(args).await,
        ImportsCommand::Show(args) => one(args, Method::GET, "").await,
        ImportsCommand::Watch(WatchArgs { id, output, server }) => {
            let client = ApiClient::new(&server)?;
            let import = client.json(Method::GET, &path(id, "")).await?;
            let Some(ended) = unless_interrupted(follow(&client, &import, output)).await else {
                note(output, &continues(&id.to_string(), &server));
                return Ok(Exit::Interrupted);
            };
            let ended = ended?;
            if !output.json {
                summary::print(&ended);
            }
            Ok(exit(&ended))
        }
        ImportsCommand::Results(args) => results(args).await,
        ImportsCommand::Pause(args) => one(args, Method::POST, "/pause").await,
        ImportsCommand::Resume(args) => one(args, Method::POST, "/resume").await,
        ImportsCommand::Cancel(args) => one(args, Method::POST, "/cancel").await,
        ImportsCommand::RetryFailed(args) => one(args, Method::POST, "/retry-failed").await,
        ImportsCommand::Undo(args) => {
            let effect = "What its rows replaced is restored, what they created is removed";
            once_sure(args, "Undo", effect, Method::POST, "/undo").await
        }
        ImportsCommand::Confirm(args) => {
            let effect = "Its undo data is deleted, so it cannot be undone any more";
            once_sure(args, "Confirm", effect, Method::POST, "/confirm").await
        }
        ImportsCommand::Delete(args) => {
            let effect = "Its ledger and undo data are deleted; stored credentials stay";
            once_sure(args, "Delete", effect, Method::DELETE, "").await
        }
    }
}

fn path(id: ObjectId, rest: &str) -> String {
    format!("/api/v2/public/imports/{id}{rest}")
}

/// Does something that cannot be taken back, once the person at the terminal agrees.
async fn once_sure(args: FinalArgs, verb: &str, effect: &str, method: Method, rest: &str) -> CliResult {
    let id = args.one.id;
    if !args.yes && term::is_interactive() {
        let import = ApiClient::new(&args.one.server)?.json(Method::GET, &path(id, "")).await?;
        let (rows, state) = (number(&import, "rows"), text(&import, "state"));
        let file = Some(text(&import, "file")).filter(|file| !file.is_empty()).map(|file| format!("{file}, "));
        let file = file.unwrap_or_default();
        if term::ask(&format!("{verb} import {id} ({file}{rows} rows, {state})? {effect}.")) == Some(false) {
            return Err(format!("import {id} is as it was").into());
        }
    }
    one(args.one, method, rest).await
}

async fn one(OneArgs { id, json, server }: OneArgs, method: Method, rest: &str) -> CliResult {
    let deleted = method == Method::DELETE;
    let import = ApiClient::new(&server)?.json(method, &path(id, rest)).await?;
    if json {
        term::print_json(&import)?;
    } else if deleted {
        term::print(&format!("import {id} is deleted; stored credentials stay"));
    } else {
        summary::print(&import);
        if matches!(text(&import, "state"), "running" | "undoing") {
            term::progress(&format!("next: keyferry imports watch {id}"));
        }
    }
    Ok(Exit::Done)
}

async fn list(ListArgs { json, server }: ListArgs) -> CliResult {
    let listed = ApiClient::new(&server)?.json(Method::GET, "/api/v2/public/imports").await?;
    let imports = listed.get("imports").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if json {
        term::print_json(imports)?;
        return Ok(Exit::Done);
    }
    let header = ["import", "file", "rows", "state", "begun", "undo"];
    let mut table = Table::new(header).text(["file", "rows", "state", "begun"]);
    for import in imports {
        table.add_row([
            text(import, "id").to_owned(),
            Some(text(import, "file")).filter(|file| !file.is_empty()).unwrap_or("-").to_owned(),
            summary::rows(import),
            summary::state(import),
            // In two lines where it has to be narrow.
            minute(text(import, "created_at")).replace('T', " "),
            match text(import, "restore") {
                _ if summary::is_dry_run(import) => "-",
                "possible" => "yes",
                _ => "no",
            }
            .to_owned(),
        ]);
    }
    term::print(&table.to_string());
    Ok(Exit::Done)
}

async fn results(ResultsArgs { id, state, warnings, after, json: _, server }: ResultsArgs) -> CliResult {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("after", &after.to_string());
    if let Some(state) = &state {
        query.append_pair("state", state);
    }
    if warnings {
        query.append_pair("warnings", "true");
    }
    let path = path(id, &format!("/results?{}", query.finish()));
    let mut response = ApiClient::new(&server)?.send(Method::GET, &path).await?.error_for_status().await?;
    let mut out = stdout();
    while let Some(data) = response.chunk().await? {
        // The reader has closed the pipe (`| head`).
        if out.write_all(&data).is_err() {
            break;
        }
    }
    Ok(Exit::Done)
}
