//! [`AppClient`]: one request from its checks to its response.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use tokio::time::{Instant, timeout_at};
use tracing::Instrument as _;
use tracing::field::Empty;

use super::assembler::Assembler;
use super::breaker::{Cause, Open, Outcome};
use super::call::Call;
use super::connection::{Connection, Failed, Outbound};
use super::contact::{Contact, Reached};
use super::dial::Dialer;
use super::egress::Egress;
use super::error::{EgressSetupError, ErrorKind, SendError};
use super::grant::Method;
use super::hosts::{HostPermit, HostUnavailable, Hosts};
use super::mock_transport::{self, MockTransport};
use super::origin::{Origin, path_for_grants};
use super::origins::Origins;
use super::outgoing::Outgoing;
use super::receive::{self, RawResponse};
use super::request::{Request, Response};
use super::request_time::RequestTime;
use super::transport_error::broken_off;
use super::{mint, shape};
use keyferry_telemetry::{SPANS, metrics};

/// When it is worth trying again where a host has as many requests under way as it may have.
const CROWDED: Duration = Duration::from_secs(1);

/// The client of one app. Cloning it is cheap and shares its connections.
#[derive(Clone)]
pub struct AppClient {
    egress: Egress,
    origins: Arc<Origins>,
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
    dialer: Arc<Dialer>,
    hosts: Arc<Hosts>,
}

impl AppClient {
    /// A client for one admitted plugin. It shares neither connections nor TLS sessions with any other.
    ///
    /// # Errors
    /// If TLS cannot be set up.
    pub fn new(egress: &Egress) -> Result<Self, EgressSetupError> {
        let hosts = Hosts::new(egress.limits().concurrency_per_host);
        let network = Network { dialer: Arc::new(egress.dialer()?), hosts: Arc::new(hosts) };
        Ok(Self { egress: egress.clone(), origins: Arc::default(), transport: Transport::Network(network) })
    }

    /// A client whose requests go to a mock transport instead of the network.
    pub fn with_mock(egress: &Egress, mock: Arc<dyn MockTransport>) -> Self {
        Self { egress: egress.clone(), origins: Arc::default(), transport: Transport::Mock(mock) }
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
        let origin = self.origins.parse(&request.origin, settings.loopback)?;
        let path = path_for_grants(&request.path)?;
        if let Err(denied) = call.grants().allows_path(request.method, origin.url(), &path) {
            let message = denied.to_string();
            return Err(SendError::unsent(ErrorKind::Denied(denied.missing), message));
        }
        self.egress.check_literal(&origin)?;

        let outgoing = Outgoing::assemble(&origin, request, &mut Assembler::new(call), limits.request_bytes)?;
        let result = match &self.transport {
            Transport::Network(network) => self.send_to_host(network, outgoing, request.method, &origin, call).await,
            Transport::Mock(mock) => {
                let result = mock_transport::perform(mock.as_ref(), request, &origin, request.method, limits);
                result.map_err(FailedRequest::new)
            }
        };
        let reached = result.as_ref().map_or_else(|failed| failed.reached, |_| Reached::Answered);
        call.set_contact(Contact { host: origin.shared_host(), reached });
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
        let permit = network.hosts.acquire(origin.key(), time.end).await;
        let permit = permit.map_err(|unavailable| FailedRequest::not_sent(unavailable, origin, &time))?;
        let result = self.roundtrip(network, &permit, outgoing, method, origin, &time).await;
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
        network: &Network,
        permit: &HostPermit,
        outgoing: Outgoing,
        method: Method,
        origin: &Origin,
        time: &RequestTime,
    ) -> Result<RawResponse, SendError> {
        let mut is_answered = false;
        let exchange = async {
            let (mut connection, response) = respond(network, permit, outgoing.into_request(method)?, origin).await?;
            is_answered = true;
            let response =
                receive::read(&mut connection, response, method, origin, self.egress.limits().response_bytes).await?;
            if connection.is_idle() {
                network.hosts.keep(permit, connection);
            }
            Ok(response)
        };
        timeout_at(time.end, exchange).await.unwrap_or_else(|_| {
            let (host, time) = (origin.host(), time.in_words());
            let message = match is_answered {
                true => format!("the answer from {host} was not complete within {time}"),
                false => format!("no answer from {host} within {time}"),
            };
            Err(SendError::sent(ErrorKind::Timeout, message))
        })
    }
}

/// Sends a request over an idle connection or a new one, and waits for the head of its response.
async fn respond(
    network: &Network,
    permit: &HostPermit,
    mut request: Outbound,
    origin: &Origin,
) -> Result<(Box<Connection>, http::Response<Incoming>), SendError> {
    while let Some(mut connection) = permit.idle_connection() {
        match connection.send(request).await {
            Ok(response) => return Ok((connection, response)),
            // The host had closed the connection, and nothing was written to it.
            Err(Failed { unsent: Some(unsent), .. }) => request = unsent,
            Err(Failed { error, .. }) => return Err(broken_off(&*error, origin)),
        }
    }
    // On the heap, since it is seldom needed.
    let mut connection = Box::pin(network.dialer.dial(origin)).await?;
    match connection.send(request).await {
        Ok(response) => Ok((connection, response)),
        Err(Failed { error, .. }) => Err(broken_off(&*error, origin)),
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
    let RawResponse { status, headers, body } = response;
    let lifted = mint::lift(body, &request.mint, call);
    let redactor = call.redactor();
    let headers = headers
        .iter()
        // Redacted before it becomes text: conversion would change a value in Latin-1.
        .map(|(name, value)| {
            let value = redactor.redact(value.as_bytes());
            (redactor.redact_text(name.as_str()).into_owned(), String::from_utf8_lossy(&value).into_owned())
        });
    Response { status, headers: headers.collect(), body: lifted.body, minted: lifted.minted }
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
