//! Which path leads where.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::middleware;
use axum::response::Response;
use axum::routing::{delete, get, post, put};
use http::{Method, StatusCode};

use super::failure::{Failure, Rendering};
use super::health::{self, Readiness};
use super::last_use::LastUse;
use super::rate::{self, RateLimits, Rates};
use super::{application, linked_account, migrate_token, trace};
use crate::migrate::Migrator;
use crate::shown::{MASK, shown};
use crate::store::Store;

/// What our paths are made of.
const SEGMENTS: [&str; 11] = [
    "api",
    "v2",
    "public",
    "migrate-token",
    "linked-account",
    "integration",
    "credentials",
    "application",
    "auth-structure",
    "livez",
    "readyz",
];
/// Segments of a path that is shown.
const MOST_SEGMENTS: usize = 8;

/// What the handlers share.
pub struct Api {
    pub(super) store: Arc<dyn Store>,
    pub(super) migrator: Migrator,
    pub(super) readiness: Arc<Readiness>,
    pub(super) last_use: LastUse,
    pub(super) rates: Rates,
}

impl Api {
    /// The handlers' parts.
    pub fn new(store: Arc<dyn Store>, migrator: Migrator, readiness: Arc<Readiness>, limits: RateLimits) -> Arc<Self> {
        Arc::new(Self { store, migrator, readiness, last_use: LastUse::default(), rates: Rates::new(limits) })
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
        .layer(middleware::from_fn(rate::layer))
        .layer(middleware::from_fn(trace::layer))
        .with_state(api)
}

async fn not_found(request: Request) -> Response {
    let message = format!("there is nothing at {} {}", shown_method(request.method()), shown_path(&request));
    Failure::new(StatusCode::NOT_FOUND, "no_such_route", message)
        .documented_error("RESOURCE_NOT_FOUND")
        .render(Rendering::of(request.headers()))
}

async fn method_not_allowed(request: Request) -> Response {
    let message = format!("{} is not possible at {}", shown_method(request.method()), shown_path(&request));
    Failure::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message).render(Rendering::of(request.headers()))
}

/// The path as far as it is one of ours or nearly so: a caller may have put anything into it.
fn shown_path(request: &Request) -> String {
    let mut path = String::new();
    for segment in request.uri().path().split('/').skip(1).take(MOST_SEGMENTS) {
        path.push('/');
        path.push_str(if segment.is_empty() { "" } else { shown(segment, SEGMENTS) });
    }
    path
}

/// The method, if it is one that HTTP has: a client can send any word.
pub(super) fn shown_method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => MASK,
    }
}
