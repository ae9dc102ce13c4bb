//! Request ids, the access log, and what is counted and traced of each request. All three have the route's pattern, never the
//! path, which can hold account ids. The log has the caller as well.

use std::convert::Infallible;

use axum::extract::{FromRequestParts, MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;
use http::request::Parts;
use http::{HeaderName, HeaderValue};
use tracing::Instrument as _;
use tracing::field::Empty;

use crate::error::rendering::FailureCode;
use crate::request::shown_target::shown_method;
use keyferry_store::{ApiKeyRecord, SessionRecord};
use keyferry_telemetry::metrics::{self, ActiveRequest};
use keyferry_telemetry::{self as telemetry, SPANS, TraceParent};
use keyferry_types::echo::MASK;

static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The id of a request: the caller's own, where it is a reasonable one, or a new one.
#[derive(Debug, Clone)]
pub(crate) struct RequestId(pub(crate) String);

impl RequestId {
    fn new(request: &Request) -> Self {
        let given = request.headers().get(&X_REQUEST_ID).and_then(|value| value.to_str().ok());
        let reasonable = |id: &&str| {
            (1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:/+=".contains(&b))
        };
        Self(given.filter(reasonable).map_or_else(new_id, str::to_owned))
    }
}

impl<S: Sync> FromRequestParts<S> for RequestId {
    type Rejection = Infallible;

    /// The id that [`layer`] has given the request.
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get().cloned().unwrap_or_else(|| Self(new_id())))
    }
}

fn new_id() -> String {
    let mut bytes = [0; 16];
    // Without randomness nothing could be sealed either, so such a host has stopped before; an id of zeros is harmless.
    let _ = getrandom::fill(&mut bytes);
    hex::encode(bytes)
}

/// The trace that a request is part of, if its caller says so in a way that can be understood.
fn parent(request: &Request) -> Option<TraceParent> {
    let mut given = request.headers().get_all("traceparent").iter();
    match (given.next(), given.next()) {
        (Some(parent), None) => parent.to_str().ok()?.parse().ok(),
        _ => None,
    }
}

/// Names the caller of the request under way in its log lines: the organisation, the API key as it is shown, and the session of a
/// front end.
pub(crate) fn name_caller(key: &ApiKeyRecord, session: Option<&SessionRecord>) {
    let span = tracing::Span::current();
    span.record("org", tracing::field::display(&key.org));
    span.record("key", &*key.shown);
    if let Some(session) = session {
        span.record("session", tracing::field::display(&session.id));
    }
}

/// Gives a request its id and logs one line per response.
pub(crate) async fn layer(mut request: Request, next: Next) -> Response {
    let id = RequestId::new(&request);
    let method = shown_method(request.method());
    let route = request.extensions().get::<MatchedPath>().map_or("(none)", MatchedPath::as_str).to_owned();
    let parent = parent(&request);
    let sent = tracing::info_span!(
        target: SPANS,
        "request",
        otel.name = format!("{method} {route}"),
        otel.kind = "server",
        otel.status_code = Empty,
        http.request.method = method,
        http.route = route,
        http.response.status_code = Empty,
        keyferry.code = Empty,
    );
    if let Some(parent) = parent {
        telemetry::join(&sent, parent);
    }
    let span = tracing::info_span!("request", id = %id.0, trace = Empty, org = Empty, key = Empty, session = Empty);
    if let Some(trace) = telemetry::trace_id(&sent, parent) {
        span.record("trace", trace);
    }
    request.extensions_mut().insert(id.clone());
    let active = ActiveRequest::begin();
    let began = std::time::Instant::now();
    let mut response = next.run(request).instrument(span.clone()).instrument(sent.clone()).await;
    let elapsed = began.elapsed();
    drop(active);
    let micros = elapsed.as_micros();
    let status = response.status().as_u16();
    metrics::http_request(if method == MASK { "_OTHER" } else { method }, &route, status, elapsed);
    sent.record("http.response.status_code", status);
    if status >= 500 {
        sent.record("otel.status_code", "ERROR");
    }
    if let Some(FailureCode(code)) = response.extensions().get() {
        sent.record("keyferry.code", code);
    }
    let code = response.extensions().get::<FailureCode>().map(|code| code.0);
    span.in_scope(|| match code {
        None => tracing::info!(target: "keyferry::access", %method, route, status, micros),
        Some(code) => tracing::info!(target: "keyferry::access", %method, route, status, micros, code),
    });
    if let Ok(value) = HeaderValue::from_str(&id.0) {
        response.headers_mut().insert(X_REQUEST_ID.clone(), value);
    }
    response
}
