//! The routes of the public API.

use std::sync::Arc;

use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use http::{Method, StatusCode};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::docs;
use crate::error::api_error::Rendering;
use crate::error::routing::{no_such_route, not_taken};
use crate::handlers::application;
use crate::handlers::front_end;
use crate::handlers::health;
use crate::handlers::imports;
use crate::handlers::linked_account;
use crate::handlers::migrate_token;
use crate::handlers::save_credentials;
use crate::handlers::session;
use crate::handlers::verification::{self, BELOW_ACCOUNTS, allow_without_post, is_verification};
use crate::handlers::webhook;
use crate::middleware::conditional;
use crate::middleware::cors;
use crate::middleware::cors::CorsOrigin;
use crate::middleware::framing;
use crate::middleware::rate;
use crate::middleware::trace;
use crate::openapi;
use crate::state::Api;

/// All routes. Web pages of these origins may read the responses.
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
pub(crate) fn routes() -> OpenApiRouter<Arc<Api>> {
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
    no_such_route(request.method(), request.uri().path(), Rendering::of(request.headers()))
}

/// `OPTIONS`: the router's `Allow` header lists the methods of a path.
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
