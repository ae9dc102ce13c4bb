//! Pausing, resuming, cancelling, trying again, undoing, confirming, deleting.

use std::sync::Arc;

use axum::extract::{FromRequestParts, State};
use http::request::Parts;

use crate::auth::access::KEY_PROBLEMS;
use crate::auth::caller::{Authorized, Key, Migrate};
use crate::error::api_error::ApiError;
use crate::error::problem::{self, ProblemType};
use crate::handlers::imports::failure::failure;
use crate::handlers::imports::key::object_id;
use crate::middleware::detach_on_drop::to_its_end;
use crate::middleware::trace::RequestId;
use crate::request::parameters::InPath;
use crate::responses::Import;
use crate::responses::json::Json;
use crate::state::Api;
use keyferry_imports::Change;
use keyferry_service::Caller;
use keyferry_store::ObjectId;

/// The path segment of each change.
pub(crate) const CHANGES: [(&str, Change); 6] = [
    ("pause", Change::Pause),
    ("resume", Change::Resume),
    ("cancel", Change::Cancel),
    ("retry-failed", Change::RetryFailed),
    ("undo", Change::Undo),
    ("confirm", Change::Confirm),
];

/// What changing or deleting an import fails with.
const CHANGE_PROBLEMS: [&ProblemType; 7] = [
    &problem::SCOPE_MISSING,
    &problem::INVALID_PATH,
    &problem::NO_SUCH_ROUTE,
    &problem::IMPORT_UNKNOWN,
    &problem::IMPORT_STATE,
    &problem::CONTENDED,
    &problem::NO_SPACE,
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
        ("change" = String, Path, description = "The change.", example = "pause"),
    ),
    responses((status = 200, description = "The import as it is now.", body = Import)),
    extensions(("x-problems" = json!([KEY_PROBLEMS, CHANGE_PROBLEMS]))),
    security(("org_api_key" = [])),
)]
pub(crate) async fn change(
    State(api): State<Arc<Api>>,
    Asked { id, change }: Asked,
    Authorized { caller, .. }: Authorized<Key, Migrate>,
    request: RequestId,
) -> Result<Json<Import>, ApiError> {
    carry_out(api, caller, id?, change, request).await
}

/// `DELETE /{id}`.
#[utoipa::path(
    delete, path = "/api/v2/public/imports/{id}", operation_id = "deleteImport", tag = "Imports",
    summary = "Forget an import",
    description = "Deletes an import that has ended, with its ledger and undo data. Stored credentials stay. Takes an API key \
        with the scope `migrate`.",
    params(("id" = String, Path, description = "The import's id.", min_length = 1)),
    responses((status = 200, description = "The import is being deleted.", body = Import)),
    extensions(("x-problems" = json!([KEY_PROBLEMS, CHANGE_PROBLEMS]))),
    security(("org_api_key" = [])),
)]
pub(crate) async fn delete(
    State(api): State<Arc<Api>>,
    Authorized { caller, .. }: Authorized<Key, Migrate>,
    request: RequestId,
    InPath(id): InPath<String>,
) -> Result<Json<Import>, ApiError> {
    carry_out(api, caller, object_id(&id)?, Change::Delete, request).await
}

async fn carry_out(
    api: Arc<Api>,
    caller: Caller,
    id: ObjectId,
    change: Change,
    request: RequestId,
) -> Result<Json<Import>, ApiError> {
    let changed = to_its_end(async move { api.importer.change(&caller, id, change, &request.0).await }).await?;
    Ok(Json(Import::new(&changed.map_err(failure)?)))
}

/// What a path asks for: an import, and a change that there is.
pub(crate) struct Asked {
    id: Result<ObjectId, ApiError>,
    change: Change,
}

impl<S: Send + Sync> FromRequestParts<S> for Asked {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let InPath((id, name)) = InPath::<(String, String)>::from_request_parts(parts, state).await?;
        let Some((_, change)) = CHANGES.into_iter().find(|(known, _)| *known == name) else {
            let message = format!("what can be done is {}", CHANGES.map(|(name, _)| name).join(", "));
            return Err(ApiError::new(&problem::NO_SUCH_ROUTE, message));
        };
        Ok(Self { id: object_id(&id), change })
    }
}
