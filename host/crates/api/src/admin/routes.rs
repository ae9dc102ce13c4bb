//! Which path is which operation. Failures are RFC 9457 problems.

use std::collections::BTreeMap;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Query, Request, State};
use axum::response::Response;
use axum::routing::{get, post};
use http::{HeaderValue, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Limited};
use serde_json::{Map, Value, json};
use url::form_urlencoded;

use super::api_keys::{CreateApiKey, ListApiKeys, RevokeApiKey};
use super::audit::{ReadAudit, VerifyAudit};
use super::health::ShowHealth;
use super::keys::{DestroyKey, DisableKey, ListKeys, ResealCredentials, RotateKey};
use super::openapi::Description;
use super::operations::{Operation, Verb, taken_apart};
use super::plugins::{GrantPlugin, ListPlugins, RevokePlugin, RollbackPlugin, ShowPlugin};
use super::rewrap::{ListRoots, RewrapRoots};
use crate::admin::AdminError;
use crate::admin::Operator;

/// Bytes of a request's body.
const MAX_REQUEST: usize = 64 * 1024;

/// Where all of this is described.
const OPENAPI: &str = "/admin/v1/openapi.json";

/// Routes, and what they are.
struct Routes {
    router: Router<Operator>,
    description: Description,
}

impl Routes {
    fn with<O: Operation + 'static>(mut self) -> Self {
        self.description.add::<O>();
        let answer = match O::ROUTE.verb {
            Verb::Read => get(perform::<O>),
            Verb::Change => post(perform::<O>),
        };
        Self { router: self.router.route(O::ROUTE.path, answer), ..self }
    }
}

/// All routes: the one list that both the router and the description are made of.
pub(super) fn router(operator: Operator) -> Router {
    let Routes { router, description } = Routes { router: Router::new(), description: Description::new() }
        .with::<ShowHealth>()
        .with::<ListApiKeys>()
        .with::<CreateApiKey>()
        .with::<RevokeApiKey>()
        .with::<ReadAudit>()
        .with::<VerifyAudit>()
        .with::<ListKeys>()
        .with::<RotateKey>()
        .with::<ResealCredentials>()
        .with::<DisableKey>()
        .with::<DestroyKey>()
        .with::<ListRoots>()
        .with::<RewrapRoots>()
        .with::<ListPlugins>()
        .with::<ShowPlugin>()
        .with::<GrantPlugin>()
        .with::<RevokePlugin>()
        .with::<RollbackPlugin>();
    let document = description.document();
    router
        .route(OPENAPI, get(move || async move { respond(StatusCode::OK, "application/json", &document) }))
        .fallback(nothing)
        .method_not_allowed_fallback(another_method)
        .with_state(operator)
}

/// Performs the operation of a request.
async fn perform<O: Operation + 'static>(
    State(operator): State<Operator>,
    Path(place): Path<BTreeMap<String, String>>,
    request: Request,
) -> Response {
    let answer = async {
        let (parts, body) = request.into_parts();
        let operation: O = match O::ROUTE.verb {
            Verb::Read => read(&place, &parts.uri, body).await?,
            Verb::Change => change(place, &parts.uri, body).await?,
        };
        tracing::info!(method = %O::ROUTE.verb.method(), path = taken_apart(&operation)?.0, "operator");
        let done = operation.perform(&operator).await?;
        Ok::<_, AdminError>(serde_json::to_value(done)?)
    };
    match answer.await {
        Ok(done) => respond(StatusCode::OK, "application/json", &done),
        Err(error) => problem(error.status(), error.code(), &error.to_string()),
    }
}

/// Reads an operation from path and query.
async fn read<O: Operation>(place: &BTreeMap<String, String>, uri: &Uri, body: Body) -> Result<O, AdminError> {
    if !bytes(body).await?.is_empty() {
        return Err(AdminError::Request("a read takes its members from path and query, and has no body".to_owned()));
    }
    // Taken as one query, so that numbers are read as such, and nothing can be said twice.
    let mut query = form_urlencoded::Serializer::new(uri.query().unwrap_or_default().to_owned());
    place.iter().for_each(|(name, value)| _ = query.append_pair(name, value));
    let uri = format!("/?{}", query.finish())
        .parse()
        .map_err(|_| AdminError::Request("the query is malformed".to_owned()))?;
    let Query(operation) = Query::try_from_uri(&uri).map_err(|error| AdminError::Request(error.to_string()))?;
    Ok(operation)
}

/// Reads an operation from path and body.
async fn change<O: Operation>(place: BTreeMap<String, String>, uri: &Uri, body: Body) -> Result<O, AdminError> {
    if uri.query().is_some_and(|query| !query.is_empty()) {
        return Err(AdminError::Request("a change takes its members from path and body, and has no query".to_owned()));
    }
    let bytes = bytes(body).await?;
    let mut members: Map<String, Value> = if bytes.is_empty() {
        Map::new()
    } else {
        serde_json::from_slice(&bytes).map_err(|error| AdminError::Request(error.to_string()))?
    };
    for (name, value) in place {
        if members.insert(name.clone(), Value::String(value)).is_some() {
            return Err(AdminError::Request(format!("`{name}` belongs in the path, not in the body")));
        }
    }
    serde_json::from_value(Value::Object(members)).map_err(|error| AdminError::Request(error.to_string()))
}

async fn bytes(body: Body) -> Result<bytes::Bytes, AdminError> {
    let collected = Limited::new(body, MAX_REQUEST).collect().await;
    Ok(collected.map_err(|error| AdminError::Request(error.to_string()))?.to_bytes())
}

async fn nothing(request: Request) -> Response {
    let path: String = request.uri().path().chars().take(200).collect();
    let detail = format!("there is nothing at {path}; {OPENAPI} describes what there is");
    problem(StatusCode::NOT_FOUND, "no_such_route", &detail)
}

async fn another_method(request: Request) -> Response {
    let detail = format!("{} is not possible here; {OPENAPI} describes what is", request.method());
    problem(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", &detail)
}

pub(super) fn problem(status: StatusCode, code: &str, detail: &str) -> Response {
    let title = status.canonical_reason().unwrap_or("Failed");
    let kind = format!("urn:keyferry:problem:{code}");
    let body = json!({ "type": kind, "title": title, "status": status.as_u16(), "code": code, "detail": detail });
    respond(status, "application/problem+json", &body)
}

fn respond(status: StatusCode, content_type: &'static str, body: &Value) -> Response {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
