//! `/api/v2/public/oauth-client`: the organisation's app registrations at providers.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderValue, header};

use crate::auth::access::KEY_PROBLEMS;
use crate::auth::caller::{Admin, Authorized, Key};
use crate::error::api_error::ApiError;
use crate::error::mapping::failure;
use crate::error::problem::{self, ProblemType};
use crate::handlers::migrate_token::{KEYFERRY_ACTION, warn};
use crate::middleware::trace::RequestId;
use crate::request::body::{BODY_PROBLEMS, RequestBody, not_an_object};
use crate::request::oauth_client_body::OAuthClientBody;
use crate::request::parameters::InPath;
use crate::request::prefer::{EntityTag, precondition};
use crate::responses::json::Json;
use crate::responses::{OAuthClient, OAuthClientDeleted};
use crate::state::Api;
use keyferry_schema::Input;
use keyferry_service::{Caller, DeleteOAuthClient, OAUTH_CLIENT, PutOAuthClient, ServiceError};
use keyferry_types::ids::{InvalidName, OAuthClientName, Slug};

/// What each operation on one client fails with.
const CLIENT_PROBLEMS: [&ProblemType; 4] =
    [&problem::SCOPE_MISSING, &problem::INVALID_PATH, &problem::INVALID_NAME, &problem::KEYS_LOCKED];
/// What storing a client fails with.
const PUT_PROBLEMS: [&ProblemType; 8] = [
    &problem::CUSTOM_APP,
    &problem::UNKNOWN_APP,
    &problem::INVALID_CONTENT,
    &problem::INVALID_HEADER,
    &problem::PRECONDITION_FAILED,
    &problem::TOO_MANY_OAUTH_CLIENTS,
    &problem::CONTENDED,
    &problem::NO_SPACE,
];
/// What deleting a client fails with.
const DELETE_PROBLEMS: [&ProblemType; 8] = [
    &problem::SCOPE_MISSING,
    &problem::INVALID_PATH,
    &problem::INVALID_NAME,
    &problem::OAUTH_CLIENT_UNKNOWN,
    &problem::INVALID_HEADER,
    &problem::PRECONDITION_FAILED,
    &problem::CONTENDED,
    &problem::NO_SPACE,
];

/// `GET`: lists the clients of the environment.
#[utoipa::path(
    get, path = "/api/v2/public/oauth-client", operation_id = "listOauthClients", tag = "OAuth clients",
    summary = "List OAuth clients",
    description = "The OAuth clients of the API key's organisation and environment, by app and name. Takes an API key with the \
        scope `admin`.",
    responses((status = 200, description = "The clients.", body = Vec<OAuthClient>)),
    extensions(("x-problems" = json!([KEY_PROBLEMS, problem::SCOPE_MISSING, problem::KEYS_LOCKED]))),
    security(("org_api_key" = [])),
)]
pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    Authorized { caller, .. }: Authorized<Key, Admin>,
) -> Result<Json<Vec<OAuthClient>>, ApiError> {
    let clients = api.service.oauth_clients(&caller).await.map_err(failure)?;
    Ok(Json(clients.iter().map(OAuthClient::new).collect()))
}

/// `PUT /{slug}`: stores the client called `default`.
#[utoipa::path(
    put, path = "/api/v2/public/oauth-client/{slug}", operation_id = "putOauthClient", tag = "OAuth clients",
    summary = "Store an app's OAuth client",
    description = include_str!("../openapi/oauth_client.md"),
    params(("slug" = String, Path, description = "The app.", min_length = 1, example = "hubspot")),
    request_body = OAuthClientBody,
    responses((status = 200, description = "The client is stored.", body = OAuthClient)),
    extensions(("x-problems" = json!([KEY_PROBLEMS, BODY_PROBLEMS, CLIENT_PROBLEMS, PUT_PROBLEMS]))),
    security(("org_api_key" = [])),
)]
pub(crate) async fn put(
    State(api): State<Arc<Api>>,
    Authorized { caller, .. }: Authorized<Key, Admin>,
    id: RequestId,
    path: Result<InPath<String>, ApiError>,
    body: RequestBody,
) -> Result<Response, ApiError> {
    let InPath(slug) = path?;
    store(&api, caller, id, slug, OAuthClientName::default_name(), body).await
}

/// `PUT /{slug}/{name}`
#[utoipa::path(
    put, path = "/api/v2/public/oauth-client/{slug}/{name}", operation_id = "putNamedOauthClient", tag = "OAuth clients",
    summary = "Store one of several OAuth clients of an app",
    description = "As the operation without a name, which stores the client called `default`. Takes an API key with the scope \
        `admin`.",
    params(
        ("slug" = String, Path, description = "The app.", min_length = 1, example = "hubspot"),
        ("name" = String, Path, description = "The client's name.", pattern = "^[a-z0-9][a-z0-9_-]{0,63}$", example = "eu"),
    ),
    request_body = OAuthClientBody,
    responses((status = 200, description = "The client is stored.", body = OAuthClient)),
    extensions(("x-problems" = json!([KEY_PROBLEMS, BODY_PROBLEMS, CLIENT_PROBLEMS, PUT_PROBLEMS]))),
    security(("org_api_key" = [])),
)]
pub(crate) async fn put_named(
    State(api): State<Arc<Api>>,
    Authorized { caller, .. }: Authorized<Key, Admin>,
    id: RequestId,
    path: Result<InPath<(String, String)>, ApiError>,
    body: RequestBody,
) -> Result<Response, ApiError> {
    let InPath((slug, name)) = path?;
    store(&api, caller, id, slug, client_name(&name)?, body).await
}

/// `GET /{slug}`: shows the client called `default`.
#[utoipa::path(
    get, path = "/api/v2/public/oauth-client/{slug}", operation_id = "getOauthClient", tag = "OAuth clients",
    summary = "Show an app's OAuth client",
    description = "The client called `default`, without its id and its secret. Its `ETag` is the revision of its values, which a \
        refusal by the provider does not change. Takes an API key with the scope `admin`.",
    params(("slug" = String, Path, description = "The app.", pattern = "^[a-z0-9][a-z0-9-]{0,63}$", example = "hubspot")),
    responses((status = 200, description = "The client.", body = OAuthClient)),
    extensions(("x-problems" = json!([KEY_PROBLEMS, CLIENT_PROBLEMS, problem::OAUTH_CLIENT_UNKNOWN]))),
    security(("org_api_key" = [])),
)]
pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    Authorized { caller, .. }: Authorized<Key, Admin>,
    InPath(slug): InPath<String>,
) -> Result<Response, ApiError> {
    shown(&api, &caller, &slug, &OAuthClientName::default_name()).await
}

/// `GET /{slug}/{name}`
#[utoipa::path(
    get, path = "/api/v2/public/oauth-client/{slug}/{name}", operation_id = "getNamedOauthClient", tag = "OAuth clients",
    summary = "Show one of several OAuth clients of an app",
    description = "The client of this name, without its id and its secret. Takes an API key with the scope `admin`.",
    params(
        ("slug" = String, Path, description = "The app.", pattern = "^[a-z0-9][a-z0-9-]{0,63}$", example = "hubspot"),
        ("name" = String, Path, description = "The client's name.", pattern = "^[a-z0-9][a-z0-9_-]{0,63}$", example = "eu"),
    ),
    responses((status = 200, description = "The client.", body = OAuthClient)),
    extensions(("x-problems" = json!([KEY_PROBLEMS, CLIENT_PROBLEMS, problem::OAUTH_CLIENT_UNKNOWN]))),
    security(("org_api_key" = [])),
)]
pub(crate) async fn show_named(
    State(api): State<Arc<Api>>,
    Authorized { caller, .. }: Authorized<Key, Admin>,
    InPath((slug, name)): InPath<(String, String)>,
) -> Result<Response, ApiError> {
    shown(&api, &caller, &slug, &client_name(&name)?).await
}

/// `DELETE /{slug}`: deletes the client called `default`.
#[utoipa::path(
    delete, path = "/api/v2/public/oauth-client/{slug}", operation_id = "deleteOauthClient", tag = "OAuth clients",
    summary = "Delete an app's OAuth client",
    description = "Deletes the client called `default`, for good. Credentials stay, and those whose renewal needs the client are \
        not renewed. Takes an API key with the scope `admin`.",
    params(("slug" = String, Path, description = "The app.", pattern = "^[a-z0-9][a-z0-9-]{0,63}$", example = "hubspot")),
    responses((status = 200, description = "The client was deleted.", body = OAuthClientDeleted)),
    extensions(("x-problems" = json!([KEY_PROBLEMS, DELETE_PROBLEMS]))),
    security(("org_api_key" = [])),
)]
pub(crate) async fn delete(
    State(api): State<Arc<Api>>,
    Authorized { caller, .. }: Authorized<Key, Admin>,
    id: RequestId,
    path: Result<InPath<String>, ApiError>,
    headers: http::HeaderMap,
) -> Result<Json<OAuthClientDeleted>, ApiError> {
    let InPath(slug) = path?;
    remove(&api, caller, id, &slug, OAuthClientName::default_name(), &headers).await
}

/// `DELETE /{slug}/{name}`
#[utoipa::path(
    delete, path = "/api/v2/public/oauth-client/{slug}/{name}", operation_id = "deleteNamedOauthClient", tag = "OAuth clients",
    summary = "Delete one of several OAuth clients of an app",
    description = "Deletes the client of this name, for good. Takes an API key with the scope `admin`.",
    params(
        ("slug" = String, Path, description = "The app.", pattern = "^[a-z0-9][a-z0-9-]{0,63}$", example = "hubspot"),
        ("name" = String, Path, description = "The client's name.", pattern = "^[a-z0-9][a-z0-9_-]{0,63}$", example = "eu"),
    ),
    responses((status = 200, description = "The client was deleted.", body = OAuthClientDeleted)),
    extensions(("x-problems" = json!([KEY_PROBLEMS, DELETE_PROBLEMS]))),
    security(("org_api_key" = [])),
)]
pub(crate) async fn delete_named(
    State(api): State<Arc<Api>>,
    Authorized { caller, .. }: Authorized<Key, Admin>,
    id: RequestId,
    path: Result<InPath<(String, String)>, ApiError>,
    headers: http::HeaderMap,
) -> Result<Json<OAuthClientDeleted>, ApiError> {
    let InPath((slug, name)) = path?;
    remove(&api, caller, id, &slug, client_name(&name)?, &headers).await
}

async fn store(
    api: &Api,
    caller: Caller,
    RequestId(request_id): RequestId,
    slug: String,
    name: OAuthClientName,
    body: RequestBody,
) -> Result<Response, ApiError> {
    let (body, headers) = match body.json_and_headers().await? {
        (body @ Input::Object(_), headers) => (body, headers),
        (other, _) => return Err(not_an_object(other.kind())),
    };
    let precondition = precondition(&headers)?;
    let asked = PutOAuthClient { caller, slug, name, body, precondition, request_id };
    let put = api.service.put_oauth_client(asked).await.map_err(|error| match error {
        ServiceError::Content(violations) => ApiError::flat_violations(&violations, OAUTH_CLIENT),
        error => failure(error),
    })?;
    let mut response = tagged(&put.client);
    let headers = response.headers_mut();
    if let Ok(action) = HeaderValue::from_str(&put.action.to_string()) {
        headers.insert(KEYFERRY_ACTION.clone(), action);
    }
    warn(headers, &put.warnings);
    Ok(response)
}

async fn shown(api: &Api, caller: &Caller, slug: &str, name: &OAuthClientName) -> Result<Response, ApiError> {
    let client = api.service.oauth_client(caller, &app_slug(slug)?, name).await.map_err(failure)?;
    Ok(tagged(&client))
}

async fn remove(
    api: &Api,
    caller: Caller,
    RequestId(request_id): RequestId,
    slug: &str,
    name: OAuthClientName,
    headers: &http::HeaderMap,
) -> Result<Json<OAuthClientDeleted>, ApiError> {
    let (slug, precondition) = (app_slug(slug)?, precondition(headers)?);
    let asked = DeleteOAuthClient { caller, slug, name, precondition, request_id };
    api.service.delete_oauth_client(&asked).await.map_err(failure)?;
    Ok(Json(OAuthClientDeleted::new(asked.slug, asked.name)))
}

/// The client, with its revision as entity tag.
fn tagged(client: &keyferry_service::OAuthClient) -> Response {
    let mut response = Json(OAuthClient::new(client)).into_response();
    if let Ok(tag) = HeaderValue::from_str(&EntityTag(client.revision()).to_string()) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

fn app_slug(text: &str) -> Result<Slug, ApiError> {
    text.parse().map_err(invalid)
}

fn client_name(text: &str) -> Result<OAuthClientName, ApiError> {
    text.parse().map_err(invalid)
}

fn invalid(error: InvalidName) -> ApiError {
    ApiError::new(&problem::INVALID_NAME, error.rule())
}
