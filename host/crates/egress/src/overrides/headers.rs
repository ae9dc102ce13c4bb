//! Headers that a plugin does not set.

use http::header::HeaderName;

use crate::error::Invalid;

/// Names that set the destination of a request, its end, or the connection. `accept-encoding` and `range` would get responses
/// in which secrets cannot be found: in another coding, or in pieces.
const CONNECTION: [&str; 15] = [
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "expect",
    "forwarded",
    "host",
    "http2-settings",
    "keep-alive",
    "range",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
];

/// Prefixes of header names: every header with such a prefix is refused.
const FAMILIES: [&str; 7] =
    ["x-accel-", "x-envoy-", "x-forward-", "x-method-", "x-original-", "x-remote-", "x-rewrite-"];

/// Names that give the client or the URL, and share no word with the others.
const SINGLE: [&str; 27] = [
    "base-url",
    "cf-connecting-ip",
    "cf-connecting-ipv6",
    "client-ip",
    "fastly-client-ip",
    "path-info",
    "real-ip",
    "request-uri",
    "script-name",
    "true-client-ip",
    "uri",
    "url",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-custom-ip-authorization",
    "x-forwarded",
    "x-host",
    "x-http-destinationurl",
    "x-originating-ip",
    "x-proxyuser-ip",
    "x-real-ip",
    "x-scheme",
    "x-script-name",
    "x-sendfile",
    "x-true-client-ip",
    "x-true-ip",
    "x-url-scheme",
];

/// Words of a header's name: what would be replaced ...
const REPLACED: [&str; 9] = ["host", "method", "path", "prefix", "query", "scheme", "uri", "url", "verb"];
/// ... and that it would be.
const REPLACES: [&str; 21] = [
    "backend",
    "effective",
    "forwarded",
    "http",
    "original",
    "overridden",
    "override",
    "overwrite",
    "proxied",
    "proxy",
    "raw",
    "real",
    "request",
    "rewrite",
    "rewritten",
    "script",
    "target",
    "tunnel",
    "tunneled",
    "unencoded",
    "upstream",
];

/// Whether a header sets the destination of a request, its end, or the connection. Webhooks may have the other refused headers:
/// their receiver belongs to the same owner.
pub(in super::super) fn is_connection_header(name: &HeaderName) -> bool {
    is_of_connection(name.as_str())
}

fn is_of_connection(name: &str) -> bool {
    CONNECTION.contains(&name) || name.starts_with("proxy-") || name.starts_with("x-forwarded-")
}

/// Whether a header is refused from plugins.
fn is_refused(name: &HeaderName) -> bool {
    let name = name.as_str().replace('_', "-");
    let name = name.as_str();
    if is_of_connection(name) || SINGLE.contains(&name) || FAMILIES.iter().any(|family| name.starts_with(family)) {
        return true;
    }
    let has = |words: &[&str]| name.split('-').any(|word| words.contains(&word));
    matches!(name, "x-method" | "x-verb" | "x-url" | "x-uri") || (has(&REPLACED) && has(&REPLACES))
}

/// Refuses a header that a plugin does not set.
pub(in super::super) fn check_header(name: &HeaderName) -> Result<(), Invalid> {
    if !is_refused(name) {
        return Ok(());
    }
    Err(Invalid::new(format!(
        "the header {name} is not for a plugin to set: it would change the connection, or the method, URL, host or client \
         that a server sees"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(name: &str) -> bool {
        is_refused(&HeaderName::from_bytes(name.as_bytes()).unwrap())
    }

    #[test]
    fn a_header_that_replaces_method_url_host_or_client_is_refused() {
        for name in [
            "X-HTTP-Method",
            "X-HTTP-Method-Override",
            "x-http-method-override",
            "X_HTTP_METHOD_OVERRIDE",
            "X-Method-Override",
            "X-Method",
            "HTTP-Method-Override",
            "X-HTTP-Verb-Override",
            "X-Original-Method",
            "X-Tunneled-Method",
            "X-Forwarded-Method",
            "X-Method-Name",
            "X-Proxy-URL",
            "X-Target-Path",
            "X-Upstream-Host",
            "X-HTTP-DestinationURL",
            "Http-Url",
            "URL",
            "X-True-IP",
            "X-Url-Scheme",
            "X-Original-URL",
            "X-Original-URI",
            "X-Original-Host",
            "X-Rewrite-URL",
            "X-Override-URL",
            "X-HTTP-Path-Override",
            "X-HTTP-Host-Override",
            "X-Forwarded-Path",
            "X-Forwarded-Prefix",
            "X_Forwarded_Host",
            "X-Forwarded-For",
            "X-Forwarded",
            "Forwarded",
            "X-Envoy-Original-Path",
            "X-Envoy-Original-Host",
            "X-Envoy-Upstream-Alt-Stat-Name",
            "X-Accel-Redirect",
            "X-Sendfile",
            "X-Backend-Host",
            "X-Proxied-URL",
            "X-Request-URI",
            "X-Script-Name",
            "Script-Name",
            "Path-Info",
            "X-WAWS-Unencoded-URL",
            "X-Host",
            "X-Real-IP",
            "True-Client-IP",
            "CF-Connecting-IP",
            "X-Client-IP",
            "X-Remote-User",
            "X-Remote-Addr",
            "Transfer_Encoding",
            "Content_Length",
            "Proxy_Authorization",
        ] {
            assert!(refused(name), "{name}");
        }
    }

    #[test]
    fn a_header_of_a_provider_is_let_through() {
        for name in [
            "Accept",
            "Authorization",
            "Content-Type",
            "Cookie",
            "Dropbox-API-Path-Root",
            "Idempotency-Key",
            "Notion-Version",
            "PSU-IP-Address",
            "Prefer",
            "Stripe-Account",
            "Stripe-Context",
            "User-Agent",
            "X-Amz-Date",
            "X-Amz-Target",
            "X-Api-Key",
            "X-Api-Version",
            "X-Atlassian-Token",
            "X-Callback-URL",
            "X-Goog-User-Project",
            "X-RapidAPI-Host",
            "X-Request-Id",
            "X-Requested-With",
            "X-Shopify-Access-Token",
            "X-Shopify-Shop-Domain",
            "Xero-Tenant-Id",
        ] {
            assert!(!refused(name), "{name}");
        }
    }
}
