//! `keyferry import` and `keyferry imports`: bulk imports on a running server, over HTTP.
//!
//! | file | answers |
//! |---|---|
//! | `source` | what is read of it? |
//! | `upload` | how does a file get to the server? |
//! | `follow` | how does a person see what becomes of it? |
//! | `failures` | how are rows that failed written down, ready to be corrected? |
//! | `summary`, `waiting` | what is shown at the end? of rows that wait? |
//! | `manage` | `keyferry imports`: what can be done with those that are there? |

mod failures;
mod follow;
mod manage;
mod source;
mod summary;
mod upload;
mod waiting;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use http::Method;

use super::client::{Server, ServerArgs};
use super::{CliError, CliResult, term};
use keyferry_imports::input::{Mapping, Preset, ReadOptions, secret_default, shell_path};
use keyferry_store::{AccountChange, MaxFailures, OnExisting, OnUnverified};
use keyferry_types::bounded_file::{self, SMALL};
use keyferry_types::path_text::ShowPath as _;

use failures::Written;
use source::Identities;
use upload::Again;

pub(super) use manage::{ImportsCommand, run as manage};

/// The import ended and some rows failed.
pub(super) const SOME_FAILED: u8 = 3;
/// The import stopped before its end: on its own, or by request.
pub(super) const STOPPED: u8 = 4;
/// SIGINT ended the command (128 + 2). The import continues on the server.
const INTERRUPTED: u8 = 130;

/// The language of `--map`.
const MAP_HELP: &str = "\
Names in the files and their names here: a rule, or a file with one rule a line or in TOML. Repeatable.

  customer=linked_account_id  the column `customer` holds the linked account; so for slug, auth_type, auth_object, account_name, updated_at
  key=api_key                 the column `key` holds the field `api_key` of the credential
  hubspot/key=access_token    in rows of hubspot it holds the field `access_token`
  comment=                    the column is not read
  slug:hubspot-prod=hubspot   the app that the file calls `hubspot-prod` is hubspot
  auth_type:apikey=keybased   the auth type that the file calls `apikey` is keybased
  slug:=hubspot               rows that name no app are of hubspot; so for auth_type:=, account_name:=, linked_account_id:=
  region:=eu                  the field `region` where a row has none, in rows of apps with such a field
  datadog/site:=datadoghq.eu  the same in rows of datadog; so for datadog/auth_type:=

A rule beats what the preset or the name of the column says; a rule for one app beats one for all apps.

In JSON a column is a member, and `user.id` the member `id` of `user`. Case and separators are free where only one name fits: `Access Token` is \
read as access_token. A header that cannot be used is refused with a --map line to paste.";

#[derive(Args)]
pub(super) struct ImportArgs {
    /// Files: NDJSON, a JSON array or CSV, as they are or packed by gzip or zstd. `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// The system that exported the files: native, nango, composio, airbyte, n8n, pipedream or csv-flat.
    #[arg(long, value_name = "PRESET", default_value_t = Preset::Native)]
    from: Preset,

    /// Names in the files and their names here: a rule, or a file with one rule a line. Repeatable.
    #[arg(long, value_name = "RULE|FILE", long_help = MAP_HELP)]
    map: Vec<String>,

    /// Verify each credential and store none.
    #[arg(long)]
    dry_run: bool,

    /// What to do with a credential that is unverified though nothing says that it is bad: reject or store.
    #[arg(long, value_name = "WHAT", default_value_t)]
    on_unverified: OnUnverified,

    /// What to do if the account has a credential for the app: update, skip, or newer (update if the row's `updated_at` is
    /// newer).
    #[arg(long, value_name = "WHAT", default_value_t)]
    on_existing: OnExisting,

    /// Create missing linked accounts. Otherwise their rows fail.
    #[arg(long)]
    create_accounts: bool,

    /// What to do if a credential is of another provider account than the stored one: reject or replace.
    #[arg(long, value_name = "WHAT", default_value_t)]
    account_change: AccountChange,

    /// Stop after this many failed rows: a number, or a share of all rows such as `5%`.
    #[arg(long, value_name = "N|P%")]
    max_failures: Option<MaxFailures>,

    /// Import files again that were imported before.
    #[arg(long)]
    again: bool,

    /// Do not wait for the import to end.
    #[arg(long)]
    detach: bool,

    /// The file for failed rows, ready to be corrected and imported again [default: FILE.failures.csv, or .ndjson or .json as
    /// FILE is, with .age where FILE is encrypted]. A file there that was changed since an import wrote it is kept; the next
    /// name is FILE.failures.2.csv.
    #[arg(long, value_name = "FILE")]
    failures: Option<PathBuf>,

    /// A file with age keys, to decrypt files of `export` or age. Repeatable.
    #[arg(long, value_name = "FILE")]
    identity: Vec<PathBuf>,

    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    server: ServerArgs,
}

/// The output of progress.
#[derive(Args, Clone, Copy)]
pub(super) struct OutputArgs {
    /// Events for programs, one JSON object a line, on stdout.
    #[arg(long)]
    json: bool,

    /// The progress display.
    #[arg(long, value_name = "HOW", default_value = "auto")]
    progress: ProgressKind,
}

/// The progress display.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ProgressKind {
    /// A bar on a terminal, else lines.
    Auto,
    /// A progress bar.
    Bar,
    /// A line at intervals.
    Lines,
    /// No progress output.
    None,
}

pub(super) async fn run(args: ImportArgs) -> CliResult {
    let mapping = mapping(&args.map)?;
    if args.failures.is_some() && args.files.len() > 1 {
        return Err("--failures names one file, and there are several to import: import them one by one".into());
    }
    if let Some(path) = args.failures.as_deref().filter(|path| args.files.iter().any(|file| is_same(path, file))) {
        return Err(format!("--failures {} is the file that is imported; name another one", path.shown()).into());
    }
    let server = Server::open(&args.server)?;
    let reading = ReadOptions { preset: args.from, mapping: mapping.parse()?, ..ReadOptions::default() };
    let identities = Identities::new(args.identity.clone());
    let mut worst = 0;
    for file in &args.files {
        let again = match (source::is_stdin(file), args.again) {
            (true, _) => Again::Never,
            (false, true) => Again::IfRefused,
            (false, false) => Again::Always,
        };
        let open = || source::open(file, &identities);
        let query = query(&args, file, &mapping);
        let upload = upload::upload(&server, file, open, &query, args.output, again);
        let Some(import) = unless_interrupted(upload).await else { return Ok(ExitCode::from(INTERRUPTED)) };
        let import = import?;
        if args.detach {
            term::progress(&format!("next: keyferry imports watch {}", follow::text(&import, "id")));
            continue;
        }
        let followed = unless_interrupted(follow::follow(&server, &import, args.output)).await;
        let is_interrupted = followed.is_none();
        let ended = match followed {
            Some(ended) => ended?,
            None => {
                let id = follow::text(&import, "id");
                tell(
                    args.output,
                    &format!("the import continues on the server; `keyferry imports watch {id}` follows it"),
                );
                match unless_interrupted(server.json(Method::GET, &format!("/api/v2/public/imports/{id}"))).await {
                    Some(import) => import?,
                    None => return Ok(ExitCode::from(INTERRUPTED)),
                }
            }
        };
        if !args.output.json {
            summary::print(&ended);
        }
        let written = failures::write(&server, &ended, file, &identities, args.failures.as_deref(), &reading);
        match unless_interrupted(written).await {
            Some(written) => tell_failures(&args, &written?, follow::text(&ended, "id")),
            None => return Ok(ExitCode::from(INTERRUPTED)),
        }
        if is_interrupted {
            return Ok(ExitCode::from(INTERRUPTED));
        }
        worst = worst.max(exit_code(&ended));
    }
    Ok(ExitCode::from(worst))
}

/// The future's result; `None` if SIGINT (Ctrl-C) arrives first.
async fn unless_interrupted<T>(work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        done = work => Some(done),
        Ok(()) = tokio::signal::ctrl_c() => None,
    }
}

/// Whether two paths are those of one file.
fn is_same(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}

/// Prints a sentence, or an event with `--json`.
fn tell(output: OutputArgs, message: &str) {
    if output.json { follow::line("note", "message", message) } else { term::progress(message) }
}

/// Where failed rows are, and how they are imported once they are corrected.
fn tell_failures(args: &ImportArgs, written: &Written, id: &str) {
    let tell = |message: String| tell(args.output, &message);
    let list = |paths: &[PathBuf]| paths.iter().map(|path| path.shown().to_string()).collect::<Vec<_>>().join(", ");
    let repeated = match written {
        Written::File { path, rows, repeated, asked } => {
            if args.output.json {
                follow::line("failures", "file", &path.shown().to_string());
            }
            if path != asked {
                tell(format!("{} is kept: it was not written by an import, or was changed since", asked.shown()));
            }
            tell(format!("failed rows are in {} ({rows}): correct them there, then import that file", path.shown()));
            tell(format!("next: {}", again(args, path)));
            *repeated
        }
        Written::Nothing { repeated, removed, kept } => {
            if !removed.is_empty() {
                tell(format!("{} of an earlier run is removed", list(removed)));
            }
            if !kept.is_empty() {
                tell(format!("{} is kept: it was not written by an import, or was changed since", list(kept)));
            }
            *repeated
        }
        Written::ReadOnce => {
            tell(format!(
                "the file can be read once only, so its failed rows cannot be written down; `keyferry imports results {id} --state failed` \
                 lists them, and --failures FILE writes that list"
            ));
            0
        }
    };
    if repeated > 0 {
        tell(format!("{repeated} failed rows only repeat other rows of the file, and are left out there"));
    }
}

/// The command that imports a file of failed rows: with the options of this one for reading files, handling rows and naming the
/// server.
fn again(args: &ImportArgs, file: &Path) -> String {
    let mut words = vec!["keyferry".to_owned(), "import".to_owned()];
    let mut option = |name: &str, value: &str| words.extend([name.to_owned(), shell_path(Path::new(value))]);
    if args.from != Preset::Native {
        option("--from", args.from.as_str());
    }
    for rule in &args.map {
        match secret_default(rule).filter(|_| !Path::new(rule).is_file()) {
            Some(name) => option("--map", &format!("{name}:=...")),
            None => option("--map", rule),
        }
    }
    if args.on_unverified != OnUnverified::default() {
        option("--on-unverified", args.on_unverified.as_str());
    }
    if args.on_existing != OnExisting::default() {
        option("--on-existing", args.on_existing.as_str());
    }
    if args.account_change != AccountChange::default() {
        option("--account-change", args.account_change.as_str());
    }
    let identities = args.identity.iter().map(|path| ("--identity", path.to_owned()));
    for (name, value) in identities.chain(args.server.given()) {
        words.extend([name.to_owned(), shell_path(&value)]);
    }
    for (is_set, name) in [(args.dry_run, "--dry-run"), (args.create_accounts, "--create-accounts")] {
        words.extend(is_set.then(|| name.to_owned()));
    }
    words.push(shell_path(file));
    words.join(" ")
}

/// The query parameters that say how to read the file and handle its rows.
fn query(args: &ImportArgs, file: &std::path::Path, mapping: &str) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("from", args.from.as_str());
    if !mapping.is_empty() {
        query.append_pair("map", mapping);
    }
    if let Some(name) = file.file_name().filter(|name| *name != "-") {
        query.append_pair("file", &name.shown().to_string());
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
        let is_pipe = || std::fs::metadata(path).is_ok_and(|meta| !meta.is_file());
        if path.is_file() || (!one.contains('=') && is_pipe()) {
            let wrong = |error: std::io::Error| format!("{}: {error}", path.shown());
            let file = bounded_file::read_input(path, SMALL).map_err(wrong)?;
            let text = file.text().map_err(wrong)?.to_owned();
            let _checked: Mapping = text.parse().map_err(|error| format!("{}: {error}", path.shown()))?;
            if given.len() == 1 {
                return Ok(text);
            }
            if toml::from_str::<toml::Table>(&text).is_ok_and(|table| table.values().any(toml::Value::is_table)) {
                return Err(format!("{}: a map in TOML cannot be combined with another --map", path.shown()).into());
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

/// The exit code: 0 on success, else that of the worst result.
fn exit_code(import: &serde_json::Value) -> u8 {
    match (follow::text(import, "state"), follow::count(import, "failed")) {
        ("finished" | "undone", 0) => 0,
        ("finished" | "undone", _) => SOME_FAILED,
        _ => STOPPED,
    }
}
