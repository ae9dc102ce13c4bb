//! Lists imports and shows one.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode};

use crate::error::api_error::{json as json_answer, rendered};
use crate::handlers::imports::failure;
use crate::handlers::imports::key;
use crate::request::parameters::InPath;
use crate::responses::{Import, Imports};
use crate::state::Api;
use keyferry_store::Scope;

/// `GET`: lists the imports of the environment.
#[utoipa::path(
    get, path = "/api/v2/public/imports", operation_id = "listImports", tag = "Imports",
    summary = "List imports",
    description = "The imports of the API key's organisation and environment, newest first. Takes an API key with the scope \
        `read`.",
    responses((status = 200, description = "The imports.", body = Imports)),
    security(("org_api_key" = [])),
)]
pub(crate) async fn list(State(api): State<Arc<Api>>, headers: HeaderMap) -> Response {
    rendered(&headers, async {
        let caller = api.caller(&headers, Scope::Read).await?;
        let records = api.importer.list(&caller).await.map_err(failure)?;
        Ok(json_answer(StatusCode::OK, &Imports::of(&records)))
    })
    .await
}

/// `GET /{id}`.
#[utoipa::path(
    get, path = "/api/v2/public/imports/{id}", operation_id = "getImport", tag = "Imports",
    summary = "Show an import and its progress",
    description = "The import's state, its rows by outcome and app, its rate and what waits. Takes an API key with \
        the scope `read`.",
    params(("id" = String, Path, description = "The import's id.", min_length = 1)),
    responses((status = 200, description = "The import.", body = Import)),
    security(("org_api_key" = [])),
)]
pub(crate) async fn show(State(api): State<Arc<Api>>, id: InPath, headers: HeaderMap) -> Response {
    rendered(&headers, async {
        let caller = api.caller(&headers, Scope::Read).await?;
        let view = api.importer.show(&key(&caller, id)?).await.map_err(failure)?;
        Ok(json_answer(StatusCode::OK, &Import::of(&view)))
    })
    .await
}
