//! `POST /api/v2/public/linked-account/{account}/integration/{slug}/verify`: whether a stored credential works still.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, HeaderValue, Uri, header};

use crate::auth::access::KEY_PROBLEMS;
use crate::error::api_error::ApiError;
use crate::error::mapping::failure;
use crate::error::problem;
use crate::error::routing::not_taken;
use crate::handlers::credentials::{addressed, no_integration};
use crate::handlers::linked_account::account::account_missing;
use crate::handlers::migrate_token::{KEYFERRY_OUTCOME, counts, may_verify, revision_tag};
use crate::middleware::detach_on_drop::to_its_end;
use crate::middleware::rate;
use crate::middleware::trace::RequestId;
use crate::request::account_name::check_path;
use crate::request::parameters::InPath;
use crate::responses::CredentialChecked;
use crate::responses::json::Json;
use crate::state::Api;
use keyferry_sandbox::Verdict;
use keyferry_service::{Reverified, ServiceError, VerifyStored};
use keyferry_store::Scope;
use keyferry_types::ids::Slug;

/// The route that takes an account's id with slashes in it, and with it all that is below.
pub(crate) const BELOW_ACCOUNTS: &str = "/api/v2/public/linked-account/{*account}";
/// What is taken there besides.
const WITHOUT_POST: HeaderValue = HeaderValue::from_static("GET,HEAD,DELETE");

/// `Allow`, where `POST` is not one of the methods: the router takes it for all paths below an account's id.
pub(crate) fn allow_without_post(mut response: Response) -> Response {
    response.headers_mut().insert(header::ALLOW, WITHOUT_POST);
    response
}

/// Has the plugin verify what is stored. In the API's description it has the path that it is known by; the router has none for
/// it.
///
/// The work completes even if the caller disconnects, so that the verdict is always recorded.
#[utoipa::path(
    post, path = "/api/v2/public/linked-account/{*account}", operation_id = "verifyCredentials", tag = "Credentials",
    summary = "Verify a stored credential again",
    description = "Has the app's plugin verify the credential that is stored, as when it was migrated. The result is recorded \
        on the integration as `last_check`. A credential that the provider rejects is `expired` and needs its user \
        (`reauth_required`), until it is replaced or verifies again; the transition sends `Connection Expired` to webhooks. \
        An outage or a rate limit of the provider changes none of these. Takes an API key with the scope `migrate`.",
    params(
        ("account" = String, Path, description = "Your own id of the linked account. Slashes can stay as they are.",
            min_length = 1),
        ("slug" = String, Path, description = "The app.", min_length = 1, example = "hubspot"),
    ),
    responses((status = 200, description = "The verdict, positive or negative.", body = CredentialChecked)),
    extensions(("x-problems" = json!([
        KEY_PROBLEMS, problem::SCOPE_MISSING, problem::ACCOUNT_CONFLICT, problem::KEYS_LOCKED, problem::TOO_MANY_FAILED,
        problem::INVALID_PATH, problem::ACCOUNT_UNKNOWN, problem::NO_SUCH_INTEGRATION, problem::APP_AWAY,
        problem::CREDENTIAL_OUTDATED, problem::CONTENDED, problem::NO_SPACE, problem::BUSY, problem::PLUGIN_TIMEOUT,
        problem::PLUGIN_FAILED,
    ]))),
    security(("org_api_key" = [])),
)]
pub(crate) async fn verify(
    State(api): State<Arc<Api>>,
    id: RequestId,
    InPath(path): InPath<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let Some((account, slug)) = addressed(&uri, "verify") else {
        let path = format!("/api/v2/public/linked-account/{path}");
        return Err(not_taken(&http::Method::POST, &path, ["GET", "DELETE"]).header(header::ALLOW, WITHOUT_POST));
    };
    let caller = api.caller(&headers, Scope::Migrate).await?;
    may_verify(&api, &caller)?;
    check_path(&headers, uri.query(), &account)?;
    let missing = account_missing(&caller, &account);
    let Ok(account) = account.parse() else { return Err(missing) };
    let parsed: Slug = slug.parse().map_err(|_| no_integration(&api, &slug))?;
    let asked = VerifyStored { caller: caller.clone(), account, slug: parsed, request_id: id.0 };
    let service = Arc::clone(&api.service);
    let verified = to_its_end(async move { service.verify_stored(&asked).await }).await?;
    if counts(verified.as_ref().map(|found| found.as_ref().map(|reverified| &reverified.verdict))) {
        rate::note_rejections(api.service.rejection_limit(&caller));
    }
    match verified {
        Ok(Some(reverified)) => Ok(checked(&reverified)),
        Ok(None) => Err(no_integration(&api, &slug)),
        Err(ServiceError::AccountMissing { .. }) => Err(missing),
        Err(
            error @ (ServiceError::UnknownApp { .. } | ServiceError::AppNotInService { .. } | ServiceError::CustomApp),
        ) => {
            let message = format!("the credential cannot be verified now: {error}");
            Err(ApiError::new(&problem::APP_AWAY, message))
        }
        Err(error) => Err(failure(error)),
    }
}

fn checked(reverified: &Reverified) -> Response {
    let mut response = Json(CredentialChecked::new(reverified)).into_response();
    let outcome = match reverified.verdict {
        Verdict::Verified(_) => "verified",
        Verdict::Failed(_) => "not-verified",
    };
    let headers = response.headers_mut();
    headers.insert(KEYFERRY_OUTCOME.clone(), HeaderValue::from_static(outcome));
    if let Some(tag) = revision_tag(&reverified.record) {
        headers.insert(header::ETAG, tag);
    }
    response
}
