//! Request ids, the access log, and what is counted and traced of each request. All three have the route's pattern, never the
//! path, which can hold account ids. The log has the caller as well.

use std::cell::RefCell;
use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::{FromRequestParts, MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;
use http::request::Parts;
use http::{HeaderName, HeaderValue};
use tracing::Instrument as _;
use tracing::field::Empty;

use crate::error::rendering::FailureCode;
use crate::middleware::request_context::{RequestCaller, RequestContext};
use crate::request::shown_target::shown_method;
use keyferry_store::{ApiKeyRecord, SessionRecord};
use keyferry_telemetry::metrics::{self, ActiveRequest};
use keyferry_telemetry::{self as telemetry, SPANS, TraceParent};
use keyferry_types::echo::MASK;

static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The id of a request.
#[derive(Debug, Clone)]
pub(crate) struct RequestId(pub(crate) String);

/// The caller's own id for a request, where it is a reasonable one, or a new one.
fn id_of(request: &Request) -> String {
    let given = request.headers().get(&X_REQUEST_ID).and_then(|value| value.to_str().ok());
    let reasonable = |id: &&str| {
        (1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:/+=".contains(&b))
    };
    given.filter(reasonable).map_or_else(new_id, str::to_owned)
}

impl<S: Sync> FromRequestParts<S> for RequestId {
    type Rejection = Infallible;

    /// The id that [`layer`] has given the request.
    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(RequestContext::with_current(|request| request.id().to_owned()).unwrap_or_else(new_id)))
    }
}

/// Random bytes of an id.
type Id = [u8; 16];
/// Ids that are made with one call of the system.
const IDS: usize = 32;

thread_local! {
    /// Ids of requests to come.
    static NEW_IDS: RefCell<Vec<Id>> = const { RefCell::new(Vec::new()) };
}

fn new_id() -> String {
    hex::encode(NEW_IDS.with_borrow_mut(|ids| {
        ids.pop().unwrap_or_else(|| {
            let mut bytes = [[0; size_of::<Id>()]; IDS];
            // Without randomness nothing could be sealed either, so such a host has stopped before; an id of zeros is harmless.
            let _ = getrandom::fill(bytes.as_flattened_mut());
            let [first, others @ ..] = bytes;
            ids.extend(others);
            first
        })
    }))
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
    RequestContext::with_current(|request| {
        request.name_caller(RequestCaller {
            org: key.org.as_str().into(),
            key: key.shown.as_str().into(),
            session: session.map(|session| session.id.to_string().into()),
        });
    });
}

/// Gives a request its id and logs one line per response.
pub(crate) async fn layer(request: Request, next: Next) -> Response {
    let id = id_of(&request);
    let method = shown_method(request.method());
    let matched = request.extensions().get::<MatchedPath>().cloned();
    let route = matched.as_ref().map_or("(none)", MatchedPath::as_str);
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
    let context = RequestContext::new(&id, telemetry::trace_id(&sent, parent));
    let active = ActiveRequest::begin();
    let began = std::time::Instant::now();
    let mut response = Arc::clone(&context).scope(next.run(request)).instrument(sent.clone()).await;
    let elapsed = began.elapsed();
    drop(active);
    let micros = elapsed.as_micros();
    let status = response.status().as_u16();
    metrics::http_request(if method == MASK { "_OTHER" } else { method }, route, status, elapsed);
    sent.record("http.response.status_code", status);
    if status >= 500 {
        sent.record("otel.status_code", "ERROR");
    }
    if let Some(FailureCode(code)) = response.extensions().get() {
        sent.record("keyferry.code", code);
    }
    let code = response.extensions().get::<FailureCode>().map(|code| code.0);
    context.sync_scope(|| match code {
        None => tracing::info!(target: "keyferry::access", %method, route, status, micros),
        Some(code) => tracing::info!(target: "keyferry::access", %method, route, status, micros, code),
    });
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(X_REQUEST_ID.clone(), value);
    }
    response
}
