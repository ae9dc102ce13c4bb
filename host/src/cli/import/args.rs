//! The arguments of `keyferry import`, and what is made of them: the query of the request, and the command that imports a
//! file of failed rows.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use crate::cli::api_client::ServerArgs;
use crate::cli::error::CliError;
use keyferry_imports::input::{Mapping, Preset, secret_default, shell_path};
use keyferry_store::{AccountChange, MaxFailures, OnExisting, OnUnverified};
use keyferry_types::bounded_file::{self, SMALL};
use keyferry_types::path_text::ShowPath as _;

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
pub(in crate::cli) struct ImportArgs {
    /// Files: NDJSON, a JSON array or CSV, as they are or packed by gzip or zstd. `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    pub(super) files: Vec<PathBuf>,

    /// The system that exported the files: native, nango, composio, airbyte, n8n, pipedream or csv-flat.
    #[arg(long, value_name = "PRESET", default_value_t = Preset::Native)]
    pub(super) from: Preset,

    /// Names in the files and their names here: a rule, or a file with one rule a line. Repeatable.
    #[arg(long, value_name = "RULE|FILE", long_help = MAP_HELP)]
    pub(super) map: Vec<String>,

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
    pub(super) again: bool,

    /// Do not wait for the import to end.
    #[arg(long)]
    pub(super) detach: bool,

    /// The file for failed rows, ready to be corrected and imported again [default: FILE.failures.csv, or .ndjson or .json as
    /// FILE is, with .age where FILE is encrypted]. A file there that was changed since an import wrote it is kept; the next
    /// name is FILE.failures.2.csv.
    #[arg(long, value_name = "FILE")]
    pub(super) failures: Option<PathBuf>,

    /// A file with age keys, to decrypt files of `export` or age. Repeatable.
    #[arg(long, value_name = "FILE")]
    pub(super) identity: Vec<PathBuf>,

    #[command(flatten)]
    pub(super) output: OutputArgs,
    #[command(flatten)]
    pub(super) server: ServerArgs,
}

/// The output of progress.
#[derive(Args, Clone, Copy)]
pub(super) struct OutputArgs {
    /// Events for programs, one JSON object a line, on stdout.
    #[arg(long)]
    pub(super) json: bool,

    /// The progress display.
    #[arg(long, value_name = "HOW", default_value = "auto")]
    pub(super) progress: ProgressKind,
}

/// The progress display.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ProgressKind {
    /// A bar on a terminal, else lines.
    Auto,
    /// A progress bar.
    Bar,
    /// A line at intervals.
    Lines,
    /// No progress output.
    None,
}

impl ImportArgs {
    /// The rules of `--map`, one a line, including those of files.
    pub(super) fn mapping(&self) -> Result<String, CliError> {
        let mut rules = Vec::new();
        for one in &self.map {
            let path = Path::new(one);
            let is_pipe = || std::fs::metadata(path).is_ok_and(|meta| !meta.is_file());
            if path.is_file() || (!one.contains('=') && is_pipe()) {
                let wrong = |error: std::io::Error| format!("{}: {error}", path.shown());
                let file = bounded_file::read_input(path, SMALL).map_err(wrong)?;
                let text = file.text().map_err(wrong)?.to_owned();
                let _checked: Mapping = text.parse().map_err(|error| format!("{}: {error}", path.shown()))?;
                if self.map.len() == 1 {
                    return Ok(text);
                }
                if toml::from_str::<toml::Table>(&text).is_ok_and(|table| table.values().any(toml::Value::is_table)) {
                    return Err(format!("{}: a map in TOML cannot be combined with another --map", path.shown()).into());
                }
                rules.push(text);
            } else if one.contains('=') {
                rules.push(one.clone());
            } else {
                return Err(
                    format!("--map {one}: there is no such file, and it is no rule such as `customer=slug`").into()
                );
            }
        }
        Ok(rules.join("\n"))
    }

    /// The query parameters that say how to read the file and handle its rows.
    pub(super) fn query(&self, file: &Path, mapping: &str) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("from", self.from.as_str());
        if !mapping.is_empty() {
            query.append_pair("map", mapping);
        }
        if let Some(name) = file.file_name().filter(|name| *name != "-") {
            query.append_pair("file", &name.shown().to_string());
        }
        query.append_pair("dry_run", flag(self.dry_run));
        query.append_pair("on_unverified", self.on_unverified.as_str());
        query.append_pair("on_existing", self.on_existing.as_str());
        query.append_pair("create_accounts", flag(self.create_accounts));
        query.append_pair("account_change", self.account_change.as_str());
        if let Some(most) = self.max_failures {
            query.append_pair("max_failures", &most.to_string());
        }
        query.append_pair("again", flag(self.again));
        query.finish()
    }

    /// The command that imports a file of failed rows, with the same options for reading files, handling rows and naming the
    /// server. It creates the accounts that rows lack.
    pub(super) fn command_for(&self, file: &Path, lacks_accounts: bool) -> String {
        let creates_accounts = self.create_accounts || lacks_accounts;
        let mut words = vec!["keyferry".to_owned(), "import".to_owned()];
        let mut option = |name: &str, value: &str| words.extend([name.to_owned(), shell_path(Path::new(value))]);
        if self.from != Preset::Native {
            option("--from", self.from.as_str());
        }
        for rule in &self.map {
            match secret_default(rule).filter(|_| !Path::new(rule).is_file()) {
                Some(name) => option("--map", &format!("{name}:=...")),
                None => option("--map", rule),
            }
        }
        if self.on_unverified != OnUnverified::default() {
            option("--on-unverified", self.on_unverified.as_str());
        }
        if self.on_existing != OnExisting::default() {
            option("--on-existing", self.on_existing.as_str());
        }
        if self.account_change != AccountChange::default() {
            option("--account-change", self.account_change.as_str());
        }
        let identities = self.identity.iter().map(|path| ("--identity", path.to_owned()));
        for (name, value) in identities.chain(self.server.given()) {
            words.extend([name.to_owned(), shell_path(&value)]);
        }
        for (is_set, name) in [(self.dry_run, "--dry-run"), (creates_accounts, "--create-accounts")] {
            words.extend(is_set.then(|| name.to_owned()));
        }
        words.push(shell_path(file));
        words.join(" ")
    }
}

fn flag(set: bool) -> &'static str {
    if set { "true" } else { "false" }
}
