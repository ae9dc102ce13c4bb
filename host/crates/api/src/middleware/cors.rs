//! The web pages that may read responses: none, unless the operator names their origins: an API key has no business in a
//! browser.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Method, header};
use tower_http::cors::CorsLayer;
use url::Url;

/// The maximum age of a cached preflight response.
const MAX_AGE: Duration = Duration::from_secs(600);

/// Where a web page is from: `https://app.example.com`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CorsOrigin(HeaderValue);

/// Text that is no origin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an origin is scheme, host and port as a browser sends them, without a path: https://app.example.com")]
pub struct InvalidOrigin;

impl FromStr for CorsOrigin {
    type Err = InvalidOrigin;

    fn from_str(text: &str) -> Result<Self, InvalidOrigin> {
        let url: Url = text.parse().map_err(|_| InvalidOrigin)?;
        // What a browser sends is compared byte by byte.
        let is_origin = ["http", "https"].contains(&url.scheme()) && url.origin().ascii_serialization() == text;
        let value = HeaderValue::from_str(text).map_err(|_| InvalidOrigin)?;
        if is_origin { Ok(Self(value)) } else { Err(InvalidOrigin) }
    }
}

impl fmt::Display for CorsOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.to_str().unwrap_or_default())
    }
}

/// Responds to browsers that ask for one of these origins.
pub(crate) fn layer(origins: &[CorsOrigin]) -> CorsLayer {
    let requested = [
        "x-api-key",
        "linked_account_id",
        "linked-account-id",
        "idempotency-key",
        "prefer",
        "traceparent",
        "x-request-id",
    ];
    let exposed = [
        "etag",
        "idempotency-replayed",
        "keyferry-action",
        "keyferry-failure",
        "keyferry-ignored-parameters",
        "keyferry-outcome",
        "keyferry-warnings",
        "ratelimit",
        "ratelimit-policy",
        "retry-after",
        "x-request-id",
    ];
    let standard =
        [header::ACCEPT, header::AUTHORIZATION, header::CONTENT_TYPE, header::IF_MATCH, header::IF_NONE_MATCH];
    CorsLayer::new()
        .allow_origin(origins.iter().map(|origin| origin.0.clone()).collect::<Vec<_>>())
        .allow_methods([Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers(standard.into_iter().chain(requested.map(HeaderName::from_static)).collect::<Vec<_>>())
        .expose_headers(exposed.map(HeaderName::from_static))
        .max_age(MAX_AGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_what_a_browser_sends() {
        for (text, is_one) in [
            ("https://app.example.com", true),
            ("http://localhost:3000", true),
            ("https://app.example.com/", false),
            ("https://app.example.com:443", false),
            ("https://APP.example.com", false),
            ("app.example.com", false),
            ("*", false),
            ("null", false),
            ("file:///x", false),
        ] {
            assert_eq!(text.parse::<CorsOrigin>().is_ok(), is_one, "{text}");
        }
    }
}
