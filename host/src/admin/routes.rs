//! Which path is which operation. Failures are RFC 9457 problems.

use std::collections::HashMap;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use axum::routing::{MethodRouter, get, post};
use http::{HeaderValue, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use serde_json::{Value, json};

use super::api_keys::{CreateApiKey, ListApiKeys, RevokeApiKey};
use super::audit::{ReadAudit, VerifyAudit};
use super::keys::{DestroyKey, DisableKey, ListKeys, ResealCredentials, RotateKey};
use super::operations::Operation;
use super::plugins::{GrantPlugin, ListPlugins, RevokePlugin, RollbackPlugin, ShowPlugin};
use super::rewrap::{ListRoots, RewrapRoots};
use super::{AdminError, Operator};

/// Bytes of a request's body.
const MAX_REQUEST: usize = 64 * 1024;

/// All routes.
pub(super) fn router(operator: Operator) -> Router {
    Router::new()
        .route("/admin/v1/organisations/{org}/api-keys", get(perform::<ListApiKeys>).post(perform::<CreateApiKey>))
        .route("/admin/v1/organisations/{org}/api-keys/revoke", on::<RevokeApiKey>())
        .route("/admin/v1/organisations/{org}/audit", get(perform::<ReadAudit>))
        .route("/admin/v1/organisations/{org}/audit/verify", get(perform::<VerifyAudit>))
        .route("/admin/v1/organisations/{org}/keys", get(perform::<ListKeys>))
        .route("/admin/v1/organisations/{org}/keys/rotate", on::<RotateKey>())
        .route("/admin/v1/organisations/{org}/keys/reseal", on::<ResealCredentials>())
        .route("/admin/v1/organisations/{org}/keys/disable", on::<DisableKey>())
        .route("/admin/v1/organisations/{org}/keys/destroy", on::<DestroyKey>())
        .route("/admin/v1/roots", get(perform::<ListRoots>))
        .route("/admin/v1/roots/rewrap", on::<RewrapRoots>())
        .route("/admin/v1/plugins", get(perform::<ListPlugins>))
        .route("/admin/v1/plugins/{target}", get(perform::<ShowPlugin>))
        .route("/admin/v1/plugins/{target}/grant", on::<GrantPlugin>())
        .route("/admin/v1/plugins/{target}/revoke", on::<RevokePlugin>())
        .route("/admin/v1/plugins/{target}/rollback", on::<RollbackPlugin>())
        .fallback(nothing)
        .method_not_allowed_fallback(nothing)
        .with_state(operator)
}

fn on<O: Operation + 'static>() -> MethodRouter<Operator> {
    post(perform::<O>)
}

/// The operation of the body and the path, carried out.
async fn perform<O: Operation + 'static>(
    State(operator): State<Operator>,
    Path(place): Path<HashMap<String, String>>,
    request: Request,
) -> Response {
    let answer = async {
        let operation: O = read(place, request.into_body()).await?;
        let (method, path) = operation.route();
        tracing::info!(%method, path, "operator");
        let done = operation.perform(&operator).await?;
        Ok::<_, AdminError>(serde_json::to_value(done)?)
    };
    match answer.await {
        Ok(done) => respond(StatusCode::OK, "application/json", &done),
        Err(error) => problem(error.status(), error.code(), &error.to_string()),
    }
}

async fn read<O: Operation>(place: HashMap<String, String>, body: Body) -> Result<O, AdminError> {
    let bytes = Limited::new(body, MAX_REQUEST).collect().await;
    let bytes = bytes.map_err(|error| AdminError::Request(error.to_string()))?.to_bytes();
    let mut operation = if bytes.is_empty() {
        json!({})
    } else {
        serde_json::from_slice(&bytes).map_err(|error| AdminError::Request(error.to_string()))?
    };
    let Value::Object(members) = &mut operation else {
        return Err(AdminError::Request("the body must be a JSON object".to_owned()));
    };
    members.extend(place.into_iter().map(|(name, value)| (name, Value::String(value))));
    serde_json::from_value(operation).map_err(|error| AdminError::Request(error.to_string()))
}

async fn nothing(request: Request) -> Response {
    let path: String = request.uri().path().chars().take(200).collect();
    problem(StatusCode::NOT_FOUND, "no_such_route", &format!("there is nothing at {} {path}", request.method()))
}

fn problem(status: StatusCode, code: &str, detail: &str) -> Response {
    let title = status.canonical_reason().unwrap_or("Failed");
    let body =
        json!({ "type": "about:blank", "title": title, "status": status.as_u16(), "code": code, "detail": detail });
    respond(status, "application/problem+json", &body)
}

fn respond(status: StatusCode, content_type: &'static str, body: &Value) -> Response {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
