//! A mock OpenTelemetry collector: receives spans and metrics as OTLP over HTTP or HTTPS, in protobuf.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ::http::{Request as HyperRequest, Response as HyperResponse, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use keyferry_mock_providers::ThrowAwayCa;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{HistogramDataPoint, number_data_point};
use prost::Message as _;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::or_fail::{OrFail as _, fail};

/// How long to wait for spans.
const PATIENCE: Duration = Duration::from_secs(30);

/// How the collector responds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// With 200.
    Works,
    /// With 503.
    Overloaded,
    /// Never.
    Silent,
}

/// A received span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// In hex.
    pub trace: String,
    /// In hex.
    pub id: String,
    /// In hex; empty for none.
    pub parent: String,
    /// Its name.
    pub name: String,
    /// 2 for a server's, 3 for a client's.
    pub kind: i32,
    /// `name=value` each, by name.
    pub attributes: Vec<String>,
    /// The messages of the log events in the span.
    pub events: usize,
    /// The resource attributes, `name=value` each.
    pub resource: Vec<String>,
}

/// The newest point of one time series.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// Its name.
    pub metric: String,
    /// `name=value` each, by name.
    pub attributes: Vec<String>,
    /// The value; for a histogram, its count.
    pub value: f64,
    /// The upper bounds of a histogram's buckets.
    pub bounds: Vec<f64>,
    /// The resource attributes, `name=value` each.
    pub resource: Vec<String>,
}

#[derive(Default)]
struct State {
    spans: Vec<Span>,
    points: Vec<Point>,
    /// Heads and bodies, as received.
    raw: Vec<Vec<u8>>,
    authorizations: Vec<String>,
}

/// A running mock collector. Dropping it stops it.
pub struct Collector {
    address: SocketAddr,
    tls: Option<ThrowAwayCa>,
    state: Arc<Mutex<State>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Collector {
    /// Starts a collector that responds as `mood` says.
    pub async fn start(mood: Mood) -> Self {
        Self::start_as(mood, None).await
    }

    /// Starts a working collector behind TLS.
    pub async fn start_tls() -> Self {
        Self::start_as(Mood::Works, Some(ThrowAwayCa::new().or_fail("a throw-away authority"))).await
    }

    async fn start_as(mood: Mood, tls: Option<ThrowAwayCa>) -> Self {
        let acceptor =
            tls.as_ref().map(|ca| TlsAcceptor::from(ca.server_config(&["127.0.0.1"]).or_fail("a certificate")));
        let listener = TcpListener::bind("127.0.0.1:0").await.or_fail("bind the collector");
        let address = listener.local_addr().or_fail("where the collector listens");
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = Arc::clone(&shared);
                let service = service_fn(move |request| answer(mood, Arc::clone(&state), request));
                match acceptor.clone() {
                    None => drop(tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service))),
                    Some(acceptor) => drop(tokio::spawn(async move {
                        let Ok(stream) = acceptor.accept(stream).await else { return };
                        let _ended = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                    })),
                }
            }
        });
        Self { address, tls, state, task }
    }

    /// The value of `--otlp-endpoint`.
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// Writes the certificate of the collector's authority, for `--otlp-ca`.
    pub fn write_ca(&self, path: &Path) {
        let ca = self.tls.as_ref().unwrap_or_else(|| fail("it does not speak TLS"));
        ca.write_pem(path).or_fail("write the throw-away authority");
    }

    /// All points so far, in order of arrival.
    pub fn points(&self) -> Vec<Point> {
        locked(&self.state).points.clone()
    }

    /// All spans so far.
    pub fn spans(&self) -> Vec<Span> {
        locked(&self.state).spans.clone()
    }

    /// All bytes so far, as received.
    pub fn raw(&self) -> Vec<u8> {
        locked(&self.state).raw.concat()
    }

    /// The `Authorization` header of each request; empty where it is missing.
    pub fn authorizations(&self) -> Vec<String> {
        locked(&self.state).authorizations.clone()
    }

    /// The spans of a trace, as soon as one of them has this name.
    pub async fn wait_for(&self, trace: &str, name: &str) -> Vec<Span> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let spans: Vec<_> = self.spans().into_iter().filter(|span| span.trace == trace).collect();
            if spans.iter().any(|span| span.name == name) {
                return spans;
            }
            if Instant::now() > deadline {
                fail(format_args!("no span {name} of {trace} came: {:#?}", self.spans()));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn answer(
    mood: Mood,
    state: Arc<Mutex<State>>,
    request: HyperRequest<Incoming>,
) -> Result<HyperResponse<Full<Bytes>>, hyper::Error> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let header = |name: &str| {
        parts.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).unwrap_or_default()
    };
    let is_export = parts.method == "POST" && header("content-type") == "application/x-protobuf";
    let (spans, points) = match parts.uri.path() {
        "/v1/traces" if is_export => match ExportTraceServiceRequest::decode(body.clone()) {
            Ok(export) => (spans(export), Vec::new()),
            Err(_) => return Ok(status(StatusCode::BAD_REQUEST)),
        },
        "/v1/metrics" if is_export => match ExportMetricsServiceRequest::decode(body.clone()) {
            Ok(export) => (Vec::new(), points(export)),
            Err(_) => return Ok(status(StatusCode::BAD_REQUEST)),
        },
        _ => return Ok(status(StatusCode::BAD_REQUEST)),
    };
    {
        let mut state = locked(&state);
        state.raw.push([format!("{parts:?}").as_bytes(), &body].concat());
        state.authorizations.push(header("authorization"));
        if mood == Mood::Works {
            state.spans.extend(spans);
            state.points.extend(points);
        }
    }
    match mood {
        Mood::Works => Ok(status(StatusCode::OK)),
        Mood::Overloaded => Ok(status(StatusCode::SERVICE_UNAVAILABLE)),
        Mood::Silent => std::future::pending().await,
    }
}

fn status(status: StatusCode) -> HyperResponse<Full<Bytes>> {
    let mut response = HyperResponse::new(Full::default());
    *response.status_mut() = status;
    response
}

fn spans(export: ExportTraceServiceRequest) -> Vec<Span> {
    let mut spans = Vec::new();
    for of_resource in export.resource_spans {
        let resource = shown(of_resource.resource.map(|resource| resource.attributes).unwrap_or_default());
        for span in of_resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            spans.push(Span {
                trace: hex(&span.trace_id),
                id: hex(&span.span_id),
                parent: hex(&span.parent_span_id),
                name: span.name,
                kind: span.kind,
                attributes: shown(span.attributes),
                events: span.events.len(),
                resource: resource.clone(),
            });
        }
    }
    spans
}

fn points(export: ExportMetricsServiceRequest) -> Vec<Point> {
    let mut points = Vec::new();
    for of_resource in export.resource_metrics {
        let resource = shown(of_resource.resource.map(|resource| resource.attributes).unwrap_or_default());
        for metric in of_resource.scope_metrics.into_iter().flat_map(|scope| scope.metrics) {
            let point = |attributes, value, bounds| Point {
                metric: metric.name.clone(),
                attributes: shown(attributes),
                value,
                bounds,
                resource: resource.clone(),
            };
            match metric.data {
                Some(Data::Sum(sum)) => {
                    points.extend(sum.data_points.into_iter().map(|of| point(of.attributes, number(of.value), vec![])));
                }
                Some(Data::Gauge(gauge)) => {
                    points
                        .extend(gauge.data_points.into_iter().map(|of| point(of.attributes, number(of.value), vec![])));
                }
                Some(Data::Histogram(histogram)) => {
                    let of_one = |of: HistogramDataPoint| point(of.attributes, exact(of.count), of.explicit_bounds);
                    points.extend(histogram.data_points.into_iter().map(of_one));
                }
                _ => {}
            }
        }
    }
    points
}

fn number(value: Option<number_data_point::Value>) -> f64 {
    match value {
        Some(number_data_point::Value::AsDouble(value)) => value,
        Some(number_data_point::Value::AsInt(value)) => exact(value.unsigned_abs()),
        None => 0.0,
    }
}

#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53, which no count here reaches")]
fn exact(count: u64) -> f64 {
    count as f64
}

fn shown(attributes: Vec<KeyValue>) -> Vec<String> {
    let value = |value: Option<Value>| match value {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    };
    let one = |pair: KeyValue| format!("{}={}", pair.key, value(pair.value.and_then(|any| any.value)));
    let mut all: Vec<_> = attributes.into_iter().map(one).collect();
    all.sort();
    all
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
