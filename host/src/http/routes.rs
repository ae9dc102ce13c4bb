//! Which path leads where.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::middleware;
use axum::response::Response;
use axum::routing::{delete, get, post, put};
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use http::StatusCode;

use super::failure::{Failure, Rendering};
use super::health::{self, Readiness};
use super::last_use::LastUse;
use super::{application, linked_account, migrate_token, trace};
use crate::migrate::Migrator;
use crate::store::Store;

/// How many requests one API key may make.
#[derive(Debug, Clone, Copy)]
pub struct RateLimit {
    /// In the long run, per second.
    pub per_second: NonZeroU32,
    /// At once, after a pause.
    pub burst: NonZeroU32,
}

/// What the handlers share.
pub struct Api {
    pub(super) store: Arc<dyn Store>,
    pub(super) migrator: Migrator,
    pub(super) readiness: Arc<Readiness>,
    pub(super) last_use: LastUse,
    limiter: Option<DefaultKeyedRateLimiter<[u8; 32]>>,
    clock: DefaultClock,
}

impl Api {
    /// The handlers' parts. Without a rate limit, callers are bounded by connections and plugin slots alone.
    pub fn new(
        store: Arc<dyn Store>,
        migrator: Migrator,
        readiness: Arc<Readiness>,
        rate_limit: Option<RateLimit>,
    ) -> Arc<Self> {
        let limiter =
            rate_limit.map(|limit| RateLimiter::keyed(Quota::per_second(limit.per_second).allow_burst(limit.burst)));
        Arc::new(Self {
            store,
            migrator,
            readiness,
            last_use: LastUse::default(),
            limiter,
            clock: DefaultClock::default(),
        })
    }

    /// Counts a request against an API key's rate.
    pub(super) fn check_rate(&self, key: &[u8; 32]) -> Result<(), Failure> {
        let Some(limiter) = &self.limiter else { return Ok(()) };
        limiter.check_key(key).map_err(|until| {
            let wait: Duration = until.wait_time_from(self.clock.now());
            let message = "too many requests with this API key; slow down and try again after Retry-After seconds";
            Failure::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", message).retry_after(Some(wait))
        })
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
