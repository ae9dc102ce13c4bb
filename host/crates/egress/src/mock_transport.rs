//! Replaces the network, or observes requests, while a plugin is tested.
//!
//! A mocked request passes the same checks as a real one (budget, shape, grant) and is assembled as if it were sent.
//! Only then does the mock transport give the response, which goes through the same reading, minting and redaction as a
//! real one.

use std::time::Duration;

use super::error::{ErrorKind, SendError};
use super::failure::{self, shown};
use super::grant::Method;
use super::receive::{self, Answer};
use super::request::{Request, Response};
use super::settings::EgressLimits;
use super::target::Origin;

/// Answers requests in place of the network.
pub trait MockTransport: Send + Sync {
    /// The answer to a request that passed every check.
    fn answer(&self, request: &Request) -> MockExchange;
}

/// Observes the requests of one call.
pub trait ExchangeObserver: Send + Sync {
    /// Called for each request, also for a refused one, with the result that the plugin gets: secrets are redacted.
    fn exchange(&self, request: &Request, result: Result<&Response, &SendError>);
}

/// The result that a [`MockTransport`] gives for a request.
#[derive(Debug, Clone)]
pub enum MockExchange {
    /// The server's answer, as it would come over the wire.
    Answer {
        /// The HTTP status, 200 or more.
        status: u16,
        /// Names and values of the headers.
        headers: Vec<(String, String)>,
        /// The body's bytes.
        body: Vec<u8>,
    },
    /// No response arrives.
    Fault(Fault),
}

/// Why a response does not arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The name does not exist.
    Dns,
    /// The connection is refused.
    Refused,
    /// The certificate is another host's.
    Tls,
    /// The server sends no byte.
    Timeout,
    /// The server sends so slowly that the response is not complete in time.
    SlowDrip,
    /// The connection is reset while the body arrives.
    Reset,
}

/// Has a stage answer.
pub(super) async fn perform(
    stage: &dyn MockTransport,
    request: &Request,
    origin: &Origin,
    method: Method,
    limits: &EgressLimits,
) -> Result<Answer, SendError> {
    let (status, headers, body) = match stage.answer(request) {
        MockExchange::Answer { status, headers, body } => (status, headers, body),
        MockExchange::Fault(fault) => return Err(fault.error(origin, limits.request_time)),
    };
    let mut response = http::Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(name, value);
    }
    let broken = |error: http::Error| {
        SendError::sent(ErrorKind::Transport, format!("{} answered what is not HTTP: {error}", origin.host()))
    };
    let response = response.body(body).map_err(broken)?;
    receive::read(response.into(), method, origin, limits.response_bytes, limits.connect_time).await
}

impl Fault {
    /// What egress says of the real thing.
    fn error(self, origin: &Origin, time: Duration) -> SendError {
        let (host, port) = (origin.host(), origin.port());
        match self {
            Self::Dns => failure::not_found(origin),
            Self::Refused => SendError::unsent(ErrorKind::Refused, format!("connect ECONNREFUSED {host}:{port}")),
            Self::Tls => {
                let message = format!("TLS with {host}: the certificate is not valid for this name");
                SendError::unsent(ErrorKind::Tls, message)
            }
            Self::Timeout => {
                SendError::sent(ErrorKind::Timeout, format!("no answer from {host} within {}", shown(time)))
            }
            Self::SlowDrip => {
                let message = format!("the answer from {host} was not complete within {}", shown(time));
                SendError::sent(ErrorKind::Timeout, message)
            }
            Self::Reset => {
                let message = format!("the exchange with {host} broke off: connection reset by peer");
                SendError::sent(ErrorKind::Transport, message)
            }
        }
    }
}
