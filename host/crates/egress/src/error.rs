//! Errors of requests without a response.

use std::path::PathBuf;
use std::time::Duration;

use super::offending_parts::OffendingParts;
use super::request::Part;

/// Kind of a failed request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ErrorKind {
    /// Nothing allows this request. The payload is the very grant that is missing, for example
    /// `GET https://api.example.com/v1/x`, or, where no grant would help, what is refused.
    Denied(String),
    /// The request could not be built.
    InvalidRequest,
    /// The name does not exist, leads to an address that is never dialled, or could not be looked up. Only the
    /// operator's log distinguishes the first two.
    Dns,
    /// The host refused the connection.
    Refused,
    /// The TLS handshake failed, or the certificate is not that host's.
    Tls,
    /// No response in time.
    Timeout,
    /// The response is larger than the limit.
    TooLarge,
    /// The call has used up its requests or its time.
    BudgetExhausted,
    /// Any other failure of the connection or of HTTP.
    Transport,
}

impl ErrorKind {
    /// Stable text for programs: `denied`, `timeout`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Denied(_) => "denied",
            Self::InvalidRequest => "invalid_request",
            Self::Dns => "dns",
            Self::Refused => "refused",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::TooLarge => "too_large",
            Self::BudgetExhausted => "budget_exhausted",
            Self::Transport => "transport",
        }
    }
}

/// A request that got no response.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct SendError {
    /// Kind of the failure; decides the error that the plugin sees.
    pub kind: ErrorKind,
    /// One line for people, without a secret.
    pub message: String,
    /// Whether any part of the request may have reached the server.
    pub sent: bool,
    /// The parts that the request could not be built with, if the error is about values.
    pub offending: Option<Box<OffendingParts>>,
}

impl SendError {
    pub(super) fn unsent(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), sent: false, offending: None }
    }

    pub(super) fn sent(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), sent: true, offending: None }
    }
}

/// Why a name has no address that may be dialled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum ResolveError {
    /// It does not exist, has no address, or one of its addresses must not be dialled. Callers get the same error for
    /// all three: they choose hosts, and would learn which names exist inside the network.
    #[error("the name does not exist")]
    NotFound,
    /// No server gave a usable answer.
    #[error("the name could not be looked up")]
    Failed,
    /// No server answered within this time.
    #[error("no answer to the name's lookup within {0:?}")]
    TimedOut(Duration),
    /// The name is one that exists only inside a network. It was not looked up.
    #[error("the name is one for inside a network")]
    Internal,
}

/// A request that cannot be built. The text says why and never holds a secret value.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub(super) struct Invalid {
    pub(super) message: String,
    offending: Option<Box<OffendingParts>>,
}

impl Invalid {
    /// A mistake of the plugin's.
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), offending: None }
    }

    /// A mistake of the plugin's, unless one of these parts holds a value for which `fails` is true.
    pub(super) fn with_parts(message: impl Into<String>, parts: &[Part], fails: fn(&str) -> bool) -> Self {
        Self { message: message.into(), offending: Some(Box::new(OffendingParts::new(parts, fails))) }
    }

    /// As [`with_parts`](Self::with_parts), for a text that the plugin assembled.
    pub(super) fn with_text(message: impl Into<String>, text: &str, fails: fn(&str) -> bool) -> Self {
        Self::with_parts(message, &[Part::Text(text.to_owned())], fails)
    }
}

impl From<Invalid> for SendError {
    fn from(invalid: Invalid) -> Self {
        let Invalid { message, offending } = invalid;
        Self { offending, ..Self::unsent(ErrorKind::InvalidRequest, message) }
    }
}

/// Errors of setting up egress.
#[derive(Debug, thiserror::Error)]
pub enum EgressSetupError {
    /// The file of extra certificate authorities cannot be read.
    #[error("the certificate authority file {path} cannot be read: {source}")]
    CaFile {
        /// Path of the certificate file.
        path: PathBuf,
        /// Error of reading the file.
        source: std::io::Error,
    },
    /// The file of extra certificate authorities is not PEM.
    #[error("the certificate authority file {path} is not PEM: {source}")]
    CaPem {
        /// Path of the certificate file.
        path: PathBuf,
        /// Error of parsing the file.
        source: rustls_pki_types::pem::Error,
    },
    /// The file of extra certificate authorities holds no certificate, or one that is of no use.
    #[error("the certificate authority file {path} holds no usable certificate: {reason}")]
    CaCertificate {
        /// Path of the certificate file.
        path: PathBuf,
        /// What makes the certificates unusable.
        reason: String,
    },
    /// TLS cannot be set up.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
}
