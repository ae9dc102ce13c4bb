//! Which path is which operation.

use std::collections::BTreeMap;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Query, Request, State};
use axum::routing::{get, post};
use http::{StatusCode, Uri};
use http_body_util::{BodyExt as _, Limited};
use serde_json::{Map, Value};
use url::form_urlencoded;
use utoipa::openapi::HttpMethod;
use utoipa::openapi::path::Paths;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

use crate::admin::api_keys::{CreateApiKey, ListApiKeys, RevokeApiKey};
use crate::admin::audit::{ReadAudit, VerifyAudit};
use crate::admin::backup;
use crate::admin::error::AdminError;
use crate::admin::health::ShowHealth;
use crate::admin::keys::{DestroyKey, DisableKey, ListKeys, ResealCredentials, RotateKey};
use crate::admin::openapi;
use crate::admin::operations::{Operation, Verb, taken_apart};
use crate::admin::operator::Operator;
use crate::admin::organisations::ListOrganisations;
use crate::admin::plugins::{
    GrantPlugin, ListPlugins, PushPlugin, PutPluginPart, RevokePlugin, RollbackPlugin, ShowPlugin,
};
use crate::admin::response::{Problem, Uncached};
use crate::admin::rewrap::{ListRoots, RewrapRoots};

/// Bytes of a request's body.
const MAX_REQUEST: usize = 64 * 1024;

/// Where all of this is described.
const OPENAPI: &str = "/admin/v1/openapi.json";

/// All routes: the one list that both the router and the description are made of.
pub(super) fn router(operator: Operator) -> Router {
    let (router, document) = OpenApiRouter::with_openapi(openapi::preface())
        .routes(route::<ShowHealth>())
        .routes(route::<ListOrganisations>())
        .routes(route::<ListApiKeys>())
        .routes(route::<CreateApiKey>())
        .routes(route::<RevokeApiKey>())
        .routes(route::<ReadAudit>())
        .routes(route::<VerifyAudit>())
        .routes(route::<ListKeys>())
        .routes(route::<RotateKey>())
        .routes(route::<ResealCredentials>())
        .routes(route::<DisableKey>())
        .routes(route::<DestroyKey>())
        .routes(route::<ListRoots>())
        .routes(route::<RewrapRoots>())
        .routes(route::<ListPlugins>())
        .routes(route::<ShowPlugin>())
        .routes(route::<GrantPlugin>())
        .routes(route::<RevokePlugin>())
        .routes(route::<RollbackPlugin>())
        .routes(backup::route())
        .routes(route::<PutPluginPart>())
        .routes(route::<PushPlugin>())
        .split_for_parts();
    // Every part of it is of a type that becomes JSON.
    let document = serde_json::to_value(document).unwrap_or_default();
    let description = async move || Uncached(document.clone());
    router
        .route(OPENAPI, get(description))
        .fallback(no_such_route)
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(operator)
}

/// The handler of an operation, and its description.
fn route<O: Operation + 'static>() -> UtoipaMethodRouter<Operator> {
    let (method, handler) = match O::ROUTE.verb {
        Verb::Read => (HttpMethod::Get, get(perform::<O>)),
        Verb::Change => (HttpMethod::Post, post(perform::<O>)),
    };
    let mut paths = Paths::new();
    paths.add_path_operation(O::ROUTE.path, vec![method], openapi::operation::<O>());
    (openapi::schemas::<O>(), paths, handler)
}

/// Performs the operation of a request.
async fn perform<O: Operation + 'static>(
    State(operator): State<Operator>,
    Path(place): Path<BTreeMap<String, String>>,
    request: Request,
) -> Result<Uncached<Value>, AdminError> {
    let (parts, body) = request.into_parts();
    let operation: O = match O::ROUTE.verb {
        Verb::Read => read(&place, &parts.uri, body).await?,
        Verb::Change => change(place, &parts.uri, body).await?,
    };
    tracing::info!(method = %O::ROUTE.verb.method(), path = taken_apart(&operation)?.0, "operator");
    let done = operation.perform(&operator).await?;
    Ok(Uncached(serde_json::to_value(done)?))
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

async fn no_such_route(request: Request) -> Problem {
    let path: String = request.uri().path().chars().take(200).collect();
    let detail = format!("there is nothing at {path}; {OPENAPI} describes what there is");
    Problem::new(StatusCode::NOT_FOUND, "no_such_route", detail)
}

async fn method_not_allowed(request: Request) -> Problem {
    let detail = format!("{} is not possible here; {OPENAPI} describes what is", request.method());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
}
