//! Pausing, resuming, cancelling, trying again, undoing, confirming, deleting.

use std::sync::Arc;

use axum::Extension;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};

use crate::error::api_error::{ApiError, json as json_answer, rendered};
use crate::error::problem_type as kind;
use crate::handlers::imports::failure;
use crate::handlers::imports::object_id;
use crate::middleware::detach_on_drop::to_its_end;
use crate::middleware::trace::RequestId;
use crate::request::parameters::{self, InPath};
use crate::responses::Import;
use crate::state::Api;
use keyferry_imports::Change;
use keyferry_store::{ObjectId, Scope};

/// The path segment of each change.
const CHANGES: [(&str, Change); 6] = [
    ("pause", Change::Pause),
    ("resume", Change::Resume),
    ("cancel", Change::Cancel),
    ("retry-failed", Change::RetryFailed),
    ("undo", Change::Undo),
    ("confirm", Change::Confirm),
];

/// `POST /{id}/{change}`.
#[utoipa::path(
    post, path = "/api/v2/public/imports/{id}/{change}", operation_id = "changeImport", tag = "Imports",
    summary = "Pause, resume, cancel, retry, undo or confirm an import",
    description = "`pause` and `resume` do what they say; `resume` also resumes an import that has stopped on its own. `cancel` \
        ends the import; rows that are not settled stay as they are. `retry-failed` retries rows that failed for a temporary \
        reason: rate-limited, unreachable, provider error; never rejected ones. `undo` restores what each row replaced and \
        removes what it created, unless it was changed since. `confirm` deletes the undo data. Takes an API key with the scope \
        `migrate`.",
    params(
        ("id" = String, Path, description = "The import's id.", min_length = 1),
        ("change" = String, Path, description = "The change.", pattern = "^(pause|resume|cancel|retry-failed|undo|confirm)$",
            example = "pause"),
    ),
    responses((status = 200, description = "The import as it is now.", body = Import)),
    security(("org_api_key" = [])),
)]
pub(crate) async fn change(
    State(api): State<Arc<Api>>,
    Extension(request): Extension<RequestId>,
    path: Result<Path<(String, String)>, PathRejection>,
    headers: HeaderMap,
) -> Response {
    rendered(&headers, async {
        let (id, name) = path
            .map(|Path(parts)| parts)
            .map_err(|rejection| ApiError::new(&kind::INVALID_PATH, format!("the path is not valid: {rejection}")))?;
        let Some((_, change)) = CHANGES.into_iter().find(|(known, _)| *known == name) else {
            let message = format!("what can be done is {}", CHANGES.map(|(name, _)| name).join(", "));
            return Err(ApiError::new(&kind::NO_SUCH_ROUTE, message));
        };
        carry_out(&api, request, object_id(&id), change, &headers).await
    })
    .await
}

/// `DELETE /{id}`.
#[utoipa::path(
    delete, path = "/api/v2/public/imports/{id}", operation_id = "deleteImport", tag = "Imports",
    summary = "Forget an import",
    description = "Deletes an import that has ended, with its ledger and undo data. Stored credentials stay. Takes an API key \
        with the scope `migrate`.",
    params(("id" = String, Path, description = "The import's id.", min_length = 1)),
    responses((status = 200, description = "The import is being deleted.", body = Import)),
    security(("org_api_key" = [])),
)]
pub(crate) async fn delete(
    State(api): State<Arc<Api>>,
    Extension(request): Extension<RequestId>,
    id: InPath,
    headers: HeaderMap,
) -> Response {
    rendered(&headers, async {
        let id = parameters::path(id).and_then(|id| object_id(&id));
        carry_out(&api, request, id, Change::Delete, &headers).await
    })
    .await
}

async fn carry_out(
    api: &Arc<Api>,
    request: RequestId,
    id: Result<ObjectId, ApiError>,
    change: Change,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    let caller = api.caller(headers, Scope::Migrate).await?;
    let (api, id) = (Arc::clone(api), id?);
    let changed = to_its_end(async move { api.importer.change(&caller, id, change, &request.0).await }).await?;
    Ok(json_answer(StatusCode::OK, &Import::of(&changed.map_err(failure)?)))
}
