//! `/api/v2/public/webhook`: receivers of connection events.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;

use crate::auth::access::KEY_PROBLEMS;
use crate::auth::caller::{Admin, Authorized, Key, Read};
use crate::error::api_error::ApiError;
use crate::error::mapping::{store_failure, vault_failure};
use crate::error::problem::{self, ProblemType};
use crate::middleware::trace::RequestId;
use crate::request::body::{BODY_PROBLEMS, RequestBody};
use crate::request::parameters::InPath;
use crate::request::webhook_body::{WebhookBody, WebhookChangeBody, change_of, new_of};
use crate::responses::json::Json;
use crate::responses::secret_json::secret_json;
use crate::responses::{Webhook, WebhookCreated, WebhookShown};
use crate::state::Api;
use keyferry_store::{ObjectId, WebhookRecord};
use keyferry_webhooks::WebhookError;

/// What describing a webhook fails with.
const WEBHOOK_PROBLEMS: [&ProblemType; 6] = [
    &problem::SCOPE_MISSING,
    &problem::INVALID_EVENT,
    &problem::WEBHOOK_INVALID,
    &problem::WEBHOOK_NOT_SUPPORTED,
    &problem::KEYS_LOCKED,
    &problem::NO_SPACE,
];

/// `POST`: registers.
#[utoipa::path(
    post, path = "/api/v2/public/webhook", operation_id = "createWebhook", tag = "Webhooks",
    summary = "Register a webhook",
    description = include_str!("../openapi/webhook.md"),
    request_body = WebhookBody, responses((status = 200, description = "The webhook was registered.", body = WebhookCreated)),
    extensions(("x-problems" = json!([
        KEY_PROBLEMS, BODY_PROBLEMS, WEBHOOK_PROBLEMS, problem::TOO_MANY_WEBHOOKS, problem::CONTENDED,
    ]))),
    security(("org_api_key" = [])),
)]
pub(crate) async fn create(
    State(api): State<Arc<Api>>,
    Authorized { caller, .. }: Authorized<Key, Admin>,
    id: RequestId,
    body: RequestBody,
) -> Result<Response, ApiError> {
    let new = new_of(body.json().await?, &api.webhooks)?;
    let registered = api.webhooks.register(&caller, new, &id.0).await.map_err(failure)?;
    secret_json(&WebhookCreated::new(registered))
}

/// `GET`: lists the webhooks of the environment.
#[utoipa::path(
    get, path = "/api/v2/public/webhook", operation_id = "listWebhooks", tag = "Webhooks",
    summary = "List webhooks",
    description = "The webhooks of the API key's organisation and environment, oldest first. Takes an API key with the scope \
        `read`.",
    responses((status = 200, description = "The webhooks.", body = Vec<Webhook>)),
    extensions(("x-problems" = json!([KEY_PROBLEMS, problem::SCOPE_MISSING]))),
    security(("org_api_key" = [])),
)]
pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    Authorized { caller, .. }: Authorized<Key, Read>,
) -> Result<Json<Vec<Webhook>>, ApiError> {
    Ok(shown(&api.webhooks.list(&caller).await.map_err(failure)?))
}

/// `GET /{id}`.
#[utoipa::path(
    get, path = "/api/v2/public/webhook/{id}", operation_id = "getWebhook", tag = "Webhooks",
    summary = "Show a webhook and its deliveries",
    description = "The webhook, its number of waiting deliveries, and the failed deliveries of a week. Takes an API key with \
        the scope `read`.",
    params(("id" = String, Path, description = "The webhook's id.", min_length = 1)),
    responses((status = 200, description = "The webhook.", body = WebhookShown)),
    extensions(("x-problems" = json!([
        KEY_PROBLEMS, problem::SCOPE_MISSING, problem::INVALID_PATH, problem::WEBHOOK_UNKNOWN,
    ]))),
    security(("org_api_key" = [])),
)]
pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    Authorized { caller, .. }: Authorized<Key, Read>,
    InPath(id): InPath<String>,
) -> Result<Json<WebhookShown>, ApiError> {
    let (record, log) = api.webhooks.show(&caller, webhook_id(&id)?).await.map_err(failure)?;
    Ok(Json(WebhookShown::new(&record, &log)))
}

/// `PUT /{id}`: changes what is given and leaves the rest.
#[utoipa::path(
    put, path = "/api/v2/public/webhook/{id}", operation_id = "updateWebhook", tag = "Webhooks",
    summary = "Change a webhook",
    description = "Sets the given members and leaves the rest. Waiting deliveries use the new settings, too. A \
        header whose value is `***` stays as it is stored, so that a response can be sent back as a request. Takes an API key with the \
        scope `admin`.",
    params(("id" = String, Path, description = "The webhook's id.", min_length = 1)),
    request_body = WebhookChangeBody, responses((status = 200, description = "The webhook as changed.", body = Webhook)),
    extensions(("x-problems" = json!([
        KEY_PROBLEMS, BODY_PROBLEMS, WEBHOOK_PROBLEMS, problem::INVALID_PATH, problem::WEBHOOK_UNKNOWN, problem::CONTENDED,
    ]))),
    security(("org_api_key" = [])),
)]
pub(crate) async fn update(
    State(api): State<Arc<Api>>,
    Authorized { caller, .. }: Authorized<Key, Admin>,
    request: RequestId,
    InPath(id): InPath<String>,
    body: RequestBody,
) -> Result<Json<Webhook>, ApiError> {
    let id = webhook_id(&id)?;
    let change = change_of(body.json().await?, &api.webhooks)?;
    let record = api.webhooks.change(&caller, id, change, &request.0).await.map_err(failure)?;
    Ok(Json(Webhook::new(&record)))
}

/// `DELETE /{id}`: responds with those that remain.
#[utoipa::path(
    delete, path = "/api/v2/public/webhook/{id}", operation_id = "deleteWebhook", tag = "Webhooks",
    summary = "Delete a webhook",
    description = "Deletes the webhook and its waiting deliveries, and returns the remaining webhooks. Takes an API key with \
        the scope `admin`.",
    params(("id" = String, Path, description = "The webhook's id.", min_length = 1)),
    responses((status = 200, description = "The remaining webhooks.", body = Vec<Webhook>)),
    extensions(("x-problems" = json!([
        KEY_PROBLEMS, problem::SCOPE_MISSING, problem::INVALID_PATH, problem::WEBHOOK_UNKNOWN, problem::NO_SPACE,
    ]))),
    security(("org_api_key" = [])),
)]
pub(crate) async fn delete(
    State(api): State<Arc<Api>>,
    Authorized { caller, .. }: Authorized<Key, Admin>,
    request: RequestId,
    InPath(id): InPath<String>,
) -> Result<Json<Vec<Webhook>>, ApiError> {
    let remaining = api.webhooks.delete(&caller, webhook_id(&id)?, &request.0).await.map_err(failure)?;
    Ok(shown(&remaining))
}

fn shown(records: &[WebhookRecord]) -> Json<Vec<Webhook>> {
    Json(records.iter().map(Webhook::new).collect())
}

/// The id in the path. A malformed id is treated as unknown.
fn webhook_id(text: &str) -> Result<ObjectId, ApiError> {
    text.parse().map_err(|_| failure(WebhookError::Missing))
}

fn failure(error: WebhookError) -> ApiError {
    let message = error.to_string();
    match error {
        WebhookError::Missing => ApiError::new(&problem::WEBHOOK_UNKNOWN, message),
        WebhookError::TooMany { .. } => ApiError::new(&problem::TOO_MANY_WEBHOOKS, message),
        WebhookError::NothingToKeep | WebhookError::Headers(_) => ApiError::new(&problem::WEBHOOK_INVALID, message),
        WebhookError::Contended => {
            ApiError::new(&problem::CONTENDED, message).retry_after(Some(Duration::from_secs(1)))
        }
        WebhookError::StoreNotReady => ApiError::internal(&error),
        WebhookError::Store(error) => store_failure(error),
        WebhookError::Vault(error) => vault_failure(&error),
    }
}
