//! A backup of the store, as bytes: the one response that is no JSON.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::get;
use futures_util::TryStreamExt as _;
use http::{HeaderValue, header};
use http_body_util::BodyExt as _;
use utoipa::openapi::path::{OperationBuilder, Paths};
use utoipa::openapi::schema::{Object, SchemaFormat, Type};
use utoipa::openapi::{HttpMethod, KnownFormat, ObjectBuilder, Ref};
use utoipa_axum::router::UtoipaMethodRouter;

use crate::admin::error::AdminError;
use crate::admin::openapi::response;
use crate::admin::operator::Operator;
use crate::admin::response::PROBLEM_JSON;
use keyferry_store::backup::{self, BackupStream};

/// Where backups are.
pub(super) const PATH: &str = "/admin/v1/backup";
/// The media type of a backup.
const BYTES: &str = "application/octet-stream";

/// The handler, and its description.
pub(super) fn route() -> UtoipaMethodRouter<Operator> {
    let operation = OperationBuilder::new()
        .operation_id(Some("takeBackup"))
        .summary(Some("Writes a backup: all content of the store as it is at one moment, while it is served."))
        .description(Some("A response that breaks off is no backup. `keyferry backup --verify` checks one."))
        .response("200", response("The backup.", BYTES, bytes().into()))
        .response("default", response("The error.", PROBLEM_JSON, Ref::from_schema_name("Problem").into()));
    let mut paths = Paths::new();
    paths.add_path_operation(PATH, vec![HttpMethod::Get], operation.build());
    (Vec::new(), paths, get(take))
}

fn bytes() -> Object {
    let format = SchemaFormat::KnownFormat(KnownFormat::Binary);
    ObjectBuilder::new().schema_type(Type::String).format(Some(format)).build()
}

/// Begins a backup.
///
/// # Errors
/// Where the store is not open here, or is being backed up.
async fn begin(operator: &Operator) -> Result<BackupStream, AdminError> {
    let store = operator.store.as_ref().ok_or(AdminError::Missing("the store"))?;
    Ok(backup::write(store.as_ref()).await?)
}

async fn take(State(operator): State<Operator>, request: Request) -> Result<Response, AdminError> {
    if request.uri().query().is_some_and(|query| !query.is_empty()) {
        let query = request.uri().query().unwrap_or_default();
        return Err(AdminError::Request(format!("a backup takes no members, and the query has some: {query}")));
    }
    let body = request.into_body().collect().await.map_err(|error| AdminError::Request(error.to_string()))?;
    if !body.to_bytes().is_empty() {
        return Err(AdminError::Request("a backup takes no members, and has no body".to_owned()));
    }
    tracing::info!(path = PATH, "operator");
    let bytes = begin(&operator).await?;
    let bytes = bytes.inspect_err(|error| tracing::error!(%error, "a backup has broken off"));
    let mut response = Response::new(Body::from_stream(bytes));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(BYTES));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}
