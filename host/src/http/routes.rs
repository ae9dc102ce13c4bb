//! Which path leads where.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::middleware;
use axum::response::Response;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::failure::{Failure, Rendering};
use super::health::{self, Readiness};
use super::kind;
use super::last_use::LastUse;
use super::openapi::{self, Description};
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
    pub(super) description: Description,
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
        let (last_use, description, rates) = (LastUse::default(), Description::default(), Rates::new(limits));
        Arc::new(Self { store, migrator, readiness, last_use, rates, description, body_timeout })
    }
}

/// All routes.
pub fn router(api: Arc<Api>) -> Router {
    let (router, _description) = routes().split_for_parts();
    router
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(middleware::from_fn(framing::layer))
        .layer(middleware::from_fn(rate::layer))
        .layer(middleware::from_fn(trace::layer))
        .with_state(api)
}

/// Each path with its handlers, and what they say of themselves: the one list that both the router and the API's description
/// are made of.
pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::with_openapi(openapi::preface())
        .routes(routes!(migrate_token::put))
        .routes(routes!(linked_account::create, linked_account::upsert, linked_account::list))
        .routes(routes!(application::list))
        .routes(routes!(application::show))
        .routes(routes!(application::auth_structure))
        .routes(routes!(linked_account::delete_integration))
        // The vendor's SDK leaves ids unescaped, so an id can hold slashes.
        .routes(routes!(linked_account::show, linked_account::delete))
        .routes(routes!(health::livez))
        .routes(routes!(health::readyz))
        .routes(routes!(openapi::show))
}

async fn not_found(request: Request) -> Response {
    let message = format!("there is nothing at {} {}", request.method(), shown_path(&request));
    Failure::new(&kind::NO_SUCH_ROUTE, message).render(Rendering::of(request.headers()))
}

async fn method_not_allowed(request: Request) -> Response {
    let message = format!("{} is not possible at {}", request.method(), shown_path(&request));
    Failure::new(&kind::METHOD_NOT_ALLOWED, message).render(Rendering::of(request.headers()))
}

fn shown_path(request: &Request) -> String {
    request.uri().path().chars().take(200).collect()
}
