//! Linked accounts and their integrations, as the public API shows them.

use http::Method;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};
use serde::Deserialize;
use serde_json::Value;
use strsim::osa_distance;
use url::form_urlencoded;

use super::api_client::{ApiClient, ApiError};
use super::error::CliError;

const ACCOUNTS: &str = "/api/v2/public/linked-account";
/// Accounts on a page: an account can have an icon of 64 KiB for each app.
const PAGE: usize = 200;
/// What is escaped in a path. A dot is, since `..` would name another path.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_');
/// Accounts that a message names, those that it chooses from, and the typing errors that it allows for.
const NAMED: usize = 3;
const CANDIDATES: usize = 100;
const SLIPS: usize = 2;

/// A linked account.
#[derive(Deserialize)]
pub(super) struct Account {
    pub(super) account_id: String,
    pub(super) name: Option<String>,
    pub(super) environment: String,
    pub(super) udf: Vec<UserField>,
    pub(super) integrations: Vec<Integration>,
    #[serde(rename = "createdAt")]
    pub(super) created_at: String,
}

/// A user-defined field of an account.
#[derive(Deserialize)]
pub(super) struct UserField {
    pub(super) key_name: String,
    pub(super) key_value: String,
}

/// An app that is connected to an account.
#[derive(Deserialize)]
pub(super) struct Integration {
    #[serde(rename = "type")]
    pub(super) slug: String,
    pub(super) auth_type: String,
    pub(super) identifier: String,
    pub(super) reauth_required: bool,
    pub(super) outcome: String,
    pub(super) outcome_reason: Option<String>,
    pub(super) verified_at: Option<String>,
    pub(super) expires_at: Option<String>,
    pub(super) last_check: Option<LastCheck>,
    pub(super) warnings: Vec<String>,
}

/// The last verification of a stored credential.
#[derive(Deserialize)]
pub(super) struct LastCheck {
    pub(super) checked_at: String,
    pub(super) outcome: String,
    pub(super) detail: Option<String>,
}

/// The state of a credential, in one word.
pub(super) fn state(reauth_required: bool, outcome: &str) -> &str {
    if reauth_required { "expired" } else { outcome }
}

/// A text as one segment of a path.
pub(super) fn segment(text: &str) -> PercentEncode<'_> {
    utf8_percent_encode(text, ESCAPED)
}

/// The path of an account.
fn account_path(account: &str) -> String {
    format!("{ACCOUNTS}/{}", segment(account))
}

/// The path of what is below an integration.
pub(super) fn integration_path(account: &str, slug: &str, word: &str) -> String {
    format!("{}/integration/{}/{word}", account_path(account), segment(slug))
}

/// An account, as the server shows it. The error about an unknown account names similar ids.
pub(super) async fn fetch(client: &ApiClient, account: &str) -> Result<Value, CliError> {
    match client.json(Method::GET, &account_path(account)).await {
        Ok(found) => Ok(found),
        Err(error) => Err(with_similar(client, account, error).await),
    }
}

/// All accounts, newest first, page by page.
pub(super) struct Pages<'c> {
    client: &'c ApiClient,
    search: Option<String>,
    /// The place of the last account in the list.
    after: Option<String>,
    total: Option<u64>,
    is_at_end: bool,
}

impl<'c> Pages<'c> {
    /// Those whose id or name contains the text.
    pub(super) fn new(client: &'c ApiClient, search: Option<String>) -> Self {
        Self { client, search, after: None, total: None, is_at_end: false }
    }

    /// How many accounts there were when the first page was read.
    pub(super) fn total(&self) -> u64 {
        self.total.unwrap_or_default()
    }

    /// The accounts of the next page, as the server shows them; none at the end.
    pub(super) async fn next(&mut self) -> Result<Vec<Value>, CliError> {
        if self.is_at_end {
            return Ok(Vec::new());
        }
        let mut page = page(self.client, self.search.as_deref(), self.after.as_deref(), PAGE).await?;
        self.total = self.total.or_else(|| page.get("totalDocs")?.as_u64());
        self.is_at_end = page.get("hasNextPage") != Some(&Value::Bool(true));
        let accounts = match page.get_mut("docs").map(Value::take) {
            Some(Value::Array(accounts)) => accounts,
            _ => return Err("the server's response is not understood".into()),
        };
        self.after = accounts.last().and_then(place);
        self.is_at_end |= self.after.is_none();
        Ok(accounts)
    }
}

async fn page(client: &ApiClient, search: Option<&str>, after: Option<&str>, limit: usize) -> Result<Value, CliError> {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("limit", &limit.to_string());
    for (name, value) in [("search", search), ("after", after)] {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    client.json(Method::GET, &format!("{ACCOUNTS}?{}", query.finish())).await
}

/// An account's place in the list, as the parameter `after` takes it.
fn place(account: &Value) -> Option<String> {
    let made: jiff::Timestamp = account.get("createdAt")?.as_str()?.parse().ok()?;
    Some(format!("{}-{}", made.as_millisecond(), account.get("_id")?.as_str()?))
}

/// An error about an account that does not exist, with the ids of similar ones.
pub(super) async fn with_similar(client: &ApiClient, account: &str, error: CliError) -> CliError {
    if error.downcast_ref().map(ApiError::code) != Some("unknown_linked_account") {
        return error;
    }
    match similar(client, account).await.as_slice() {
        [] => format!("{error}; `keyferry account list` lists those that exist").into(),
        ids => format!("{error}; similar ones: {}", ids.join(", ")).into(),
    }
}

/// Ids that contain the text or differ from it by typing errors.
async fn similar(client: &ApiClient, text: &str) -> Vec<String> {
    let containing = ids(client, text).await;
    if !containing.is_empty() {
        return containing.into_iter().take(NAMED).collect();
    }
    let half: String = text.chars().take(text.chars().count().div_ceil(2)).collect();
    let rest = text.strip_prefix(half.as_str()).unwrap_or_default();
    let mut found = Vec::new();
    for part in [half.as_str(), rest].into_iter().filter(|part| !part.is_empty()) {
        found.extend(ids(client, part).await.into_iter().filter(|id| osa_distance(id, text) <= SLIPS));
    }
    found.sort_by_key(|id| osa_distance(id, text));
    found.dedup();
    found.truncate(NAMED);
    found
}

/// Ids of accounts whose id or name contains the text; none if they cannot be listed.
async fn ids(client: &ApiClient, text: &str) -> Vec<String> {
    let page = page(client, Some(text), None, CANDIDATES).await.unwrap_or_default();
    let accounts = page.get("docs").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    accounts.iter().filter_map(|account| account.get("account_id")?.as_str().map(str::to_owned)).collect()
}

/// An error about an integration that does not exist, with those that the account has.
pub(super) async fn with_integrations(client: &ApiClient, account: &str, error: CliError) -> CliError {
    if error.downcast_ref().map(ApiError::code) != Some("no_such_integration") {
        return error;
    }
    let found = client.json(Method::GET, &account_path(account)).await.ok();
    match found.and_then(|found| serde_json::from_value::<Account>(found).ok()) {
        Some(account) => format!("{error}; {}", connected(&account)).into(),
        None => error,
    }
}

/// A clause that says which apps are connected to an account.
pub(super) fn connected(account: &Account) -> String {
    let slugs: Vec<_> = account.integrations.iter().map(|integration| integration.slug.as_str()).collect();
    let slugs = if slugs.is_empty() { "none".to_owned() } else { slugs.join(", ") };
    format!("{} has {slugs}", account.account_id)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_id_is_one_segment_of_a_path_whatever_it_consists_of() {
        assert_eq!(account_path("user_1"), "/api/v2/public/linked-account/user_1");
        assert_eq!(account_path(".."), "/api/v2/public/linked-account/%2E%2E");
        assert_eq!(
            integration_path("a/b@x.com?q", "hub-spot", "verify"),
            "/api/v2/public/linked-account/a%2Fb%40x%2Ecom%3Fq/integration/hub-spot/verify"
        );
    }

    #[test]
    fn the_next_page_begins_after_the_last_account() {
        let account = json!({"_id": "6b0647e544cfc2cfb0738328", "createdAt": "2026-07-31T09:30:00.007Z"});
        assert_eq!(place(&account).as_deref(), Some("1785490200007-6b0647e544cfc2cfb0738328"));
    }
}
