//! A request's method and path as far as a message may repeat them.

use http::Method;
use keyferry_types::echo::{MASK, safe};

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

/// The path as far as it is one of ours or nearly so: a caller may have put anything into it.
pub(crate) fn shown_path(whole: &str) -> String {
    let mut path = String::new();
    for segment in whole.split('/').skip(1).take(MOST_SEGMENTS) {
        path.push('/');
        path.push_str(if segment.is_empty() { "" } else { safe(segment, SEGMENTS) });
    }
    path
}

/// The method, if it is one that HTTP has: a client can send any word.
pub(crate) fn shown_method(method: &Method) -> &'static str {
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
