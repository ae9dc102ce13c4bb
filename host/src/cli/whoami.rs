//! `keyferry whoami`: the server, and what the API key stands for there.

use clap::Args;
use serde_json::Value;

use super::api_client::{ApiClient, ServerArgs};
use super::error::CliResult;
use super::exit::Exit;
use super::key_identity::{KeyIdentity, explained, fetch};
use super::table::{Facts, minute};
use super::term;

#[derive(Args)]
pub(super) struct WhoamiArgs {
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

pub(super) async fn run(WhoamiArgs { json, server }: WhoamiArgs) -> CliResult {
    let client = ApiClient::new(&server)?;
    let mut found = match fetch(&client).await {
        Ok(found) => found,
        Err(error) => return Err(explained(&client, "read", error).await),
    };
    let server = client.server().to_string();
    if json {
        if let Value::Object(members) = &mut found {
            members.insert("server".to_owned(), server.into());
        }
        term::print_json(&found)?;
        return Ok(Exit::Done);
    }
    let KeyIdentity { org, environment, key, scopes, created_at, expires_at, version } = serde_json::from_value(found)?;
    let facts = [
        ("server", format!("{server} (keyferry {version})")),
        ("key", format!("{}... ({})", key.shown, key.id)),
        ("label", key.label),
        ("organisation", org),
        ("environment", environment),
        ("scopes", scopes.join(", ")),
        ("made", minute(&created_at).to_owned()),
        ("ends", expires_at.as_deref().map_or("never", minute).to_owned()),
    ];
    term::print(&Facts::new(facts).to_string());
    Ok(Exit::Done)
}
