//! `GET /api/v2/public/linked-account/{account}/integration/{slug}/credentials`: a stored credential, in the form in which
//! `migrate-token` takes it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::response::Response;
use http::{HeaderMap, Uri, header};
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize, Serializer};
use utoipa::{IntoParams, ToSchema};

use crate::auth::access::{Credential as _, KEY_PROBLEMS};
use crate::error::api_error::ApiError;
use crate::error::mapping::failure;
use crate::error::problem;
use crate::handlers::linked_account::account::account_missing;
use crate::handlers::migrate_token::revision_tag;
use crate::middleware::trace::RequestId;
use crate::request::account_name::check_path;
use crate::request::parameters::{self, invalid_query};
use crate::responses::secret_json::secret_json;
use crate::responses::{LastCheck, Outcome};
use crate::state::Api;
use keyferry_service::{FreshCredential, ReadCredential, ReadFresh, ServiceError, Shown, StoredCredential};
use keyferry_store::{Reauth, Scope};
use keyferry_types::echo::{MASK, masked_note, safe_name};
use keyferry_types::ids::Slug;

/// The account and the slug that a request's path names, if it ends in `/integration/{slug}/` and this word. A slash that is
/// escaped belongs to the account's id, so that an id which a caller escapes never names a credential.
pub(crate) fn addressed(uri: &Uri, word: &str) -> Option<(String, String)> {
    let (account, slug) = split(uri.path().strip_prefix(ACCOUNTS)?, word)?;
    let decoded = |part| percent_decode_str(part).decode_utf8().ok().map(Cow::into_owned);
    Some((decoded(account)?, decoded(slug)?))
}

/// The account and the slug, as they are escaped, of a path below `linked-account/` that ends in `/integration/{slug}/` and this
/// word. The vendor's SDK leaves account ids unescaped, so the part before it may contain slashes.
fn split<'a>(path: &'a str, word: &str) -> Option<(&'a str, &'a str)> {
    let (account, slug) = path.strip_suffix(word)?.strip_suffix('/')?.rsplit_once("/integration/")?;
    (!account.is_empty() && !slug.is_empty() && !slug.contains('/')).then_some((account, slug))
}

/// What comes before an account's id in a path.
const ACCOUNTS: &str = "/api/v2/public/linked-account/";

/// The path of a stored credential in the API's description. The router has none for it.
pub(crate) const PATH: &str = "/api/v2/public/linked-account/{account}/integration/{slug}/credentials";

/// How much of a credential is asked for.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct CredentialQuery {
    /// `true`: only which fields there are, also for a key that may see their values. Nothing is opened, and the audit trail
    /// has no entry of it.
    masked: Option<bool>,
    /// The seconds that the access token has to last, for a key of scope `read_credentials`. If less is left, it is renewed first;
    /// the response is a token that lasts, or the reason why there is none. With `masked=true` nothing is renewed.
    #[param(minimum = 1, maximum = 86400, example = 300)]
    min_ttl: Option<u32>,
}

/// The longest `min_ttl`, in seconds. No app's access tokens last much longer, so that each read would renew.
const LONGEST_TTL: u32 = 86_400;

/// All of it for a key of scope `read_credentials`, and its fields' names for one of scope `read`.
#[utoipa::path(
    get, path = "/api/v2/public/linked-account/{account}/integration/{slug}/credentials", operation_id = "getCredentials",
    tag = "Credentials",
    summary = "Read a stored credential back",
    description = "The credential in the form in which migrate-token takes it. An API key with the scope `read_credentials` gets \
        all of it, once the audit trail has it on disk that it was read; one with the scope `read` sees which fields there are, \
        each as `***`. With `min_ttl`, tokens that end sooner are renewed first: all who ask at the same time wait for one request \
        to the provider, and the new tokens are on disk before anybody gets them.",
    params(
        ("account" = String, Path, description = "Your own id of the linked account. Slashes can stay as they are.",
            min_length = 1),
        ("slug" = String, Path, description = "The app.", min_length = 1, example = "hubspot"),
        CredentialQuery,
    ),
    responses((status = 200, description = "The credential.", body = CredentialBody)),
    extensions(("x-problems" = json!([
        KEY_PROBLEMS, problem::SCOPE_MISSING, problem::ACCOUNT_CONFLICT, problem::KEYS_LOCKED, problem::INVALID_PATH,
        problem::INVALID_QUERY, problem::ACCOUNT_UNKNOWN, problem::NO_SUCH_INTEGRATION, problem::NO_SPACE,
        problem::REAUTH_REQUIRED, problem::NO_REFRESH_TOKEN, problem::NOT_RENEWABLE, problem::RENEWAL_NOT_GRANTED,
        problem::NO_OAUTH_CLIENT, problem::OAUTH_CLIENT_REFUSED, problem::PROVIDER_DOWN, problem::RENEWAL_UNAVAILABLE,
    ]))),
    security(("org_api_key" = [])),
)]
pub(crate) async fn show(
    api: &Arc<Api>,
    id: RequestId,
    account: &str,
    slug: &str,
    query: Option<&str>,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    let key = api.key(headers).await?;
    let may_open = key.allows(Scope::ReadCredentials);
    let caller = key.caller(if may_open { Scope::ReadCredentials } else { Scope::Read })?;
    check_path(headers, query, account)?;
    let CredentialQuery { masked, min_ttl } = parameters::read(query.unwrap_or_default())?;
    let plain = may_open && masked != Some(true);
    let min_ttl = match min_ttl {
        // Without the tokens there is nothing to renew.
        Some(_) if masked == Some(true) => None,
        Some(_) if !may_open => {
            key.caller(Scope::ReadCredentials)?;
            None
        }
        min_ttl => least_life(min_ttl)?,
    };
    let missing = account_missing(&caller, account);
    let none = || no_integration(api, slug);
    let Ok(account) = account.parse() else { return Err(missing) };
    let slug: Slug = slug.parse().map_err(|_| none())?;
    let asked = ReadCredential { caller, account, slug: slug.clone(), request_id: id.0 };
    let found = match min_ttl {
        Some(min_ttl) => {
            let fresh = api.service.read_fresh(ReadFresh { read: asked, min_ttl }).await;
            fresh.map(|found| found.map(|FreshCredential(credential)| credential))
        }
        None if plain => api.service.read(asked).await,
        None => api.service.read_masked(asked).await,
    };
    match found {
        Ok(Some(credential)) => response(&credential),
        Ok(None) => Err(none()),
        Err(ServiceError::AccountMissing { .. }) => Err(missing),
        Err(error) => Err(failure(error)),
    }
}

/// What a query's `min_ttl` asks for.
fn least_life(min_ttl: Option<u32>) -> Result<Option<Duration>, ApiError> {
    match min_ttl {
        None => Ok(None),
        Some(seconds) if !(1..=LONGEST_TTL).contains(&seconds) => {
            Err(invalid_query(&format!("min_ttl is {seconds}; it takes 1 to {LONGEST_TTL} seconds")))
        }
        Some(seconds) => Ok(Some(Duration::from_secs(u64::from(seconds)))),
    }
}

/// There is no integration of that app, as the caller wrote its slug.
pub(crate) fn no_integration(api: &Api, slug: &str) -> ApiError {
    let apps = api.service.apps();
    let shown = safe_name(slug, apps.iter().map(|app| app.description.slug.as_str()));
    let message = format!("the linked account has no integration of `{shown}`{}", masked_note(slug, shown));
    ApiError::new(&problem::NO_SUCH_INTEGRATION, message)
}

fn response(credential: &StoredCredential) -> Result<Response, ApiError> {
    let mut response = secret_json(&CredentialBody::new(credential))?;
    if let Some(tag) = revision_tag(&credential.record) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    Ok(response)
}

/// A stored credential, in the form in which migrate-token takes it.
#[derive(Serialize, ToSchema)]
#[schema(as = StoredCredential)]
pub(crate) struct CredentialBody<'a> {
    /// The app.
    #[schema(value_type = String, example = "hubspot")]
    slug: &'a str,
    /// One key, the auth type, whose value is an object of its fields.
    #[schema(value_type = BTreeMap<String, BTreeMap<String, String>>)]
    auth_object: AuthObject<'a>,
    /// Whether every value is shown as `***`.
    masked: bool,
    /// Whether the provider has confirmed the credential.
    outcome: Outcome,
    /// When the provider last confirmed it.
    #[schema(required = true, format = DateTime)]
    verified_at: Option<String>,
    /// Whether the user has to connect again.
    reauth_required: bool,
    /// The last verification since the credential was stored.
    #[schema(required = true)]
    last_check: Option<LastCheck>,
    /// The credential's expiry.
    #[schema(required = true, format = DateTime)]
    expires_at: Option<String>,
    /// The scopes that the provider says it has.
    scopes: &'a [String],
    /// The provider's id of the account behind it.
    #[schema(value_type = Option<String>, required = true)]
    identifier: Option<&'a str>,
    /// Plain values that the app needs, such as an `instance_url`.
    #[schema(value_type = BTreeMap<String, String>)]
    config: &'a BTreeMap<String, String>,
}

/// `{"oauth2": {"access_token": ...}}`
pub(crate) struct AuthObject<'a>(pub(crate) &'a StoredCredential);

struct Fields<'a>(&'a StoredCredential);

impl Serialize for AuthObject<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map([(self.0.record.auth_type.as_str(), Fields(self.0))])
    }
}

impl Serialize for Fields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.fields.iter().map(|(name, shown)| {
            let value = match shown {
                Shown::Plain(secret) => secret.expose(),
                Shown::Masked => MASK,
            };
            (name.as_str(), value)
        }))
    }
}

impl<'a> CredentialBody<'a> {
    fn new(credential: &'a StoredCredential) -> Self {
        let record = &credential.record;
        Self {
            slug: record.slug.as_str(),
            auth_object: AuthObject(credential),
            masked: credential.fields.iter().any(|(_, shown)| matches!(shown, Shown::Masked)),
            outcome: Outcome::from_status(&record.standing),
            verified_at: record.verified_at.map(|at| at.to_string()),
            reauth_required: record.reauth == Reauth::Required,
            last_check: record.check.as_ref().map(LastCheck::new),
            expires_at: record.expires_at.map(|at| at.to_string()),
            scopes: &record.scopes,
            identifier: record.provider_account_id.as_deref(),
            config: &record.config,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_escaped_slash_belongs_to_the_accounts_id() {
        for (path, expected) in [
            ("a%2Fb/integration/hubspot/credentials", Some(("a/b", "hubspot"))),
            ("a%2Fintegration%2Fhubspot%2Fcredentials", None),
            ("a%2Fintegration/hubspot/credentials", None),
            ("a/%69ntegration/hubspot/credentials", None),
            ("a%2Fintegration%2Fb/integration/hubspot/credentials", Some(("a/integration/b", "hubspot"))),
            ("%FF/integration/hubspot/credentials", None),
        ] {
            let uri: Uri = format!("{ACCOUNTS}{path}").parse().unwrap();
            let expected = expected.map(|(account, slug)| (account.to_owned(), slug.to_owned()));
            assert_eq!(addressed(&uri, "credentials"), expected, "{path}");
        }
    }

    #[test]
    fn account_and_slug_are_told_apart_also_where_the_account_has_slashes() {
        let cases = [
            ("user_1/integration/hubspot/credentials", Some(("user_1", "hubspot"))),
            ("a/b@x.com/integration/hubspot/credentials", Some(("a/b@x.com", "hubspot"))),
            ("a/integration/b/integration/c/credentials", Some(("a/integration/b", "c"))),
            ("user_1", None),
            ("user_1/credentials", None),
            ("/integration/hubspot/credentials", None),
            ("user_1/integration//credentials", None),
            ("user_1/integration/hub/spot/credentials", None),
        ];
        for (path, expected) in cases {
            assert_eq!(split(path, "credentials"), expected, "{path}");
        }
    }
}
