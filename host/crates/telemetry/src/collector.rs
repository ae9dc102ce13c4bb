//! Requests to a collector: each has its own connection, and runs on the server's runtime.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, header};
use http_body_util::Full;
use opentelemetry_http::{HttpClient, HttpError};
use parking_lot::Mutex;
use rustls::ClientConfig;
use tokio::runtime::Handle;

use super::metrics;
use super::otlp::OtlpError;
use super::settings::OtlpSettings;
use keyferry_service_client::{Deadlines, exchange, tls_config};
use keyferry_types::bounded_file::{self, SMALL, is_obstructed};
use keyferry_types::path_text::ShowPath as _;

const DEADLINES: Deadlines = Deadlines { connect: Duration::from_secs(2), response: Duration::from_secs(3) };

/// The kind of data that is exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    Traces,
    Metrics,
}

impl Signal {
    fn as_str(self) -> &'static str {
        match self {
            Self::Traces => "traces",
            Self::Metrics => "metrics",
        }
    }
}

/// A collector, for one signal. Exporters call it from threads of their own, which have no runtime.
pub(super) struct Collector {
    signal: Signal,
    settings: OtlpSettings,
    tls: Arc<ClientConfig>,
    runtime: Handle,
    /// Whether the last export failed: a change is logged, not each failure.
    fails: AtomicBool,
    /// The headers that were read last. They are sent while the file hangs or is not a regular file.
    former: Mutex<Option<HeaderMap>>,
}

impl Collector {
    /// Checks the settings and the files that they name. It makes no connection.
    pub(super) fn new(signal: Signal, settings: &OtlpSettings) -> Result<Self, OtlpError> {
        let tls = tls_config(settings.ca.as_deref())?;
        let settings = settings.clone();
        let (fails, former) = (AtomicBool::new(false), Mutex::default());
        let collector = Self { signal, settings, tls, runtime: Handle::current(), fails, former };
        collector.headers().map_err(OtlpError::Headers)?;
        Ok(collector)
    }

    /// Reads the file of headers. The error repeats none of its text.
    fn headers(&self) -> Result<HeaderMap, String> {
        let mut headers = HeaderMap::new();
        let Some(path) = &self.settings.headers else { return Ok(headers) };
        let former = || self.former.lock();
        let read = bounded_file::read(path, SMALL);
        if let (Err(error), Some(known)) = (&read, former().clone())
            && is_obstructed(error)
        {
            tracing::warn!(file = %path.shown(), %error, "the headers file cannot be read; the last headers that were read are sent to the collector");
            return Ok(known);
        }
        let cannot = |error: std::io::Error| format!("cannot read {}: {error}", path.shown());
        let file = read.map_err(cannot)?;
        if former().is_none() && file.is_exposed() {
            let (file, mode) = (path.shown(), format!("{:04o}", file.mode));
            tracing::warn!(%file, mode, "others can read the headers for the collector, which may hold a token; chmod 600 it");
        }
        let text = file.text().map_err(cannot)?;
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let parsed = line.split_once(':').and_then(|(name, value)| {
                let mut value: HeaderValue = value.trim().parse().ok()?;
                value.set_sensitive(true);
                Some((name.trim().parse::<HeaderName>().ok()?, value))
            });
            let (name, value) = parsed
                .ok_or_else(|| format!("line {} of {} is not a header `Name: value`", number + 1, path.shown()))?;
            headers.append(name, value);
        }
        *former() = Some(headers.clone());
        Ok(headers)
    }

    /// Counts the outcome of an export, and logs it if it is not that of the last one.
    fn report(&self, outcome: &Result<Response<Bytes>, String>) {
        let problem = match outcome {
            Ok(response) if response.status().is_success() => None,
            Ok(response) => Some(format!("it responded with {}", response.status())),
            Err(problem) => Some(problem.clone()),
        };
        if self.signal == Signal::Traces {
            metrics::export(if problem.is_none() { "taken" } else { "failed" });
        }
        let (signal, collector) = (self.signal.as_str(), &self.settings.endpoint);
        let failed = self.fails.swap(problem.is_some(), Ordering::Relaxed);
        match problem {
            Some(problem) if !failed => {
                tracing::warn!(%collector, problem, "{signal} do not reach the collector");
            }
            None if failed => tracing::info!(%collector, "{signal} reach the collector again"),
            _ => {}
        }
    }
}

/// Checks the settings and the files that they name, without a connection. Must be called within a Tokio runtime.
///
/// # Errors
/// If a setting or a file is not usable.
pub fn check(settings: &OtlpSettings) -> Result<(), OtlpError> {
    Collector::new(Signal::Traces, settings).map(|_| ())
}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collector")
            .field("signal", &self.signal)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let headers = self.headers();
        let (to, tls) = (self.settings.endpoint.service.clone(), Arc::clone(&self.tls));
        let outcome = match headers {
            Ok(headers) => {
                let sending = async move {
                    let (mut parts, body) = request.into_parts();
                    parts.headers.extend(headers);
                    if let Ok(host) = HeaderValue::from_str(&to.authority()) {
                        parts.headers.insert(header::HOST, host);
                    }
                    // On the wire a request names its path; where to is known.
                    if let Some(path) = parts.uri.path_and_query() {
                        parts.uri = path.clone().into();
                    }
                    let request = Request::from_parts(parts, Full::new(body));
                    exchange(&to, &tls, request, DEADLINES).await.map_err(|error| error.to_string())
                };
                match self.runtime.spawn(sending).await {
                    Ok(outcome) => {
                        outcome.map(|(parts, mut body)| Response::from_parts(parts, std::mem::take(&mut *body).into()))
                    }
                    Err(_) => Err("the runtime has ended".to_owned()),
                }
            }
            Err(problem) => Err(problem),
        };
        self.report(&outcome);
        outcome.map_err(Into::into)
    }
}
