//! A request's method and path as far as a message may repeat them.

use http::Method;
use keyferry_types::echo::{MASK, safe_name};

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

/// The path, without segments that may be values: a caller may have put anything into it.
pub(crate) fn shown_path(whole: &str) -> String {
    let mut path = String::new();
    for segment in whole.split('/').skip(1).take(MOST_SEGMENTS) {
        path.push('/');
        path.push_str(if segment.is_empty() { "" } else { safe_name(segment, SEGMENTS) });
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_shown_without_what_may_be_a_value() {
        for (path, shown) in [
            ("/api/v2/public/migrate_token", "/api/v2/public/migrate_token"),
            ("/api/v2/public/customers/acme-crm", "/api/v2/public/customers/acme-crm"),
            ("/api/v2/public/migrate-token/", "/api/v2/public/migrate-token/"),
            ("/api/sk_live_4eC39HqLyjWDarjtT1zdp7dc/x9y8", "/api/***/***"),
            ("/a%20b/Hunter", "/***/***"),
        ] {
            assert_eq!(shown_path(path), shown);
        }
    }
}
