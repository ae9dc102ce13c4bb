//! What the documented product's SDK for browsers calls, with a session token: who it acts for, which apps there are, connecting
//! and disconnecting one.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::auth::access::FrontEnd;
use crate::error::api_error::{ApiError, json as json_answer, rendered};
use crate::error::mapping::store_failure;
use crate::error::problem_type as kind;
use crate::handlers::application::unknown_app;
use crate::handlers::linked_account::integration::disconnect;
use crate::handlers::linked_account::{account_key, account_missing};
use crate::handlers::migrate_token::may_verify;
use crate::handlers::save_credentials::{auth_object, fields, save};
use crate::middleware::trace::RequestId;
use crate::openapi::FlatCredential;
use crate::request::parameters::{self, InPath, InQuery};
use crate::responses::{Application, CredentialSaved, LinkedAccount, OrgBasics};
use crate::state::Api;
use keyferry_service::{Caller, Migration, Precondition, Preferences};
use keyferry_store::{AccountView, Scope};
use keyferry_vault::TokenUse;

/// The auth type of the credential.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct OfAuthType {
    /// Only if it authenticates in this way.
    #[param(pattern = "^[a-z0-9_-]{1,64}$", example = "keybased")]
    auth_type: Option<String>,
}

/// `GET org/basics`
#[utoipa::path(
    get, path = "/api/v3/org/basics", operation_id = "getOrgBasics", tag = "Front ends",
    summary = "Get the organisation and linked account of a session",
    description = "The organisation, environment and linked account of the session token.",
    responses((status = 200, description = "The organisation, environment and linked account of the session token.", body = OrgBasics)),
    security(("linked_account_token" = [])),
)]
pub(crate) async fn org_basics(State(api): State<Arc<Api>>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    rendered(&headers, async {
        let front_end = api.front_end(&headers, query.as_deref(), TokenUse::Access).await?;
        let (_, view) = seen(&api, &front_end).await?;
        Ok(json_answer(StatusCode::OK, &OrgBasics::of(&view.account)))
    })
    .await
}

/// `GET f-sdk/application`
#[utoipa::path(
    get, path = "/api/v2/f-sdk/application", operation_id = "listApplicationsOfSession", tag = "Front ends",
    summary = "List the apps for a session",
    description = "Every app that serves now, by slug, each with whether the session's linked account is connected to it.",
    responses((status = 200, description = "The apps.", body = Vec<Application>)),
    security(("linked_account_token" = [])),
)]
pub(crate) async fn list(State(api): State<Arc<Api>>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    rendered(&headers, async {
        let front_end = api.front_end(&headers, query.as_deref(), TokenUse::Access).await?;
        let (_, view) = seen(&api, &front_end).await?;
        let apps = api.migrator.apps();
        let shown: Vec<_> = apps.iter().map(|app| Application::of(app, Some(&view.integrations))).collect();
        Ok(json_answer(StatusCode::OK, &shown))
    })
    .await
}

/// `GET f-sdk/application/{slug}`
#[utoipa::path(
    get, path = "/api/v2/f-sdk/application/{slug}", operation_id = "getApplicationOfSession", tag = "Front ends",
    summary = "Show an app for a session",
    description = "One app: what to ask a person for, and whether the session's linked account is connected to it.",
    params(("slug" = String, Path, description = "The app.", min_length = 1, example = "stripe")),
    responses((status = 200, description = "The app.", body = Application)),
    security(("linked_account_token" = [])),
)]
pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    slug: InPath,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    rendered(&headers, async {
        let front_end = api.front_end(&headers, query.as_deref(), TokenUse::Access).await?;
        let (caller, view) = seen(&api, &front_end).await?;
        let slug = parameters::path(slug)?;
        let app = api.migrator.app(&slug).map_err(|error| unknown_app(&slug, caller.org.as_str(), &error))?;
        Ok(json_answer(StatusCode::OK, &Application::of(&app, Some(&view.integrations))))
    })
    .await
}

/// `POST app/{slug}/save`
#[utoipa::path(
    post, path = "/api/v2/app/{slug}/save", operation_id = "connectApplication", tag = "Front ends",
    summary = "Connect an app by its key",
    description = "Verifies, encrypts and stores a credential on the session's linked account: what a person has filled into the \
        fields of `auth_input_map`. Headers of migrate-token such as `Prefer` and `Idempotency-Key` are those of a back end, and \
        are not looked at here.",
    params(("slug" = String, Path, description = "The app.", min_length = 1, example = "stripe")),
    request_body = FlatCredential,
    responses((status = 200, description = "The credential is stored.", body = CredentialSaved)),
    security(("linked_account_token" = [])),
)]
pub(crate) async fn connect(
    State(api): State<Arc<Api>>,
    Extension(id): Extension<RequestId>,
    slug: InPath,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Response {
    rendered(&headers, async {
        let front_end = api.front_end(&headers, query.as_deref(), TokenUse::Access).await?;
        let caller = front_end.caller(Scope::Migrate)?;
        may_verify(&api, &caller)?;
        let slug = parameters::path(slug)?;
        let fields = fields(&api, &headers, body).await?;
        let (auth_type, auth_object) = auth_object(&api, &slug, None, fields)?;
        let migration = Migration {
            caller,
            account: front_end.account().clone(),
            slug,
            auth_object,
            precondition: Precondition::None,
            preferences: Preferences::default(),
            // A browser must not use up the idempotency keys of the organisation's back end.
            idempotency_key: None,
            request_id: id.0,
        };
        save(&api, migration, &auth_type).await
    })
    .await
}

/// `DELETE linked-acc/integration/{slug}`
#[utoipa::path(
    delete, path = "/api/v1/linked-acc/integration/{slug}", operation_id = "disconnectApplication", tag = "Front ends",
    summary = "Disconnect an app",
    description = "Deletes the app's credential from the session's linked account, for good, and returns the account without \
        it, also if there was nothing to delete. The API key that the session was made with needs the scope `admin`.",
    params(
        ("slug" = String, Path, description = "The app.", pattern = "^[a-z0-9][a-z0-9-]{0,63}$", example = "stripe"),
        OfAuthType,
    ),
    responses((status = 200, description = "The account without it.", body = LinkedAccount)),
    security(("linked_account_token" = [])),
)]
pub(crate) async fn disconnect_app(
    State(api): State<Arc<Api>>,
    Extension(id): Extension<RequestId>,
    slug: InPath,
    asked: InQuery<OfAuthType>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    rendered(&headers, async {
        let front_end = api.front_end(&headers, query.as_deref(), TokenUse::Access).await?;
        let caller = front_end.caller(Scope::Admin)?;
        let auth_type = parameters::query(asked)?.auth_type;
        let key = account_key(&caller, front_end.account().clone());
        let left = disconnect(&api, &caller, &key, parameters::path(slug)?, auth_type, id).await?;
        Ok(json_answer(StatusCode::OK, &left))
    })
    .await
}

/// `GET {slug}/integrate`
#[utoipa::path(
    get, path = "/api/v1/{slug}/integrate", operation_id = "integrateApplication", tag = "Front ends",
    summary = "Begin an OAuth connect flow, which this server does not have",
    description = "Always fails: this server has no connect flow. It accepts tokens that you already hold, through \
        migrate-token.",
    params(("slug" = String, Path, description = "The app.", min_length = 1, example = "hubspot")),
    responses(),
    security(("linked_account_token" = [])),
)]
pub(crate) async fn integrate(State(api): State<Arc<Api>>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    rendered(&headers, no_connect_flow(&api, &headers, query.as_deref())).await
}

/// `POST {slug}/integrate`
#[utoipa::path(
    post, path = "/api/v1/{slug}/integrate", operation_id = "integrateApplicationByPost", tag = "Front ends",
    summary = "Begin an OAuth connect flow, which this server does not have",
    description = "As `GET`, for newer SDKs.",
    params(("slug" = String, Path, description = "The app.", min_length = 1, example = "hubspot")),
    responses(),
    security(("linked_account_token" = [])),
)]
pub(crate) async fn integrate_by_post(
    State(api): State<Arc<Api>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    rendered(&headers, no_connect_flow(&api, &headers, query.as_deref())).await
}

/// `GET oauth-url/{slug}`
#[utoipa::path(
    get, path = "/api/v2/public/linked-account/integration/oauth-url/{slug}", operation_id = "getOauthUrl", tag = "Credentials",
    summary = "Have the URL of an OAuth connect flow, which this server does not have",
    description = "Always fails: this server has no connect flow. It accepts tokens that you already hold, through \
        migrate-token.",
    params(("slug" = String, Path, description = "The app.", min_length = 1, example = "hubspot")),
    responses(),
    security(("org_api_key" = [])),
)]
pub(crate) async fn oauth_url(State(api): State<Arc<Api>>, headers: HeaderMap) -> Response {
    rendered(&headers, async {
        api.key(&headers).await?;
        Err(no_flow())
    })
    .await
}

async fn no_connect_flow(api: &Api, headers: &HeaderMap, query: Option<&str>) -> Result<Response, ApiError> {
    api.front_end(headers, query, TokenUse::Access).await?;
    Err(no_flow())
}

fn no_flow() -> ApiError {
    let message = "this server has no OAuth connect flow; put the tokens that you hold onto the linked account by \
                   PUT /api/v2/public/migrate-token";
    ApiError::new(&kind::NO_CONNECT_FLOW, message)
}

/// The front end's account, if its session's API key may read.
async fn seen(api: &Api, front_end: &FrontEnd) -> Result<(Caller, AccountView), ApiError> {
    let caller = front_end.caller(Scope::Read)?;
    let key = account_key(&caller, front_end.account().clone());
    let view = api.store.account(&key).await.map_err(store_failure)?;
    let view = view.ok_or_else(|| account_missing(&caller, key.account.as_str()))?;
    Ok((caller, view))
}
