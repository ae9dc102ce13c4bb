//! `POST /api/v2/public/linked-account/{account}/integration/{slug}/verify`: whether a stored credential works still.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::error::api_error::{ApiError, Rendering, json as json_answer};
use crate::error::mapping::failure;
use crate::error::problem_type as kind;
use crate::error::routing::not_taken;
use crate::handlers::credentials::{no_integration, split};
use crate::handlers::linked_account::account_missing;
use crate::handlers::migrate_token::{KEYFERRY_OUTCOME, counts, may_verify, revision_tag};
use crate::middleware::detach_on_drop::to_its_end;
use crate::middleware::rate;
use crate::middleware::trace::RequestId;
use crate::request::account_name::check_path;
use crate::request::parameters::{self, InPath};
use crate::responses::CredentialChecked;
use crate::state::Api;
use keyferry_sandbox::Verdict;
use keyferry_service::{Reverified, ServiceError, VerifyStored};
use keyferry_store::Scope;
use keyferry_types::ids::Slug;

/// The route that takes an account's id with slashes in it, and with it all that is below.
pub(crate) const BELOW_ACCOUNTS: &str = "/api/v2/public/linked-account/{*account}";
/// What is taken there besides.
const WITHOUT_POST: HeaderValue = HeaderValue::from_static("GET,HEAD,DELETE");

/// Whether a path below `linked-account/` is one of these.
pub(crate) fn is_verification(path: &str) -> bool {
    split(path, "verify").is_some()
}

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
    security(("org_api_key" = [])),
)]
pub(crate) async fn verify(
    State(api): State<Arc<Api>>,
    Extension(id): Extension<RequestId>,
    account: InPath,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let rendering = Rendering::of(&headers);
    let path = match parameters::path(account) {
        Ok(path) => path,
        Err(failure) => return failure.render(rendering),
    };
    let Some((account, slug)) = split(&path, "verify") else {
        return allow_without_post(not_taken(
            &http::Method::POST,
            &format!("/api/v2/public/linked-account/{path}"),
            rendering,
        ));
    };
    match verified(&api, id, (account, slug), query.as_deref(), &headers).await {
        Ok(response) => response,
        Err(failure) => failure.render(rendering),
    }
}

async fn verified(
    api: &Arc<Api>,
    id: RequestId,
    (account, slug): (&str, &str),
    query: Option<&str>,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    let caller = api.caller(headers, Scope::Migrate).await?;
    may_verify(api, &caller)?;
    check_path(headers, query, account)?;
    let missing = account_missing(&caller, account);
    let Ok(account) = account.parse() else { return Err(missing) };
    let parsed: Slug = slug.parse().map_err(|_| no_integration(api, slug))?;
    let asked = VerifyStored { caller: caller.clone(), account, slug: parsed, request_id: id.0 };
    let verifier = Arc::clone(api);
    let verified = to_its_end(async move { verifier.migrator.verify_stored(&asked).await }).await?;
    if counts(verified.as_ref().map(|found| found.as_ref().map(|reverified| &reverified.verdict))) {
        rate::turned_away(api.migrator.rejection_limit(&caller));
    }
    match verified {
        Ok(Some(reverified)) => Ok(answer(&reverified)),
        Ok(None) => Err(no_integration(api, slug)),
        Err(ServiceError::AccountMissing { .. }) => Err(missing),
        Err(
            error @ (ServiceError::UnknownApp { .. } | ServiceError::AppNotInService { .. } | ServiceError::CustomApp),
        ) => {
            let message = format!("the credential cannot be verified now: {error}");
            Err(ApiError::new(&kind::APP_AWAY, message))
        }
        Err(error) => Err(failure(error)),
    }
}

fn answer(reverified: &Reverified) -> Response {
    let mut response = json_answer(StatusCode::OK, &CredentialChecked::of(reverified));
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
