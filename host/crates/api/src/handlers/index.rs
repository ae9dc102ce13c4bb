//! `/`: where everything else is.

use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;

use crate::responses::json::Json;

/// Where to find the API's description and health.
#[derive(Serialize, ToSchema)]
pub(crate) struct Index {
    /// Always `Keyferry`.
    name: &'static str,
    /// The API's description as a page for people.
    docs: &'static str,
    /// The API's description as an OpenAPI document.
    openapi: &'static str,
    /// Whether the server can take requests.
    readyz: &'static str,
}

const INDEX: Index = Index { name: "Keyferry", docs: "/docs", openapi: "/openapi.json", readyz: "/readyz" };

/// `GET /`: a browser is sent to the page, a program gets the links.
#[utoipa::path(
    get, path = "/", operation_id = "getIndex", tag = "Description",
    summary = "Where to find the description and the health",
    description = "Links to the API's description and the readiness probe. With `text/html` in `Accept`, as browsers send it, a \
        redirect to the page `/docs`. Takes no API key.",
    responses(
        (status = 200, description = "The links.", body = Index),
        (status = 307, description = "The page for people.", headers(("Location" = String, description = "Always `docs`."))),
    ),
    extensions(("x-problems" = json!([]))),
    security(()),
)]
pub(crate) async fn index(headers: HeaderMap) -> Response {
    let mut response = match wants_page(&headers) {
        // Relative, so that it is right behind a proxy that serves this server below a path of its own.
        true => {
            (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, HeaderValue::from_static("docs"))]).into_response()
        }
        false => Json(INDEX).into_response(),
    };
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept"));
    response
}

/// Whether the caller names the media type of pages, as every browser does and no client of an API.
fn wants_page(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|range| {
        let media_type = range.split(';').next().unwrap_or_default().trim();
        media_type.eq_ignore_ascii_case("text/html") || media_type.eq_ignore_ascii_case("application/xhtml+xml")
    })
}
