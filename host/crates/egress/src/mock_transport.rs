//! [`MockTransport`]: replaces the network while a plugin is tested.
//!
//! A mocked request passes the same checks as a real one (budget, shape, grant) and is assembled as if it were sent.
//! Only then does the mock transport give the response, which goes through the same reading, minting and redaction as a
//! real one.

use std::time::Duration;

use super::error::{ErrorKind, SendError};
use super::grant::Method;
use super::origin::Origin;
use super::receive::{self, RawResponse};
use super::request::Request;
use super::settings::EgressLimits;
use super::transport_error::{self, format_duration};

/// Responds to requests in place of the network.
pub trait MockTransport: Send + Sync {
    /// The response to a request that passed every check.
    fn respond(&self, request: &Request) -> MockExchange;
}

/// The result that a [`MockTransport`] gives for a request.
#[derive(Debug, Clone)]
pub enum MockExchange {
    /// The server's response, as it would come over the wire.
    Response {
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

/// Takes the response of a mock transport and reads it like one from the network.
pub(super) fn perform(
    mock: &dyn MockTransport,
    request: &Request,
    origin: &Origin,
    method: Method,
    limits: &EgressLimits,
) -> Result<RawResponse, SendError> {
    let (status, headers, body) = match mock.respond(request) {
        MockExchange::Response { status, headers, body } => (status, headers, body),
        MockExchange::Fault(fault) => return Err(fault.error(origin, limits.request_time)),
    };
    let mut response = http::Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(name, value);
    }
    let broken = |error: http::Error| {
        SendError::sent(ErrorKind::Transport, format!("{} answered what is not HTTP: {error}", origin.host()))
    };
    let (head, ()) = response.body(()).map_err(broken)?.into_parts();
    receive::read_whole(head.status, head.headers, &body, method, origin, limits.response_bytes)
}

impl Fault {
    /// The error that egress returns for such a failure of the network.
    fn error(self, origin: &Origin, time: Duration) -> SendError {
        let (host, port) = (origin.host(), origin.port());
        match self {
            Self::Dns => transport_error::not_found(origin),
            Self::Refused => SendError::unsent(ErrorKind::Refused, format!("connect ECONNREFUSED {host}:{port}")),
            Self::Tls => {
                let message = format!("TLS with {host}: the certificate is not valid for this name");
                SendError::unsent(ErrorKind::Tls, message)
            }
            Self::Timeout => {
                SendError::sent(ErrorKind::Timeout, format!("no answer from {host} within {}", format_duration(time)))
            }
            Self::SlowDrip => {
                let message = format!("the answer from {host} was not complete within {}", format_duration(time));
                SendError::sent(ErrorKind::Timeout, message)
            }
            Self::Reset => {
                let message = format!("the exchange with {host} broke off: connection reset by peer");
                SendError::sent(ErrorKind::Transport, message)
            }
        }
    }
}
