//! `keyferry import` and `keyferry imports`: bulk imports on a running server, over HTTP.
//!
//! | file | answers |
//! |---|---|
//! | `source` | what is read of it? |
//! | `upload` | how does a file get to the server? |
//! | `follow` | how does a person see what becomes of it? |
//! | `failures` | how are rows that failed written down, ready to be corrected? |
//! | `summary` | what is shown at the end? |
//! | `manage` | `keyferry imports`: what can be done with those that are there? |

mod failures;
mod follow;
mod manage;
mod source;
mod summary;
mod upload;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use super::client::{Server, ServerArgs};
use super::{CliError, CliResult, term};
use crate::jobs::input::{Mapping, Preset, ReadOptions};
use crate::store::{AccountChange, MaxFailures, OnExisting, OnUnverified};

use source::Identities;

pub(super) use manage::{ImportsCommand, run as manage};

/// Some rows failed.
pub(super) const SOME_FAILED: u8 = 3;
/// It stopped before its end: by itself, or because somebody stopped it.
pub(super) const STOPPED: u8 = 4;

#[derive(Args)]
pub(super) struct ImportArgs {
    /// Files: NDJSON, a JSON array or CSV, as they are or packed by gzip or zstd. `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Whose export they are: native, nango, composio, airbyte, n8n, pipedream or csv-flat.
    #[arg(long, value_name = "PRESET", default_value_t = Preset::Native)]
    from: Preset,

    /// What the files call things, and what they are called here: `customer=linked_account_id`, or a file with such rules.
    /// Repeatable.
    #[arg(long, value_name = "RULE|FILE")]
    map: Vec<String>,

    /// Verify each credential and store none.
    #[arg(long)]
    dry_run: bool,

    /// What is done with a credential that could not be verified though nothing says that it is bad: reject or store.
    #[arg(long, value_name = "WHAT", default_value_t)]
    on_unverified: OnUnverified,

    /// What is done where the account has a credential for the app: update, skip, or newer (update if the row says by
    /// `updated_at` that its own is newer).
    #[arg(long, value_name = "WHAT", default_value_t)]
    on_existing: OnExisting,

    /// Create accounts that are not there. Otherwise their rows fail.
    #[arg(long)]
    create_accounts: bool,

    /// What is done where a credential turns out to be another account's than the stored one: reject or replace.
    #[arg(long, value_name = "WHAT", default_value_t)]
    account_change: AccountChange,

    /// Stop when so many rows have failed: a number, or a share of all rows such as `5%`.
    #[arg(long, value_name = "N|P%")]
    max_failures: Option<MaxFailures>,

    /// Import files again that were imported before.
    #[arg(long)]
    again: bool,

    /// Do not wait for the end.
    #[arg(long)]
    detach: bool,

    /// Where failed rows go, ready to be corrected and imported again [default: FILE.failures.csv].
    #[arg(long, value_name = "FILE")]
    failures: Option<PathBuf>,

    /// A file with keys of age, to open files that `export` or age has encrypted. Repeatable.
    #[arg(long, value_name = "FILE")]
    identity: Vec<PathBuf>,

    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    server: ServerArgs,
}

/// How progress is told.
#[derive(Args, Clone, Copy)]
pub(super) struct OutputArgs {
    /// Events for programs, one JSON object a line, on stdout.
    #[arg(long)]
    json: bool,

    /// What is shown meanwhile.
    #[arg(long, value_name = "HOW", default_value = "auto")]
    progress: ProgressKind,
}

/// What is shown meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ProgressKind {
    /// A bar on a terminal, else lines.
    Auto,
    /// A bar.
    Bar,
    /// A line now and then.
    Lines,
    /// Nothing.
    None,
}

pub(super) async fn run(args: ImportArgs) -> CliResult {
    let mapping = mapping(&args.map)?;
    if args.failures.is_some() && args.files.len() > 1 {
        return Err("--failures names one file, and there are several to import: import them one by one".into());
    }
    let server = Server::open(&args.server)?;
    let reading = ReadOptions { preset: args.from, mapping: mapping.parse()?, ..ReadOptions::default() };
    let identities = Identities::new(args.identity.clone());
    let mut worst = 0;
    for file in &args.files {
        let source = source::open(file, &identities)?;
        let import = upload::upload(&server, file, source, &query(&args, file, &mapping), args.output).await?;
        if args.detach {
            term::progress(&format!("next: keyferry imports watch {}", follow::text(&import, "id")));
            continue;
        }
        let ended = follow::follow(&server, &import, args.output).await?;
        let failures = failures::write(&server, &ended, file, &identities, args.failures.as_deref(), &reading).await?;
        if !args.output.json {
            summary::print(&ended);
            if let Some(path) = failures {
                term::progress(&format!("failed rows are in {}: correct and import them", path.display()));
            }
        }
        worst = worst.max(exit_code(&ended));
    }
    Ok(ExitCode::from(worst))
}

/// What the server is told of how to read the file and deal with its rows.
fn query(args: &ImportArgs, file: &std::path::Path, mapping: &str) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("from", args.from.as_str());
    if !mapping.is_empty() {
        query.append_pair("map", mapping);
    }
    if let Some(name) = file.file_name().and_then(|name| name.to_str()).filter(|name| *name != "-") {
        query.append_pair("file", name);
    }
    query.append_pair("dry_run", flag(args.dry_run));
    query.append_pair("on_unverified", args.on_unverified.as_str());
    query.append_pair("on_existing", args.on_existing.as_str());
    query.append_pair("create_accounts", flag(args.create_accounts));
    query.append_pair("account_change", args.account_change.as_str());
    if let Some(most) = args.max_failures {
        query.append_pair("max_failures", &most.to_string());
    }
    query.append_pair("again", flag(args.again));
    query.finish()
}

fn flag(set: bool) -> &'static str {
    if set { "true" } else { "false" }
}

/// Rules one a line, those of files among them.
fn mapping(given: &[String]) -> Result<String, CliError> {
    let mut rules = Vec::new();
    for one in given {
        let path = std::path::Path::new(one);
        if path.is_file() {
            let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
            let _checked: Mapping = text.parse().map_err(|error| format!("{}: {error}", path.display()))?;
            if given.len() == 1 {
                return Ok(text);
            }
            if toml::from_str::<toml::Table>(&text).is_ok_and(|table| table.values().any(toml::Value::is_table)) {
                return Err(format!("{}: a map in TOML stands by itself, without further --map", path.display()).into());
            }
            rules.push(text);
        } else if one.contains('=') {
            rules.push(one.clone());
        } else {
            return Err(format!("--map {one}: there is no such file, and it is no rule such as `customer=slug`").into());
        }
    }
    Ok(rules.join("\n"))
}

/// 0 where all is well, else what the worst was.
fn exit_code(import: &serde_json::Value) -> u8 {
    match (follow::text(import, "state"), follow::count(import, "failed")) {
        ("finished" | "undone", 0) => 0,
        ("finished" | "undone", _) => SOME_FAILED,
        _ => STOPPED,
    }
}
