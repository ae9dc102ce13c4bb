//! What is printed: the credentials, and the commands to try them with.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value};

use super::responder::Outage;
use super::selection::{account, text};
use crate::cli::error::CliError;
use crate::cli::program::program;
use crate::cli::table::Table;
use keyferry_devkit::cases::mock::MockCredential;
use keyferry_imports::input::{shell_path, shell_word};

/// The most credentials that are shown with a value: a table of more would be several screens high. The sample has all values.
const MOST_VALUES: usize = 40;

/// Mock providers, as the user sees them.
pub(super) struct Shown {
    pub(super) json: bool,
    pub(super) outage: Outage,
    pub(super) latency: Duration,
    pub(super) retry_after: Duration,
    pub(super) plugins: Option<PathBuf>,
    /// How many credentials of the user's there are.
    pub(super) tokens: usize,
    pub(super) sample: PathBuf,
    pub(super) ca_file: PathBuf,
    pub(super) credentials: Vec<MockCredential>,
}

#[derive(Serialize)]
struct Document<'a> {
    address: SocketAddr,
    ca_file: String,
    sample: String,
    /// The hosts and their address, as `--dev-resolve` takes them.
    resolve: &'a [String],
    serve_flags: Vec<String>,
    latency_ms: u128,
    tokens: usize,
    credentials: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Row<'a> {
    linked_account_id: String,
    slug: &'a str,
    auth_type: &'a str,
    fields: Map<String, Value>,
    case: &'a str,
    about: Option<&'a str>,
    outcome: &'a str,
    then: Option<&'a str>,
}

impl Shown {
    /// The whole text.
    pub(super) fn text(&self, address: SocketAddr, resolve: &[String]) -> Result<String, CliError> {
        let flags = self.serve_flags(resolve);
        if !self.json {
            return Ok(self.guide(address, &flags));
        }
        let row = |one| {
            let (outcome, then) = self.outcome(one);
            Row {
                linked_account_id: account(one),
                slug: &one.slug,
                auth_type: &one.auth_type,
                fields: one.fields.iter().cloned().collect(),
                case: &one.case,
                about: one.about.as_deref(),
                outcome,
                then,
            }
        };
        Ok(serde_json::to_string_pretty(&Document {
            address,
            ca_file: self.ca_file.display().to_string(),
            sample: self.sample.display().to_string(),
            resolve,
            serve_flags: flags,
            latency_ms: self.latency.as_millis(),
            tokens: self.tokens,
            credentials: self.credentials.iter().map(row).collect(),
        })?)
    }

    /// The outcome, and the one after a rate limit.
    fn outcome<'a>(&self, one: &'a MockCredential) -> (&'a str, Option<&'a str>) {
        if self.outage.is_of(&one.slug) && one.requests > 0 {
            return ("provider_error", None);
        }
        (&one.outcome, one.then.as_deref())
    }

    fn serve_flags(&self, resolve: &[String]) -> Vec<String> {
        let mut flags = vec!["--dev".to_owned(), "--dev-allow-loopback".to_owned()];
        let plugins = self.plugins.iter();
        flags.extend(plugins.flat_map(|folder| ["--plugins".to_owned(), folder.display().to_string()]));
        flags.extend(["--egress-ca".to_owned(), self.ca_file.display().to_string()]);
        flags.extend(["--dev-resolve".to_owned(), resolve.join(",")]);
        flags
    }

    fn guide(&self, address: SocketAddr, flags: &[String]) -> String {
        let has_values = self.credentials.len() <= MOST_VALUES;
        let mut table = match has_values {
            true => Table::new(["linked account", "outcome", "credential"]).text(["outcome"]),
            false => Table::new(["linked account", "outcome"]).text(["outcome"]),
        };
        for one in &self.credentials {
            let outcome = match self.outcome(one) {
                (outcome, Some(then)) => format!("{outcome} for {:?}, then {then}", self.retry_after),
                (outcome, None) => outcome.to_owned(),
            };
            let cells = [account(one), outcome].into_iter().chain(has_values.then(|| value(one)));
            table.add_row(cells);
        }
        let tokens = match self.tokens {
            0 => String::new(),
            tokens => format!("\nand {tokens} of yours."),
        };
        let flags = flags.iter().map(|flag| shell_word(flag)).collect::<Vec<_>>().join(" ");
        let (program, sample) = (program(), shell_path(&self.sample));
        format!(
            "The mock providers at {address} know these credentials:\n\n{table}{tokens}\n\n\
             Start a server that reaches them, in a second terminal:\n\n\
             {program} serve {flags}\n\n\
             Import the credentials, in a third one:\n\n\
             export KEYFERRY_API_KEY=$({program} api-key create --org acme --environment test)\n\
             {program} import --dry-run --create-accounts {sample}\n\
             {program} import --create-accounts {sample}\n\n\
             Ctrl-C ends the mock providers."
        )
    }
}

/// The value that tells a credential from the others of its app.
fn value(one: &MockCredential) -> String {
    let known_by = one.fields.iter().find(|(name, _)| Some(name) == one.known_by.as_ref());
    let is_short = |(_, value): &&(String, Value)| !text(value).contains('\n');
    let field = known_by.or_else(|| one.fields.iter().find(is_short));
    field.map(|(name, value)| format!("{name} {}", text(value))).unwrap_or_default()
}
