//! What the API key of a command stands for, and what to do if it does not do for a request.

use http::Method;
use serde::Deserialize;
use serde_json::Value;

use super::api_client::{ApiClient, ApiError};
use super::error::CliError;

const WHOAMI: &str = "/api/v2/public/whoami";

/// The key that a server knows.
#[derive(Deserialize)]
pub(super) struct KeyIdentity {
    pub(super) org: String,
    pub(super) environment: String,
    pub(super) key: KeyName,
    pub(super) scopes: Vec<String>,
    pub(super) created_at: String,
    pub(super) expires_at: Option<String>,
    pub(super) version: String,
}

/// How the operator tells keys apart.
#[derive(Deserialize)]
pub(super) struct KeyName {
    pub(super) id: String,
    pub(super) shown: String,
    pub(super) label: String,
}

/// The response of the server, as it is.
pub(super) async fn fetch(client: &ApiClient) -> Result<Value, CliError> {
    client.json(Method::GET, WHOAMI).await
}

/// An error with what to do about it, where that is about the server or the key. `scopes` are those that the command needs,
/// separated by commas.
pub(super) async fn explained(client: &ApiClient, scopes: &str, error: CliError) -> CliError {
    let advice = match error.downcast_ref::<ApiError>().map(ApiError::code) {
        Some("invalid_api_key") => format!(
            "{} does not know this API key, or it has expired or was revoked: `keyferry api-key list --org ORG` shows an \
             organisation's keys, `keyferry api-key create` makes one",
            client.server()
        ),
        Some("scope_missing") => other_key(client, scopes).await,
        _ => return error,
    };
    format!("{error}; {advice}").into()
}

/// Which key it is, and the command that makes one with these scopes.
pub(super) async fn other_key(client: &ApiClient, scopes: &str) -> String {
    let identity = fetch(client).await.ok().and_then(|found| serde_json::from_value::<KeyIdentity>(found).ok());
    match identity {
        Some(KeyIdentity { org, environment, key, scopes: has, .. }) => format!(
            "the key {}... has {}. The operator makes one with `keyferry api-key create --org {org} --environment {environment} \
             --scope {scopes}`",
            key.shown,
            has.join(", ")
        ),
        None => format!("the operator makes one with `keyferry api-key create ... --scope {scopes}`"),
    }
}
