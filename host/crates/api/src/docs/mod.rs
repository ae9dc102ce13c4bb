//! `GET /docs`: the API's description as a page for people, which works where there is no internet.
//!
//! The page is [OpenAPI Explorer](https://github.com/Authress-Engineering/openapi-explorer) with `/openapi.json` in it. Its one
//! file lies in `assets/` as npm has it and is compiled into the binary: it is small (0.7 MiB), and so a server builds with
//! nothing but Rust, offline too. `assets/update` takes it from npm anew, by the hash in the lock file, and a test holds that
//! what lies there is what npm has. It was chosen since it knows OpenAPI 3.1, sends requests to the page's own server only, and
//! keeps no API key that is typed into it: the others are larger, count their users, or fetch a logo.
//!
//! A page that API keys are typed into must not give them away, so it may load, call, frame and submit nothing but to its own
//! server, and runs no script but its two files ([`POLICY`]).
//!
//! It is no part of the API, and so it is not in the API's description. `GET /` sends browsers here.

use std::sync::LazyLock;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::response::Response;
use axum::routing::get;
use http::{HeaderName, HeaderValue, header};

use crate::middleware::conditional;

/// Nothing from elsewhere, no script in the page's text. Styles are the exception: the renderer writes them into the page.
/// Where neither images nor fonts come from elsewhere, a style cannot send data anywhere.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The other headers of each file's response.
const HEADERS: [(HeaderName, &str); 5] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// A file of the page.
struct Asset {
    path: &'static str,
    content_type: &'static str,
    content: &'static [u8],
}

/// The assets of the documentation page.
static ASSETS: [Asset; 5] = [
    Asset { path: "/docs", content_type: "text/html; charset=utf-8", content: include_bytes!("page.html") },
    Asset { path: "/docs/page.css", content_type: "text/css; charset=utf-8", content: include_bytes!("page.css") },
    Asset { path: "/docs/page.js", content_type: "text/javascript; charset=utf-8", content: include_bytes!("page.js") },
    Asset { path: "/docs/icon.svg", content_type: "image/svg+xml", content: include_bytes!("icon.svg") },
    Asset {
        path: "/docs/openapi-explorer.min.js",
        content_type: "text/javascript; charset=utf-8",
        content: include_bytes!("assets/openapi-explorer.min.js"),
    },
];

/// Their tags, made once: the largest is too much to be hashed for everybody who asks.
static TAGS: LazyLock<[HeaderValue; 5]> =
    LazyLock::new(|| ASSETS.each_ref().map(|asset| conditional::content_tag(asset.content)));

/// Adds the page to the routes.
pub(crate) fn add_to<S: Clone + Send + Sync + 'static>(router: Router<S>) -> Router<S> {
    ASSETS
        .iter()
        .zip(TAGS.iter())
        .fold(router, |router, (asset, tag)| router.route(asset.path, get(move || async move { asset.response(tag) })))
}

impl Asset {
    fn response(&self, tag: &HeaderValue) -> Response {
        let mut response = Response::new(Body::from(Bytes::from_static(self.content)));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        headers.insert(header::ETAG, tag.clone());
        headers.extend(HEADERS.map(|(name, value)| (name, HeaderValue::from_static(value))));
        response
    }
}
