//! `keyferry credentials show`: which fields a stored credential has, how it is, and its values if they are asked for.

use std::collections::BTreeMap;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand};
use http::Method;
use serde::Deserialize;
use serde_json::Value;

use super::api_client::{ApiClient, ServerArgs};
use super::error::{CliError, CliResult};
use super::exit::Exit;
use super::key_identity::{explained, other_key};
use super::linked_accounts::{LastCheck, integration_path, state, with_integrations, with_similar};
use super::table::{Facts, minute};
use super::term;

/// The scopes of a key that may see values, and list what it may see.
const REVEALING: &str = "read,read_credentials";

#[derive(Subcommand)]
pub(super) enum CredentialsCommand {
    /// Shows which fields a stored credential has and its state; with --reveal, the values.
    #[command(after_help = "\
Examples:
  keyferry credentials show user_1 hubspot
  keyferry credentials show user_1 hubspot --reveal --json | jq -r .auth_object.oauth2.access_token")]
    Show(ShowArgs),
}

#[derive(Args)]
pub(super) struct ShowArgs {
    /// Your own id of the linked account.
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    account: String,
    /// The app.
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    slug: String,
    /// Fail unless the credential is of this auth type.
    #[arg(long, value_name = "TYPE")]
    auth_type: Option<String>,
    /// Print the values. The key needs the scope `read_credentials`, and the audit trail records the read.
    #[arg(long)]
    reveal: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

/// A stored credential, as far as it is printed.
#[derive(Deserialize)]
struct Shown {
    auth_object: BTreeMap<String, serde_json::Map<String, Value>>,
    masked: bool,
    outcome: String,
    verified_at: Option<String>,
    reauth_required: bool,
    last_check: Option<LastCheck>,
    expires_at: Option<String>,
    identifier: Option<String>,
    config: BTreeMap<String, String>,
}

pub(super) async fn run(command: CredentialsCommand) -> CliResult {
    let CredentialsCommand::Show(args) = command;
    let client = ApiClient::new(&args.server)?;
    match show(&client, &args).await {
        Ok(()) => Ok(Exit::Done),
        Err(error) => {
            let scopes = if args.reveal { REVEALING } else { "read" };
            Err(explained(&client, scopes, error).await)
        }
    }
}

async fn show(client: &ApiClient, args: &ShowArgs) -> Result<(), CliError> {
    let ShowArgs { account, slug, auth_type, reveal, json, .. } = args;
    // Of the wrong auth type nothing is opened.
    if let (true, Some(auth_type)) = (*reveal, auth_type) {
        check_auth_type(&fetch(client, account, slug, false).await?.1, args, auth_type)?;
    }
    let (found, shown) = fetch(client, account, slug, *reveal).await?;
    if let Some(auth_type) = auth_type {
        check_auth_type(&shown, args, auth_type)?;
    }
    if *reveal && shown.masked {
        let advice = other_key(client, REVEALING).await;
        return Err(format!("values are shown to API keys with the scope `read_credentials` only; {advice}").into());
    }
    if *json {
        term::print_json(&found)?;
    } else {
        print(account, slug, &shown);
    }
    Ok(())
}

/// The response of the server as it is, and read. Without `reveal` it has no values, whatever the key may see.
async fn fetch(client: &ApiClient, account: &str, slug: &str, reveal: bool) -> Result<(Value, Shown), CliError> {
    let masked = if reveal { "" } else { "?masked=true" };
    let path = integration_path(account, slug, "credentials");
    match client.json(Method::GET, &format!("{path}{masked}")).await {
        Ok(found) => {
            let shown = Shown::deserialize(&found)?;
            Ok((found, shown))
        }
        Err(error) => {
            let error = with_similar(client, account, error).await;
            Err(with_integrations(client, account, error).await)
        }
    }
}

fn check_auth_type(shown: &Shown, args: &ShowArgs, wanted: &str) -> Result<(), CliError> {
    match shown.auth_object.keys().next() {
        Some(stored) if stored != wanted => {
            let ShowArgs { account, slug, .. } = args;
            Err(format!("the credential of {account} for {slug} is of auth type {stored}, not {wanted}").into())
        }
        _ => Ok(()),
    }
}

fn print(account: &str, slug: &str, shown: &Shown) {
    let check = |check: &LastCheck| {
        let detail = check.detail.as_ref().map_or_else(String::new, |detail| format!(": {detail}"));
        format!("{} {}{detail}", minute(&check.checked_at), check.outcome)
    };
    let config: Vec<_> = shown.config.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let facts = [
        ("account", account.to_owned()),
        ("app", slug.to_owned()),
        ("auth type", shown.auth_object.keys().cloned().collect()),
        ("state", state(shown.reauth_required, &shown.outcome).to_owned()),
        ("verified", shown.verified_at.as_deref().map_or("never", minute).to_owned()),
        ("ends", shown.expires_at.as_deref().map(minute).unwrap_or_default().to_owned()),
        ("last check", shown.last_check.as_ref().map(check).unwrap_or_default()),
        ("provider account", shown.identifier.clone().unwrap_or_default()),
        ("config", config.join(", ")),
    ];
    term::print(&Facts::new(facts).to_string());
    term::print("");
    for (name, value) in shown.auth_object.values().flatten() {
        term::print(&format!("{name}: {}", printable(value)));
    }
}

/// A value as it is, and in JSON if a terminal could take a part of it for a command.
fn printable(value: &Value) -> String {
    match value.as_str() {
        Some(text) if !text.chars().any(|c| c.is_control() && c != '\n') => text.to_owned(),
        _ => value.to_string(),
    }
}
