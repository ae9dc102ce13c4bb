//! What the documented product's SDK for browsers calls, with a session token: who it acts for, which apps there are, connecting
//! and disconnecting one.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::auth::access::{FrontEnd, KEY_PROBLEMS, TOKEN_PROBLEMS};
use crate::auth::caller::{Admin, Authorized, Key, Migrate, Read};
use crate::error::api_error::ApiError;
use crate::error::mapping::store_failure;
use crate::error::problem;
use crate::handlers::application::unknown_app;
use crate::handlers::linked_account::account::{account_key, account_missing};
use crate::handlers::linked_account::integration::disconnect;
use crate::handlers::migrate_token::{CREDENTIAL_PROBLEMS, may_verify};
use crate::handlers::save_credentials::{auth_object, fields, save};
use crate::middleware::trace::RequestId;
use crate::openapi::FlatCredential;
use crate::request::body::{BODY_PROBLEMS, RequestBody};
use crate::request::parameters::{InPath, InQuery};
use crate::responses::json::Json;
use crate::responses::{Application, CredentialSaved, LinkedAccount, OrgBasics};
use crate::state::Api;
use keyferry_service::{Caller, Migration, Precondition, Preferences};
use keyferry_store::AccountView;

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
    extensions(("x-problems" = json!([TOKEN_PROBLEMS, problem::SCOPE_MISSING, problem::ACCOUNT_UNKNOWN]))),
    security(("linked_account_token" = [])),
)]
pub(crate) async fn org_basics(
    State(api): State<Arc<Api>>,
    Authorized { caller, credential: front_end, .. }: Authorized<FrontEnd, Read>,
) -> Result<Json<OrgBasics>, ApiError> {
    let view = seen(&api, &caller, &front_end).await?;
    Ok(Json(OrgBasics::new(&view.account)))
}

/// `GET f-sdk/application`
#[utoipa::path(
    get, path = "/api/v2/f-sdk/application", operation_id = "listApplicationsOfSession", tag = "Front ends",
    summary = "List the apps for a session",
    description = "Every app that serves now, by slug, each with whether the session's linked account is connected to it.",
    responses((status = 200, description = "The apps.", body = Vec<Application>)),
    extensions(("x-problems" = json!([TOKEN_PROBLEMS, problem::SCOPE_MISSING, problem::ACCOUNT_UNKNOWN]))),
    security(("linked_account_token" = [])),
)]
pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    Authorized { caller, credential: front_end, .. }: Authorized<FrontEnd, Read>,
) -> Result<Json<Vec<Application>>, ApiError> {
    let view = seen(&api, &caller, &front_end).await?;
    let apps = api.service.apps();
    Ok(Json(apps.iter().map(|app| Application::new(app, Some(&view.integrations))).collect()))
}

/// `GET f-sdk/application/{slug}`
#[utoipa::path(
    get, path = "/api/v2/f-sdk/application/{slug}", operation_id = "getApplicationOfSession", tag = "Front ends",
    summary = "Show an app for a session",
    description = "One app: what to ask a person for, and whether the session's linked account is connected to it.",
    params(("slug" = String, Path, description = "The app.", min_length = 1, example = "stripe")),
    responses((status = 200, description = "The app.", body = Application)),
    extensions(("x-problems" = json!([
        TOKEN_PROBLEMS, problem::SCOPE_MISSING, problem::INVALID_PATH, problem::ACCOUNT_UNKNOWN,
        problem::APPLICATION_UNKNOWN,
    ]))),
    security(("linked_account_token" = [])),
)]
pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    Authorized { caller, credential: front_end, .. }: Authorized<FrontEnd, Read>,
    slug: Result<InPath<String>, ApiError>,
) -> Result<Json<Application>, ApiError> {
    let view = seen(&api, &caller, &front_end).await?;
    let InPath(slug) = slug?;
    let app = api.service.app(&slug).map_err(|error| unknown_app(&slug, caller.org.as_str(), &error))?;
    Ok(Json(Application::new(&app, Some(&view.integrations))))
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
    extensions(("x-problems" = json!([TOKEN_PROBLEMS, BODY_PROBLEMS, CREDENTIAL_PROBLEMS, problem::INVALID_PATH]))),
    security(("linked_account_token" = [])),
)]
pub(crate) async fn connect(
    State(api): State<Arc<Api>>,
    Authorized { caller, credential: front_end, .. }: Authorized<FrontEnd, Migrate>,
    id: RequestId,
    slug: Result<InPath<String>, ApiError>,
    body: RequestBody,
) -> Result<Response, ApiError> {
    may_verify(&api, &caller)?;
    let InPath(slug) = slug?;
    let (auth_type, auth_object) = auth_object(&api, &slug, None, fields(body).await?)?;
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
    extensions(("x-problems" = json!([
        TOKEN_PROBLEMS, problem::SCOPE_MISSING, problem::INVALID_PATH, problem::INVALID_QUERY, problem::INVALID_NAME,
        problem::ACCOUNT_UNKNOWN, problem::NO_SPACE,
    ]))),
    security(("linked_account_token" = [])),
)]
pub(crate) async fn disconnect_app(
    State(api): State<Arc<Api>>,
    Authorized { caller, credential: front_end, .. }: Authorized<FrontEnd, Admin>,
    id: RequestId,
    InQuery(query): InQuery<OfAuthType>,
    InPath(slug): InPath<String>,
) -> Result<Json<LinkedAccount>, ApiError> {
    let key = account_key(&caller, front_end.account().clone());
    Ok(Json(disconnect(&api, &caller, &key, slug, query.auth_type, id).await?))
}

/// `GET {slug}/integrate`
#[utoipa::path(
    get, path = "/api/v1/{slug}/integrate", operation_id = "integrateApplication", tag = "Front ends",
    summary = "Begin an OAuth connect flow, which this server does not have",
    description = "Always fails: this server has no connect flow. It accepts tokens that you already hold, through \
        migrate-token.",
    params(("slug" = String, Path, description = "The app.", min_length = 1, example = "hubspot")),
    responses(),
    extensions(("x-problems" = json!([TOKEN_PROBLEMS, problem::NO_CONNECT_FLOW]))),
    security(("linked_account_token" = [])),
)]
pub(crate) async fn integrate(_: FrontEnd) -> ApiError {
    no_connect_flow()
}

/// `POST {slug}/integrate`
#[utoipa::path(
    post, path = "/api/v1/{slug}/integrate", operation_id = "integrateApplicationByPost", tag = "Front ends",
    summary = "Begin an OAuth connect flow, which this server does not have",
    description = "As `GET`, for newer SDKs.",
    params(("slug" = String, Path, description = "The app.", min_length = 1, example = "hubspot")),
    responses(),
    extensions(("x-problems" = json!([TOKEN_PROBLEMS, problem::NO_CONNECT_FLOW]))),
    security(("linked_account_token" = [])),
)]
pub(crate) async fn integrate_by_post(_: FrontEnd) -> ApiError {
    no_connect_flow()
}

/// `GET oauth-url/{slug}`
#[utoipa::path(
    get, path = "/api/v2/public/linked-account/integration/oauth-url/{slug}", operation_id = "getOauthUrl", tag = "Credentials",
    summary = "Have the URL of an OAuth connect flow, which this server does not have",
    description = "Always fails: this server has no connect flow. It accepts tokens that you already hold, through \
        migrate-token.",
    params(("slug" = String, Path, description = "The app.", min_length = 1, example = "hubspot")),
    responses(),
    extensions(("x-problems" = json!([KEY_PROBLEMS, problem::NO_CONNECT_FLOW]))),
    security(("org_api_key" = [])),
)]
pub(crate) async fn oauth_url(_: Key) -> ApiError {
    no_connect_flow()
}

fn no_connect_flow() -> ApiError {
    let message = "this server has no OAuth connect flow; put the tokens that you hold onto the linked account by \
                   PUT /api/v2/public/migrate-token";
    ApiError::new(&problem::NO_CONNECT_FLOW, message)
}

/// The front end's account.
async fn seen(api: &Api, caller: &Caller, front_end: &FrontEnd) -> Result<AccountView, ApiError> {
    let key = account_key(caller, front_end.account().clone());
    let view = api.store.account(&key).await.map_err(store_failure)?;
    view.ok_or_else(|| account_missing(caller, key.account.as_str()))
}
