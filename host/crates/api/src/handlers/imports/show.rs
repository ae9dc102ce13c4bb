//! Lists imports and shows one.

use std::sync::Arc;

use axum::extract::State;

use crate::auth::access::KEY_PROBLEMS;
use crate::auth::caller::{Authorized, Key, Read};
use crate::error::api_error::ApiError;
use crate::error::problem;
use crate::handlers::imports::failure::failure;
use crate::handlers::imports::key::key;
use crate::request::parameters::InPath;
use crate::responses::json::Json;
use crate::responses::{Import, Imports};
use crate::state::Api;

/// `GET`: lists the imports of the environment.
#[utoipa::path(
    get, path = "/api/v2/public/imports", operation_id = "listImports", tag = "Imports",
    summary = "List imports",
    description = "The imports of the API key's organisation and environment, newest first. Takes an API key with the scope \
        `read`.",
    responses((status = 200, description = "The imports.", body = Imports)),
    extensions(("x-problems" = json!([KEY_PROBLEMS, problem::SCOPE_MISSING]))),
    security(("org_api_key" = [])),
)]
pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    Authorized { caller, .. }: Authorized<Key, Read>,
) -> Result<Json<Imports>, ApiError> {
    let views = api.importer.list(&caller).await.map_err(failure)?;
    Ok(Json(Imports::new(&views)))
}

/// `GET /{id}`.
#[utoipa::path(
    get, path = "/api/v2/public/imports/{id}", operation_id = "getImport", tag = "Imports",
    summary = "Show an import and its progress",
    description = "The import's state, its rows by outcome and app, its rate and what waits. Takes an API key with \
        the scope `read`.",
    params(("id" = String, Path, description = "The import's id.", min_length = 1)),
    responses((status = 200, description = "The import.", body = Import)),
    extensions(("x-problems" = json!([
        KEY_PROBLEMS, problem::SCOPE_MISSING, problem::INVALID_PATH, problem::IMPORT_UNKNOWN,
    ]))),
    security(("org_api_key" = [])),
)]
pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    Authorized { caller, .. }: Authorized<Key, Read>,
    InPath(id): InPath<String>,
) -> Result<Json<Import>, ApiError> {
    let view = api.importer.show(&key(&caller, &id)?).await.map_err(failure)?;
    Ok(Json(Import::new(&view)))
}
