//! Which path leads where.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use http::{Method, StatusCode};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::cors::CorsOrigin;
use super::failure::{Failure, Rendering};
use super::health::{self, Readiness};
use super::kind;
use super::last_use::LastUse;
use super::openapi::{self, Description};
use super::rate::{self, RateLimit, Rates};
use super::verification::{self, BELOW_ACCOUNTS, allow_without_post, is_verification};
use super::{
    application, conditional, cors, docs, framing, front_end, imports, linked_account, migrate_token, save_credentials,
    session, trace, webhook,
};
use keyferry_imports::Importer;
use keyferry_service::Migrator;
use keyferry_store::Store;
use keyferry_types::shown::{MASK, shown};
use keyferry_webhooks::Webhooks;

/// What our paths are made of.
const SEGMENTS: [&str; 43] = [
    "api",
    "v1",
    "v2",
    "v3",
    "public",
    "f-sdk",
    "migrate-token",
    "linked-account",
    "integration",
    "save-key-credentials",
    "oauth-url",
    "default-app",
    "auth-credentials",
    "credentials",
    "application",
    "auth-structure",
    "verify",
    "webhook",
    "session-token",
    "refresh",
    "revoke",
    "session",
    "active-linked-account",
    "org",
    "basics",
    "app",
    "save",
    "linked-acc",
    "integrate",
    "livez",
    "readyz",
    "openapi.json",
    "imports",
    "export",
    "results",
    "events",
    "pause",
    "resume",
    "cancel",
    "retry-failed",
    "undo",
    "confirm",
    "docs",
];
/// Segments of a path that is shown.
const MOST_SEGMENTS: usize = 8;

/// What the handlers share.
pub struct Api {
    pub(super) store: Arc<dyn Store>,
    pub(super) migrator: Arc<Migrator>,
    pub(super) importer: Arc<Importer>,
    pub(super) webhooks: Webhooks,
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
        migrator: Arc<Migrator>,
        importer: Arc<Importer>,
        webhooks: Webhooks,
        readiness: Arc<Readiness>,
        limit: Option<RateLimit>,
        body_timeout: Duration,
    ) -> Arc<Self> {
        let (last_use, description, rates) = (LastUse::default(), Description::default(), Rates::new(limit));
        Arc::new(Self { store, migrator, importer, webhooks, readiness, last_use, rates, description, body_timeout })
    }
}

/// All routes. Web pages of these origins may read the answers.
pub fn router(api: Arc<Api>, origins: &[CorsOrigin]) -> Router {
    let (router, _description) = routes().split_for_parts();
    let router = docs::add_to(router)
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(middleware::from_fn(around));
    let router = if origins.is_empty() { router } else { router.layer(cors::layer(origins)) };
    router.layer(middleware::from_fn(trace::layer)).with_state(api)
}

/// What surrounds every handler. One layer for all of it, since each costs every request a box and a copy of its future.
async fn around(request: Request, next: Next) -> Response {
    let tagged = |request| conditional::layer(request, |request| next.run(request));
    let framed = |request| framing::layer(request, tagged);
    rate::layer(request, framed).await
}

/// Each path with its handlers, and what they say of themselves: the one list that both the router and the API's description
/// are made of.
pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::with_openapi(openapi::preface())
        .routes(routes!(migrate_token::put))
        .routes(routes!(save_credentials::put))
        .routes(routes!(linked_account::write::create, linked_account::write::upsert, linked_account::read::list))
        .routes(routes!(application::list))
        .routes(routes!(application::show))
        .routes(routes!(application::auth_structure))
        .routes(routes!(linked_account::integration::delete_integration))
        .routes(routes!(linked_account::own_app::put, linked_account::own_app::delete))
        // The vendor's SDK leaves ids unescaped, so an id can hold slashes.
        .routes(routes!(linked_account::read::show, linked_account::write::delete, verification::verify))
        .routes(routes!(webhook::create, webhook::list))
        .routes(routes!(webhook::show, webhook::update, webhook::delete))
        .routes(routes!(imports::create::create, imports::show::list))
        .routes(routes!(imports::show::show, imports::change::delete))
        .routes(routes!(imports::results::show))
        .routes(routes!(imports::events::show))
        .routes(routes!(imports::export::show))
        .routes(routes!(imports::change::change))
        .routes(routes!(session::create))
        .routes(routes!(session::refresh))
        .routes(routes!(session::revoke))
        .routes(routes!(session::active_linked_account))
        .routes(routes!(front_end::org_basics))
        .routes(routes!(front_end::list))
        .routes(routes!(front_end::show))
        .routes(routes!(front_end::connect))
        .routes(routes!(front_end::disconnect_app))
        .routes(routes!(front_end::integrate, front_end::integrate_by_post))
        .routes(routes!(front_end::oauth_url))
        .routes(routes!(health::livez))
        .routes(routes!(health::readyz))
        .routes(routes!(openapi::show))
}

async fn not_found(request: Request) -> Response {
    let path = shown_path(request.uri().path());
    let message = format!("there is nothing at {} {path}", shown_method(request.method()));
    Failure::new(&kind::NO_SUCH_ROUTE, message).render(Rendering::of(request.headers()))
}

/// What a path takes stands in `Allow`, which the router adds; whoever asks just that gets it.
async fn method_not_allowed(request: Request) -> Response {
    let path = request.uri().path();
    let answer = match *request.method() {
        Method::OPTIONS => StatusCode::NO_CONTENT.into_response(),
        ref method => not_taken(method, path, Rendering::of(request.headers())),
    };
    let is_below_accounts =
        request.extensions().get::<MatchedPath>().is_some_and(|matched| matched.as_str() == BELOW_ACCOUNTS);
    let below = path.strip_prefix(BELOW_ACCOUNTS.trim_end_matches("{*account}")).unwrap_or_default();
    if is_below_accounts && !is_verification(below) { allow_without_post(answer) } else { answer }
}

/// A method that a path does not take.
pub(super) fn not_taken(method: &Method, path: &str, rendering: Rendering) -> Response {
    let message = format!("{} is not possible at {}", shown_method(method), shown_path(path));
    Failure::new(&kind::METHOD_NOT_ALLOWED, message).render(rendering)
}

/// The path as far as it is one of ours or nearly so: a caller may have put anything into it.
fn shown_path(whole: &str) -> String {
    let mut path = String::new();
    for segment in whole.split('/').skip(1).take(MOST_SEGMENTS) {
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
