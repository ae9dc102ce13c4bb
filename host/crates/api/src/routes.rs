//! The routes of the public API.

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use http::{HeaderValue, Method, StatusCode, header};
use serde_json::Value;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::docs;
use crate::error::rendering;
use crate::error::routing::{KnownPaths, not_taken};
use crate::handlers::application;
use crate::handlers::credentials;
use crate::handlers::front_end;
use crate::handlers::health;
use crate::handlers::imports;
use crate::handlers::index;
use crate::handlers::linked_account;
use crate::handlers::migrate_token;
use crate::handlers::oauth_client;
use crate::handlers::save_credentials;
use crate::handlers::session;
use crate::handlers::verification::{self, BELOW_ACCOUNTS, allow_without_post};
use crate::handlers::webhook;
use crate::handlers::whoami;
use crate::middleware::conditional;
use crate::middleware::cors;
use crate::middleware::cors::CorsOrigin;
use crate::middleware::framing;
use crate::middleware::rate;
use crate::middleware::trace;
use crate::middleware::unknown_parameters::{self, KnownParameters};
use crate::openapi::{self, OpenApiDocument};
use crate::state::Api;
use keyferry_sandbox::App;

/// All routes. Web pages of these origins may read the responses.
pub fn router(api: Arc<Api>, origins: &[CorsOrigin]) -> Router {
    let (router, description) = routes().split_for_parts();
    // The document is of types that become JSON.
    let description = serde_json::to_value(description).unwrap_or_default();
    let known = KnownParameters::from_document(&description);
    let paths = Arc::new(KnownPaths::from_document(&description));
    let same = Arc::clone(&paths);
    let router = docs::add_to(router)
        .fallback(async move |request: Request| paths.no_such_route(request.method(), request.uri().path()))
        .method_not_allowed_fallback(async move |request| method_not_allowed(&same, &request))
        .layer(middleware::from_fn_with_state(Arc::new(known), around));
    let router = if origins.is_empty() { router } else { router.layer(cors::layer(origins)) };
    router.layer(middleware::from_fn(trace::layer)).with_state(api)
}

/// What surrounds every handler. One layer for all of it, since each costs every request a box and a copy of its future.
async fn around(State(known): State<Arc<KnownParameters>>, request: Request, next: Next) -> Response {
    let named = |request| unknown_parameters::layer(&known, request, |request| next.run(request));
    let tagged = |request| conditional::layer(request, named);
    let framed = |request| framing::layer(request, tagged);
    let rendered = |request| rendering::layer(request, framed);
    rate::layer(request, rendered).await
}

/// Below the path that takes an account's id with slashes in it, so the router has no path for it.
#[derive(OpenApi)]
#[openapi(paths(credentials::show))]
struct BelowAccounts;

/// Each path with its handlers, and what they say of themselves: the one list that both the router and the API's description
/// are made of.
pub(crate) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::with_openapi(openapi::preface().merge_from(BelowAccounts::openapi()))
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
        .routes(routes!(oauth_client::list))
        .routes(routes!(oauth_client::put, oauth_client::show, oauth_client::delete))
        .routes(routes!(oauth_client::put_named, oauth_client::show_named, oauth_client::delete_named))
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
        .routes(routes!(whoami::show))
        .routes(routes!(health::livez))
        .routes(routes!(health::readyz))
        .routes(routes!(index::index))
        .routes(routes!(description))
}

/// `GET /openapi.json`.
#[utoipa::path(
    get, path = "/openapi.json", operation_id = "getOpenApi", tag = "Description",
    summary = "This document",
    description = "The API as this server serves it now, in OpenAPI 3.1: an app appears as soon as its plugin serves. \
        Takes no API key.",
    responses((status = 200, description = "An OpenAPI document.", body = OpenApiDocument)),
    extensions(("x-problems" = json!([]))),
    security(()),
)]
async fn description(State(api): State<Arc<Api>>) -> Response {
    let json = HeaderValue::from_static("application/json; charset=utf-8");
    let apps = api.service.apps();
    ([(header::CONTENT_TYPE, json)], api.description.json_for(&apps, || description_of(&apps))).into_response()
}

/// The OpenAPI document of the public API, with these apps' credentials in it.
pub fn description_of(apps: &[Arc<App>]) -> Value {
    static FIXED: OnceLock<Value> = OnceLock::new();
    let mut document = FIXED.get_or_init(|| openapi::complete(routes().into_openapi())).clone();
    openapi::add_apps(&mut document, apps);
    document
}

/// `OPTIONS`: the router's `Allow` header lists the methods of a path.
fn method_not_allowed(known: &KnownPaths, request: &Request) -> Response {
    let path = request.uri().path();
    let matched = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str).unwrap_or_default();
    let is_without_post = matched == BELOW_ACCOUNTS && credentials::addressed(request.uri(), "verify").is_none();
    let response = match *request.method() {
        Method::OPTIONS => StatusCode::NO_CONTENT.into_response(),
        ref method => {
            let taken = known.methods(matched).iter().map(String::as_str);
            not_taken(method, path, taken.filter(|taken| !(is_without_post && *taken == "POST"))).into_response()
        }
    };
    if is_without_post { allow_without_post(response) } else { response }
}
