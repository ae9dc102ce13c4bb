//! Which path leads where.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::middleware;
use axum::response::Response;
use axum::routing::{delete, get, post, put};
use http::StatusCode;

use super::failure::{Failure, Rendering};
use super::health::{self, Readiness};
use super::last_use::LastUse;
use super::rate::{self, RateLimits, Rates};
use super::{application, framing, linked_account, migrate_token, trace};
use crate::migrate::Migrator;
use crate::store::Store;

/// What the handlers share.
pub struct Api {
    pub(super) store: Arc<dyn Store>,
    pub(super) migrator: Migrator,
    pub(super) readiness: Arc<Readiness>,
    pub(super) last_use: LastUse,
    pub(super) rates: Rates,
    /// How long a caller may take to send a request's body.
    pub(super) body_timeout: Duration,
}

impl Api {
    /// The handlers' parts.
    pub fn new(
        store: Arc<dyn Store>,
        migrator: Migrator,
        readiness: Arc<Readiness>,
        limits: RateLimits,
        body_timeout: Duration,
    ) -> Arc<Self> {
        let (last_use, rates) = (LastUse::default(), Rates::new(limits));
        Arc::new(Self { store, migrator, readiness, last_use, rates, body_timeout })
    }
}

/// All routes.
pub fn router(api: Arc<Api>) -> Router {
    Router::new()
        .route("/api/v2/public/migrate-token", put(migrate_token::put))
        .route(
            "/api/v2/public/linked-account",
            post(linked_account::create).put(linked_account::upsert).get(linked_account::list),
        )
        .route("/api/v2/public/application", get(application::list))
        .route("/api/v2/public/application/{slug}", get(application::show))
        .route("/api/v2/public/auth-structure/{slug}", get(application::auth_structure))
        .route("/api/v2/public/linked-account/integration/{slug}", delete(linked_account::delete_integration))
        // The vendor's SDK leaves ids unescaped, so an id can hold slashes.
        .route("/api/v2/public/linked-account/{*account}", get(linked_account::show).delete(linked_account::delete))
        .route("/livez", get(health::livez))
        .route("/readyz", get(health::readyz))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(middleware::from_fn(framing::layer))
        .layer(middleware::from_fn(rate::layer))
        .layer(middleware::from_fn(trace::layer))
        .with_state(api)
}

async fn not_found(request: Request) -> Response {
    let message = format!("there is nothing at {} {}", request.method(), shown_path(&request));
    Failure::new(StatusCode::NOT_FOUND, "no_such_route", message)
        .documented_error("RESOURCE_NOT_FOUND")
        .render(Rendering::of(request.headers()))
}

async fn method_not_allowed(request: Request) -> Response {
    let message = format!("{} is not possible at {}", request.method(), shown_path(&request));
    Failure::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message).render(Rendering::of(request.headers()))
}

fn shown_path(request: &Request) -> String {
    request.uri().path().chars().take(200).collect()
}
