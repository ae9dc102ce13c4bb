//! Headers and fields by which a server, or a proxy before it, overrides parts of a request: method, URL, host or client. A grant is checked against the method and URL that are sent, so a request that replaces them later on the way is
//! refused.
//!
//! | what | examples |
//! |---|---|
//! | the connection and the framing | `Host`, `Content-Length`, `Proxy-*` |
//! | the method, as a header | `X-HTTP-Method-Override`, `X-HTTP-Method`, `X-Method-Override` |
//! | the URL, as a header | `X-Original-URL`, `X-Rewrite-URL`, `X-Envoy-Original-Path`, `X-Forwarded-*` |
//! | the client, as a header | `Forwarded`, `X-Real-IP`, `True-Client-IP` |
//! | the method, as a parameter, form field or JSON member | `_method`, `x-http-method-override` |
//! | the method, as a parameter or form field | `method=DELETE` |
//! | how the body is read | JSON that is sent as a form, a text in UTF-16 |
//!
//! Servers behind CGI read `_` and `-` in a header's name as the same character, so both are.

mod content_type;
mod fields;
mod headers;
mod json;

use http::header::HeaderName;

use super::error::Invalid;
use super::request::Request;

pub(super) use headers::{check_header, is_connection_header};

/// Refuses a request whose parameters or body replace its method.
pub(super) fn check(request: &Request) -> Result<(), Invalid> {
    content_type::check(request)?;
    fields::check(request)
}

/// Why a request is refused for a header or field that replaces its method, URL, host or client; `None` where it is not.
pub fn override_refusal(request: &Request) -> Option<String> {
    let mut names = request.headers.iter().filter_map(|pair| HeaderName::from_bytes(pair.name.as_bytes()).ok());
    let result = names.try_for_each(|name| check_header(&name)).and_then(|()| check(request));
    result.err().map(|invalid| invalid.message)
}
