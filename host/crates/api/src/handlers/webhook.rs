//! `/api/v2/public/webhook`: receivers of connection events.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode};

use crate::error::api_error::{ApiError, Rendering, json as json_answer};
use crate::error::mapping::{store_failure, vault_failure};
use crate::error::problem_type as kind;
use crate::middleware::trace::RequestId;
use crate::request::body;
use crate::request::parameters::{self, InPath};
use crate::request::webhook_body::{WebhookBody, WebhookChangeBody, change_of, new_of};
use crate::responses::secret_json::secret_json;
use crate::responses::{Webhook, WebhookCreated, WebhookShown};
use crate::state::Api;
use keyferry_store::{ObjectId, Scope, WebhookRecord};
use keyferry_webhooks::WebhookError;

/// `POST`: registers.
#[utoipa::path(
    post, path = "/api/v2/public/webhook", operation_id = "createWebhook", tag = "Webhooks",
    summary = "Register a webhook",
    description = include_str!("../openapi/webhook.md"),
    request_body = WebhookBody, responses((status = 200, description = "The webhook was registered.", body = WebhookCreated)),
    security(("org_api_key" = [])),
)]
pub(crate) async fn create(
    State(api): State<Arc<Api>>,
    Extension(id): Extension<RequestId>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let answer = async {
        let caller = api.caller(&headers, Scope::Admin).await?;
        let body = body::json(&headers, body, api.body_timeout).await?;
        let new = new_of(body, &api.webhooks)?;
        let registered = api.webhooks.register(&caller, new, &id.0).await.map_err(failure)?;
        secret_json(&WebhookCreated::of(registered))
    };
    answer.await.unwrap_or_else(|failure: ApiError| failure.render(Rendering::of(&headers)))
}

/// `GET`: lists the webhooks of the environment.
#[utoipa::path(
    get, path = "/api/v2/public/webhook", operation_id = "listWebhooks", tag = "Webhooks",
    summary = "List webhooks",
    description = "The webhooks of the API key's organisation and environment, oldest first. Takes an API key with the scope \
        `read`.",
    responses((status = 200, description = "The webhooks.", body = Vec<Webhook>)),
    security(("org_api_key" = [])),
)]
pub(crate) async fn list(State(api): State<Arc<Api>>, headers: HeaderMap) -> Response {
    let answer = async {
        let caller = api.caller(&headers, Scope::Read).await?;
        Ok(shown(&api.webhooks.list(&caller).await.map_err(failure)?))
    };
    answer.await.unwrap_or_else(|failure: ApiError| failure.render(Rendering::of(&headers)))
}

/// `GET /{id}`.
#[utoipa::path(
    get, path = "/api/v2/public/webhook/{id}", operation_id = "getWebhook", tag = "Webhooks",
    summary = "Show a webhook and its deliveries",
    description = "The webhook, its number of waiting deliveries, and the failed deliveries of a week. Takes an API key with \
        the scope `read`.",
    params(("id" = String, Path, description = "The webhook's id.", min_length = 1)),
    responses((status = 200, description = "The webhook.", body = WebhookShown)),
    security(("org_api_key" = [])),
)]
pub(crate) async fn show(State(api): State<Arc<Api>>, id: InPath, headers: HeaderMap) -> Response {
    let answer = async {
        let caller = api.caller(&headers, Scope::Read).await?;
        let (record, log) = api.webhooks.show(&caller, webhook_id(id)?).await.map_err(failure)?;
        Ok(json_answer(StatusCode::OK, &WebhookShown::of(&record, &log)))
    };
    answer.await.unwrap_or_else(|failure: ApiError| failure.render(Rendering::of(&headers)))
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
    security(("org_api_key" = [])),
)]
pub(crate) async fn update(
    State(api): State<Arc<Api>>,
    Extension(request): Extension<RequestId>,
    id: InPath,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let answer = async {
        let caller = api.caller(&headers, Scope::Admin).await?;
        let id = webhook_id(id)?;
        let body = body::json(&headers, body, api.body_timeout).await?;
        let change = change_of(body, &api.webhooks)?;
        let record = api.webhooks.change(&caller, id, change, &request.0).await.map_err(failure)?;
        Ok(json_answer(StatusCode::OK, &Webhook::of(&record)))
    };
    answer.await.unwrap_or_else(|failure: ApiError| failure.render(Rendering::of(&headers)))
}

/// `DELETE /{id}`: answered with those that remain.
#[utoipa::path(
    delete, path = "/api/v2/public/webhook/{id}", operation_id = "deleteWebhook", tag = "Webhooks",
    summary = "Delete a webhook",
    description = "Deletes the webhook and its waiting deliveries, and returns the remaining webhooks. Takes an API key with \
        the scope `admin`.",
    params(("id" = String, Path, description = "The webhook's id.", min_length = 1)),
    responses((status = 200, description = "The remaining webhooks.", body = Vec<Webhook>)),
    security(("org_api_key" = [])),
)]
pub(crate) async fn delete(
    State(api): State<Arc<Api>>,
    Extension(request): Extension<RequestId>,
    id: InPath,
    headers: HeaderMap,
) -> Response {
    let answer = async {
        let caller = api.caller(&headers, Scope::Admin).await?;
        let remaining = api.webhooks.delete(&caller, webhook_id(id)?, &request.0).await.map_err(failure)?;
        Ok(shown(&remaining))
    };
    answer.await.unwrap_or_else(|failure: ApiError| failure.render(Rendering::of(&headers)))
}

fn shown(records: &[WebhookRecord]) -> Response {
    json_answer(StatusCode::OK, &records.iter().map(Webhook::of).collect::<Vec<_>>())
}

/// The id in the path. A malformed id is treated as unknown.
fn webhook_id(found: InPath) -> Result<ObjectId, ApiError> {
    parameters::path(found)?.parse().map_err(|_| failure(WebhookError::Missing))
}

fn failure(error: WebhookError) -> ApiError {
    let message = error.to_string();
    match error {
        WebhookError::Missing => ApiError::new(&kind::WEBHOOK_UNKNOWN, message),
        WebhookError::TooMany { .. } => ApiError::new(&kind::TOO_MANY_WEBHOOKS, message),
        WebhookError::NothingToKeep | WebhookError::Headers(_) => ApiError::new(&kind::WEBHOOK_INVALID, message),
        WebhookError::Contended => ApiError::new(&kind::CONTENDED, message).retry_after(Some(Duration::from_secs(1))),
        WebhookError::StoreNotReady => ApiError::internal(&error),
        WebhookError::Store(error) => store_failure(error),
        WebhookError::Vault(error) => vault_failure(&error),
    }
}
