//! `/livez` and `/readyz`: whether to restart the process, whether to send it requests.

use std::sync::Arc;

use axum::extract::State;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::responses::json::Json;
use crate::state::Api;
use keyferry_store::StoreHealth;
use keyferry_vault::KeyServiceState;

/// The server's health.
#[derive(Serialize, ToSchema)]
pub(crate) struct Health {
    /// The status as one word.
    status: HealthStatus,
    /// Conditions that prevent serving; absent if there is no such condition.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    obstacles: Vec<String>,
    /// Conditions that do not prevent serving but need the operator's attention; absent if there is no such condition.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    warnings: Vec<String>,
}

/// How the server is, in a word.
#[derive(Serialize, ToSchema)]
enum HealthStatus {
    /// The process runs.
    #[serde(rename = "ok")]
    Ok,
    /// The server accepts requests.
    #[serde(rename = "ready")]
    Ready,
    /// The server is starting, stopping or unable to serve.
    #[serde(rename = "not ready")]
    NotReady,
}

/// The process runs.
#[utoipa::path(
    get, path = "/livez", operation_id = "getLiveness", tag = "Health",
    summary = "Whether the process runs",
    description = "A liveness probe. Takes no API key.",
    responses((status = 200, description = "The process runs.", body = Health)),
    extensions(("x-problems" = json!([]))),
    security(()),
)]
pub(crate) async fn livez() -> Json<Health> {
    Json(Health { status: HealthStatus::Ok, obstacles: Vec::new(), warnings: Vec::new() })
}

/// It can take requests: it is not shutting down, the store takes writes, and a key service has responded. One that fails later
/// is a warning: unlocked organisations are still served.
#[utoipa::path(
    get, path = "/readyz", operation_id = "getReadiness", tag = "Health",
    summary = "Whether requests may come",
    description = "For a load balancer: the server is neither starting nor shutting down, and its store takes writes; the key \
        service, if one is used, has responded. Takes no API key.",
    responses(
        (status = 200, description = "The server is ready; `warnings` lists conditions that need the operator's attention.", body = Health),
        (status = 503, description = "The server is not ready; `obstacles` states the reasons.", body = Health),
    ),
    extensions(("x-problems" = json!([]))),
    security(()),
)]
pub(crate) async fn readyz(State(api): State<Arc<Api>>) -> (StatusCode, Json<Health>) {
    let mut obstacles: Vec<String> = api.readiness.obstacle().map(str::to_owned).into_iter().collect();
    match api.store.health() {
        StoreHealth::Ready => {}
        StoreHealth::NoSpace { free, needed } => {
            obstacles.push(format!("the disk has {free} bytes free, and {needed} are needed to write safely"));
        }
        // What the database says is for the operator, in the log and the admin API.
        StoreHealth::Unavailable(_) => obstacles.push("the database takes no writes at the moment".to_owned()),
        StoreHealth::Failed(reason) => obstacles.push(format!("the store failed: {reason}")),
    }
    let mut warnings: Vec<String> = api.readiness.certificate_warnings();
    match api.service.key_service() {
        KeyServiceState::Answers => {}
        KeyServiceState::NeverAnswered(fault) => obstacles.push(format!("{fault}; no organisation can be unlocked")),
        KeyServiceState::Fails(fault) => warnings.push(format!("{fault}; unlocked organisations are still served")),
    }
    let (code, status) = match obstacles.is_empty() {
        true => (StatusCode::OK, HealthStatus::Ready),
        false => (StatusCode::SERVICE_UNAVAILABLE, HealthStatus::NotReady),
    };
    (code, Json(Health { status, obstacles, warnings }))
}
