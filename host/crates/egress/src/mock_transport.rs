//! What stands in for the network, or looks on, where a plugin is tried out.
//!
//! A staged request passes the very checks of a real one: budget, shape, grant, and it is put together as if it were sent.
//! Only then is the stage asked for the answer, which goes through the very reading, lifting and redaction of a real one.

use std::time::Duration;

use super::error::{ErrorKind, SendError};
use super::failure::{self, shown};
use super::grant::Method;
use super::receive::{self, Answer};
use super::request::{Request, Response};
use super::settings::EgressLimits;
use super::target::Origin;

/// What answers requests in the network's place.
pub trait MockTransport: Send + Sync {
    /// The answer to a request that passed every check.
    fn answer(&self, request: &Request) -> MockExchange;
}

/// Looks on at the requests of one call.
pub trait ExchangeObserver: Send + Sync {
    /// A request, also one that was refused, and what the plugin is told of it: secrets are taken out.
    fn exchange(&self, request: &Request, result: Result<&Response, &SendError>);
}

/// What a [`MockTransport`] says.
#[derive(Debug, Clone)]
pub enum MockExchange {
    /// The server's answer, as it would come over the wire.
    Answer {
        /// The HTTP status, 200 or more.
        status: u16,
        /// Names and values.
        headers: Vec<(String, String)>,
        /// The content.
        body: Vec<u8>,
    },
    /// There is none.
    Fault(Fault),
}

/// What keeps an answer from arriving.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The name does not exist.
    Dns,
    /// Nothing listens.
    Refused,
    /// The certificate is another host's.
    Tls,
    /// The server says nothing.
    Timeout,
    /// The server goes on sending, so slowly that the answer is not complete in time.
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
