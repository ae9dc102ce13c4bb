//! [`AppClient`]: one request from its checks to its response.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, timeout_at};
use tracing::Instrument as _;
use tracing::field::Empty;

use super::assembler::Assembler;
use super::breaker::{Cause, Open, Outcome};
use super::call::Call;
use super::contact::{Contact, Reached};
use super::egress::Egress;
use super::error::{EgressSetupError, ErrorKind, SendError};
use super::grant::Method;
use super::hosts::{HostUnavailable, Hosts};
use super::mock_transport::{self, MockTransport};
use super::origin::Origin;
use super::outgoing::Outgoing;
use super::receive::{self, RawResponse};
use super::request::{Request, Response};
use super::request_time::RequestTime;
use super::transport_error::classify;
use super::{mint, shape};
use keyferry_telemetry::{SPANS, metrics};

/// When it is worth trying again where a host has as many requests under way as it may have.
const CROWDED: Duration = Duration::from_secs(1);

/// The client of one app. Cloning it is cheap and shares its connections.
#[derive(Clone)]
pub struct AppClient {
    egress: Egress,
    transport: Transport,
}

/// Destination of the requests that have passed the checks.
#[derive(Clone)]
enum Transport {
    Network(Network),
    Mock(Arc<dyn MockTransport>),
}

#[derive(Clone)]
struct Network {
    http: reqwest::Client,
    hosts: Arc<Hosts>,
}

impl AppClient {
    /// A client for one admitted plugin. It shares neither connections nor TLS sessions with any other.
    ///
    /// # Errors
    /// If TLS cannot be set up.
    pub fn new(egress: &Egress) -> Result<Self, EgressSetupError> {
        let most = egress.limits().concurrency_per_host;
        let network = Network { http: egress.http_client(most)?, hosts: Arc::new(Hosts::new(most)) };
        Ok(Self { egress: egress.clone(), transport: Transport::Network(network) })
    }

    /// A client whose requests go to a mock transport instead of the network.
    pub fn with_mock(egress: &Egress, mock: Arc<dyn MockTransport>) -> Self {
        Self { egress: egress.clone(), transport: Transport::Mock(mock) }
    }

    /// Sends one request and reads the whole response.
    ///
    /// The order of the checks lets nothing leak: budget, shape, grant, address; only then are secrets inserted and is a
    /// name looked up.
    pub async fn send(&self, call: &mut Call, request: Request) -> Result<Response, SendError> {
        let span = tracing::info_span!(target: SPANS, "provider", otel.kind = "client", keyferry.outcome = Empty);
        let began = Instant::now();
        let result = self.exchange(call, &request).instrument(span.clone()).await;
        let outcome = match &result {
            Ok(response) => status_class(response.status),
            Err(error) => error.kind.code(),
        };
        span.record("keyferry.outcome", outcome);
        metrics::egress(outcome, began.elapsed());
        let result = result.map_err(|mut error| {
            error.message = call.redact(&error.message);
            if let ErrorKind::Denied(what) = &mut error.kind {
                *what = call.redact(what);
            }
            error
        });
        if let Some(observer) = call.observer() {
            observer.exchange(&request, result.as_ref());
        }
        result
    }

    async fn exchange(&self, call: &mut Call, request: &Request) -> Result<Response, SendError> {
        let settings = self.egress.settings();
        let limits = &settings.limits;
        call.take_request()?;
        shape::check(request, limits.request_bytes)?;
        let origin = Origin::parse(&request.origin, settings.loopback)?;
        let asked_for = origin.for_grants(&request.path)?;
        if let Err(denied) = call.grants().allows(request.method, &asked_for) {
            let message = denied.to_string();
            return Err(SendError::unsent(ErrorKind::Denied(denied.missing), message));
        }
        self.egress.check_literal(&origin)?;

        let mut outgoing = Outgoing::assemble(&origin, request, &mut Assembler::new(call), limits.request_bytes)?;
        self.egress.dial_policy().rewrite_for_dev(&mut outgoing.url, origin.host());
        let result = match &self.transport {
            Transport::Network(network) => self.send_to_host(network, outgoing, request.method, &origin, call).await,
            Transport::Mock(mock) => mock_transport::perform(mock.as_ref(), request, &origin, request.method, limits)
                .await
                .map_err(FailedRequest::new),
        };
        let reached = result.as_ref().map_or_else(|failed| failed.reached, |_| Reached::Answered);
        call.set_contact(Contact { host: origin.host().into(), reached });
        Ok(redacted(result.map_err(|failed| failed.error)?, request, call))
    }

    /// Sends a request when the host has room for it.
    async fn send_to_host(
        &self,
        network: &Network,
        outgoing: Outgoing,
        method: Method,
        origin: &Origin,
        call: &Call,
    ) -> Result<RawResponse, FailedRequest> {
        let started = Instant::now();
        let time = RequestTime::new(started, self.egress.limits().request_time, call.deadline());
        let host = format!("{}:{}", origin.host(), origin.port());
        let permit = network.hosts.acquire(&host, time.end).await;
        let permit = permit.map_err(|unavailable| FailedRequest::not_sent(unavailable, origin, &time))?;
        let result = self.roundtrip(&network.http, outgoing, method, origin, &time).await;
        permit.report(outcome(&result, &time, call));
        tracing::debug!(
            %method,
            host = origin.host(),
            status = result.as_ref().ok().map(|response| response.status),
            error = result.as_ref().err().map(|error| call.redact(&error.message)),
            elapsed = ?started.elapsed(),
            "request"
        );
        result.map_err(FailedRequest::new)
    }

    async fn roundtrip(
        &self,
        http: &reqwest::Client,
        outgoing: Outgoing,
        method: Method,
        origin: &Origin,
        time: &RequestTime,
    ) -> Result<RawResponse, SendError> {
        let limits = self.egress.limits();
        let host = origin.host();
        let mut request = reqwest::Request::new(to_http(method), outgoing.url);
        *request.headers_mut() = outgoing.headers;
        if !outgoing.body.is_empty() {
            // The buffer is wiped when its last reference is dropped.
            *request.body_mut() = Some(Bytes::from_owner(outgoing.body).into());
        }
        let response = match timeout_at(time.end, http.execute(request)).await {
            Ok(response) => response.map_err(|error| classify(&error, origin, limits.connect_time))?,
            Err(_) => {
                return Err(SendError::sent(
                    ErrorKind::Timeout,
                    format!("no answer from {host} within {}", time.in_words()),
                ));
            }
        };
        self.egress.check_peer(&response, origin)?;
        let response = receive::read(response, method, origin, limits.response_bytes, limits.connect_time);
        timeout_at(time.end, response).await.unwrap_or_else(|_| {
            let message = format!("the answer from {host} was not complete within {}", time.in_words());
            Err(SendError::sent(ErrorKind::Timeout, message))
        })
    }
}

impl fmt::Debug for AppClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppClient").finish_non_exhaustive()
    }
}

/// A request without a response, and how far it came.
struct FailedRequest {
    error: SendError,
    reached: Reached,
}

impl FailedRequest {
    fn new(error: SendError) -> Self {
        Self { reached: Reached::from_error(&error), error }
    }

    /// A request that was held back.
    fn not_sent(unavailable: HostUnavailable, origin: &Origin, time: &RequestTime) -> Self {
        let host = origin.host();
        match unavailable {
            HostUnavailable::Crowded => {
                let message =
                    format!("too many requests to {host} are under way, and none ended within {}", time.in_words());
                let error = SendError::unsent(ErrorKind::Timeout, message);
                Self { error, reached: Reached::Crowded(CROWDED) }
            }
            HostUnavailable::Open(Open { left, cause }) => {
                let seconds = left.as_millis().div_ceil(1000).max(1);
                let message = format!("{} (circuit breaker open for {host}, retry in {seconds} s)", cause.message);
                Self { error: SendError::unsent(cause.kind.clone(), message), reached: Reached::HeldBack(left) }
            }
        }
    }
}

/// The result as the breaker counts it. A timeout that the end of the call caused is not counted.
fn outcome(result: &Result<RawResponse, SendError>, time: &RequestTime, call: &Call) -> Outcome {
    let error = match result {
        Ok(_) => return Outcome::Reached,
        Err(error) => error,
    };
    match error.kind {
        ErrorKind::TooLarge => Outcome::Reached,
        ErrorKind::Timeout if time.is_cut_by_call() => Outcome::Unknown,
        ErrorKind::Refused | ErrorKind::Tls | ErrorKind::Timeout | ErrorKind::Transport => {
            Outcome::Failed(Cause { kind: error.kind.clone(), message: call.redact(&error.message) })
        }
        ErrorKind::Denied(_) | ErrorKind::InvalidRequest | ErrorKind::Dns | ErrorKind::BudgetExhausted => {
            Outcome::Unknown
        }
    }
}

/// Replaces the secrets in a response. New tokens are added to the known secrets first, so that they are found in the
/// headers too.
fn redacted(response: RawResponse, request: &Request, call: &mut Call) -> Response {
    let lifted = mint::lift(&response.body, &request.mint, call);
    let headers = response
        .headers
        .iter()
        // Redacted before it becomes text: conversion would change a value in Latin-1.
        .map(|(name, value)| {
            let value = call.redact_bytes(value.as_bytes());
            (call.redact(name.as_str()), String::from_utf8_lossy(&value).into_owned())
        });
    Response { status: response.status, headers: headers.collect(), body: lifted.body, minted: lifted.minted }
}

/// The class of a status, as a label of metrics: the provider chooses the status, and labels must be few.
fn status_class(status: u16) -> &'static str {
    match status {
        200..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        _ => "5xx",
    }
}

fn to_http(method: Method) -> http::Method {
    match method {
        Method::Get => http::Method::GET,
        Method::Head => http::Method::HEAD,
        Method::Post => http::Method::POST,
        Method::Put => http::Method::PUT,
        Method::Patch => http::Method::PATCH,
        Method::Delete => http::Method::DELETE,
    }
}
