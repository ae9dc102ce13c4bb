//! [`Egress`] and [`AppClient`]: one request from its check to its answer.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use tokio::time::{Instant, timeout_at};
use tracing::Instrument as _;
use tracing::field::Empty;

use super::breaker::{Cause, Open, Outcome};
use super::call::Call;
use super::contact::{Contact, Reached};
use super::error::{EgressSetupError, ErrorKind, SendError};
use super::failure::{self, classify, shown};
use super::grant::Method;
use super::hosts::{HostUnavailable, Hosts};
use super::mock_transport::{self, MockTransport};
use super::outgoing::Outgoing;
use super::parts::Assembler;
use super::receive::{self, Answer};
use super::request::{Request, Response};
use super::resolver::{CheckedResolver, DialPolicy};
use super::settings::{EgressLimits, EgressSettings};
use super::target::Origin;
use super::{mint, shape, tls};
use keyferry_telemetry::{SPANS, metrics};

/// Share of a call's remaining time that its last request may not use, or an eighth where that is less: after a timeout
/// a plugin still has to return its verdict. Without it, a provider that does not answer would look like a plugin that
/// does not end.
const LAST_WORD: Duration = Duration::from_millis(500);

/// When it is worth trying again where a host has as many requests under way as it may have.
const CROWDED: Duration = Duration::from_secs(1);

/// Idle connections are closed before most servers do that, and after at most twice this time: until then, the buffers of
/// a connection still hold the head of the last request that it carried, with its secrets.
const IDLE: Duration = Duration::from_secs(5);

/// The way out, as the operator set it up. Cloning it is cheap.
#[derive(Clone)]
pub struct Egress {
    shared: Arc<Shared>,
}

struct Shared {
    settings: EgressSettings,
    world: Arc<DialPolicy>,
    roots: Arc<RootCertStore>,
    provider: Arc<CryptoProvider>,
}

impl Egress {
    /// Sets egress up: reads the certificate authorities.
    pub fn new(settings: EgressSettings) -> Result<Self, EgressSetupError> {
        let roots = Arc::new(tls::roots(settings.ca_file.as_deref())?);
        let world = Arc::new(DialPolicy::new(&settings));
        Ok(Self { shared: Arc::new(Shared { settings, world, roots, provider: tls::provider() }) })
    }

    /// The limits in force.
    pub fn limits(&self) -> &EgressLimits {
        &self.shared.settings.limits
    }

    /// A client for one admitted plugin. It shares neither connections nor TLS sessions with any other.
    pub fn app_client(&self) -> Result<AppClient, EgressSetupError> {
        let limits = self.limits();
        let http = self.http_client(limits.concurrency_per_host)?;
        let hosts = Arc::new(Hosts::new(limits.concurrency_per_host));
        Ok(AppClient { egress: self.clone(), way: Way::Network(Network { http, hosts }) })
    }

    /// A client that dials checked addresses only, follows no redirect, uses no proxy, and keeps at most `most_idle`
    /// idle connections to a host.
    pub(super) fn http_client(&self, most_idle: usize) -> Result<reqwest::Client, EgressSetupError> {
        let tls = tls::client_config(Arc::clone(&self.shared.roots), Arc::clone(&self.shared.provider))?;
        reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .dns_resolver(CheckedResolver(Arc::clone(&self.shared.world)))
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .referer(false)
            .http1_only()
            .http1_max_headers(receive::MOST_HEADERS)
            .connect_timeout(self.limits().connect_time)
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(most_idle)
            .build()
            .map_err(|error| EgressSetupError::Client(Box::new(error)))
    }

    /// The settings in force.
    pub(super) fn settings(&self) -> &EgressSettings {
        &self.shared.settings
    }

    /// What may be dialled.
    pub(super) fn world(&self) -> &DialPolicy {
        &self.shared.world
    }

    /// An address in the URL is dialled without a lookup, so it is checked here.
    pub(super) fn check_literal(&self, origin: &Origin) -> Result<(), SendError> {
        let world = self.world();
        let Some(address) = origin.address() else { return Ok(()) };
        if let Err(refused) = world.may_dial(address) {
            tracing::warn!(%address, class = %refused.class, "a request to an address that is never dialled");
            return Err(failure::forbidden(origin));
        }
        if world.has_literal(address) { Ok(()) } else { Err(failure::not_found(origin)) }
    }

    /// What was dialled was checked; this holds if a layer below ever decides otherwise.
    pub(super) fn check_peer(&self, response: &reqwest::Response, origin: &Origin) -> Result<(), SendError> {
        if let Some(peer) = response.remote_addr()
            && let Err(refused) = self.world().check(peer.ip())
        {
            tracing::warn!(host = origin.host(), peer = %peer.ip(), class = %refused.class, "an answer from an address that is never dialled");
            return Err(SendError { sent: true, ..failure::forbidden(origin) });
        }
        Ok(())
    }

    /// A client whose requests go to a stage instead of the network.
    pub fn staged_client(&self, stage: Arc<dyn MockTransport>) -> AppClient {
        AppClient { egress: self.clone(), way: Way::MockTransport(stage) }
    }
}

impl fmt::Debug for Egress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Egress").field("settings", &self.shared.settings).finish_non_exhaustive()
    }
}

/// The client of one app. Cloning it is cheap and shares its connections.
#[derive(Clone)]
pub struct AppClient {
    egress: Egress,
    way: Way,
}

/// Where requests go that have passed the checks.
#[derive(Clone)]
enum Way {
    Network(Network),
    MockTransport(Arc<dyn MockTransport>),
}

#[derive(Clone)]
struct Network {
    http: reqwest::Client,
    hosts: Arc<Hosts>,
}

impl AppClient {
    /// Sends one request and reads the whole answer.
    ///
    /// The checks come in an order that lets nothing leak: budget, shape, grant, address; only then are secrets put in
    /// and is a name looked up.
    pub async fn send(&self, call: &mut Call, request: Request) -> Result<Response, SendError> {
        let span = tracing::info_span!(target: SPANS, "provider", otel.kind = "client", keyferry.outcome = Empty);
        let began = Instant::now();
        let result = self.exchange(call, &request).instrument(span.clone()).await;
        let outcome = match &result {
            Ok(response) => class(response.status),
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
        if let Some(witness) = call.witness() {
            witness.exchange(&request, result.as_ref());
        }
        result
    }

    async fn exchange(&self, call: &mut Call, request: &Request) -> Result<Response, SendError> {
        let settings = &self.egress.shared.settings;
        let limits = &settings.limits;
        call.spend()?;
        shape::check(request, limits.request_bytes)?;
        let origin = Origin::parse(&request.origin, settings.loopback)?;
        let asked_for = origin.for_grants(&request.path)?;
        if let Err(denied) = call.grants().allows(request.method, &asked_for) {
            let message = denied.to_string();
            return Err(SendError::unsent(ErrorKind::Denied(denied.missing), message));
        }
        self.egress.check_literal(&origin)?;

        let mut outgoing = Outgoing::assemble(&origin, request, &mut Assembler::new(call), limits.request_bytes)?;
        self.egress.shared.world.turn(&mut outgoing.url, origin.host());
        let answer = match &self.way {
            Way::Network(network) => self.pass(network, outgoing, request.method, &origin, call).await,
            Way::MockTransport(stage) => {
                mock_transport::perform(stage.as_ref(), request, &origin, request.method, limits)
                    .await
                    .map_err(|error| Missed { reached: Reached::of(&error), error })
            }
        };
        let reached = answer.as_ref().map_or_else(|missed| missed.reached, |_| Reached::Answered);
        call.reach(Contact { host: origin.host().into(), reached });
        let answer = answer.map_err(|missed| missed.error)?;
        Ok(understand(answer, request, call))
    }

    /// Sends a request when the host has room for it.
    async fn pass(
        &self,
        network: &Network,
        outgoing: Outgoing,
        method: Method,
        origin: &Origin,
        call: &Call,
    ) -> Result<Answer, Missed> {
        let started = Instant::now();
        let time = Time::new(started, self.egress.limits().request_time, call.deadline());
        let host = format!("{}:{}", origin.host(), origin.port());
        let pass = network.hosts.pass(&host, time.end).await.map_err(|stay| held_back(stay, origin, &time))?;
        let result = self.roundtrip(&network.http, outgoing, method, origin, &time).await;
        pass.report(outcome(&result, &time, call));
        tracing::debug!(
            %method,
            host = origin.host(),
            status = result.as_ref().ok().map(|answer| answer.status),
            error = result.as_ref().err().map(|error| call.redact(&error.message)),
            elapsed = ?started.elapsed(),
            "request"
        );
        result.map_err(|error| Missed { reached: Reached::of(&error), error })
    }

    async fn roundtrip(
        &self,
        http: &reqwest::Client,
        outgoing: Outgoing,
        method: Method,
        origin: &Origin,
        time: &Time,
    ) -> Result<Answer, SendError> {
        let limits = self.egress.limits();
        let host = origin.host();
        let mut request = reqwest::Request::new(to_http(method), outgoing.url);
        *request.headers_mut() = outgoing.headers;
        if !outgoing.body.is_empty() {
            // The buffer is wiped when the last reference to it goes.
            *request.body_mut() = Some(Bytes::from_owner(outgoing.body).into());
        }
        let response = match timeout_at(time.end, http.execute(request)).await {
            Ok(response) => response.map_err(|error| classify(&error, origin, limits.connect_time))?,
            Err(_) => {
                return Err(SendError::sent(
                    ErrorKind::Timeout,
                    format!("no answer from {host} within {}", time.shown()),
                ));
            }
        };
        self.egress.check_peer(&response, origin)?;
        let answer = receive::read(response, method, origin, limits.response_bytes, limits.connect_time);
        match timeout_at(time.end, answer).await {
            Ok(answer) => answer,
            Err(_) => {
                let message = format!("the answer from {host} was not complete within {}", time.shown());
                Err(SendError::sent(ErrorKind::Timeout, message))
            }
        }
    }
}

impl fmt::Debug for AppClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppClient").finish_non_exhaustive()
    }
}

/// How long a request may take.
struct Time {
    end: Instant,
    allowed: Duration,
    bound: Bound,
}

/// What bounds a request's time.
#[derive(PartialEq, Eq)]
enum Bound {
    Request,
    Call,
}

impl Time {
    fn new(now: Instant, request_time: Duration, call_end: Instant) -> Self {
        let left = call_end.saturating_duration_since(now);
        let left = left.saturating_sub(LAST_WORD.min(left / 8));
        if left < request_time {
            Self { end: now + left, allowed: left, bound: Bound::Call }
        } else {
            Self { end: now + request_time, allowed: request_time, bound: Bound::Request }
        }
    }

    fn shown(&self) -> String {
        match self.bound {
            Bound::Request => shown(self.allowed),
            Bound::Call => format!("{}, all that was left of the call", shown(self.allowed)),
        }
    }
}

/// A request without an answer, and how far it came.
struct Missed {
    error: SendError,
    reached: Reached,
}

/// A request that was not sent.
fn held_back(stay: HostUnavailable, origin: &Origin, time: &Time) -> Missed {
    let host = origin.host();
    match stay {
        HostUnavailable::Crowded => {
            let message = format!("too many requests to {host} are under way, and none ended within {}", time.shown());
            let error = SendError::unsent(ErrorKind::Timeout, message);
            Missed { error, reached: Reached::Crowded(CROWDED) }
        }
        HostUnavailable::Open(Open { left, cause }) => {
            let seconds = left.as_millis().div_ceil(1000).max(1);
            let message = format!("{} (circuit breaker open for {host}, retry in {seconds} s)", cause.message);
            Missed { error: SendError::unsent(cause.kind.clone(), message), reached: Reached::HeldBack(left) }
        }
    }
}

/// What a result says about the host. A call that had too little time left says nothing.
fn outcome(result: &Result<Answer, SendError>, time: &Time, call: &Call) -> Outcome {
    let error = match result {
        Ok(_) => return Outcome::Reached,
        Err(error) => error,
    };
    match error.kind {
        ErrorKind::TooLarge => Outcome::Reached,
        ErrorKind::Timeout if time.bound == Bound::Call => Outcome::Unknown,
        ErrorKind::Refused | ErrorKind::Tls | ErrorKind::Timeout | ErrorKind::Transport => {
            Outcome::Failed(Cause { kind: error.kind.clone(), message: call.redact(&error.message) })
        }
        ErrorKind::Denied(_) | ErrorKind::InvalidRequest | ErrorKind::Dns | ErrorKind::BudgetExhausted => {
            Outcome::Unknown
        }
    }
}

/// Takes the secrets out of an answer: new ones become known first, so that they are found in the headers too.
fn understand(answer: Answer, request: &Request, call: &mut Call) -> Response {
    let lifted = mint::lift(&answer.body, &request.mint, call);
    let headers = answer
        .headers
        .iter()
        // Redacted before it is made text: a value in Latin-1 would not be known again.
        .map(|(name, value)| {
            let value = call.redact_bytes(value.as_bytes());
            (call.redact(name.as_str()), String::from_utf8_lossy(&value).into_owned())
        });
    Response { status: answer.status, headers: headers.collect(), body: lifted.body, minted: lifted.minted }
}

/// The class of a status: which one it is, is the provider's to choose.
fn class(status: u16) -> &'static str {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_request_of_a_call_ends_before_the_call() {
        let now = Instant::now();
        for (left, allowed, bound) in [
            (Duration::from_secs(60), Duration::from_secs(10), Bound::Request),
            (Duration::from_secs(10), Duration::from_millis(9500), Bound::Call),
            (Duration::from_secs(1), Duration::from_millis(875), Bound::Call),
            (Duration::ZERO, Duration::ZERO, Bound::Call),
        ] {
            let time = Time::new(now, Duration::from_secs(10), now + left);
            assert_eq!((time.allowed, time.end), (allowed, now + allowed));
            assert!(time.bound == bound);
        }
    }
}
