//! Errors of requests without a response.

use std::path::PathBuf;

use super::culprit::Culprit;
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
    /// No answer in time.
    Timeout,
    /// The answer is larger than the limit.
    TooLarge,
    /// The call has used up its requests or its time.
    BudgetExhausted,
    /// Anything else between here and there.
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

/// A request that got no answer.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct SendError {
    /// Kind of the failure.
    pub kind: ErrorKind,
    /// One line for people, without a secret.
    pub message: String,
    /// Whether any part of the request may have reached the server.
    pub sent: bool,
    /// The values that it could not be built with, where it is about values.
    pub culprit: Option<Box<Culprit>>,
}

impl SendError {
    pub(super) fn unsent(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), sent: false, culprit: None }
    }

    pub(super) fn sent(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), sent: true, culprit: None }
    }
}

/// A request that cannot be built. The text says why and never holds a secret value.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub(super) struct Invalid {
    pub(super) message: String,
    culprit: Option<Box<Culprit>>,
}

impl Invalid {
    /// It is a mistake of the plugin's.
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), culprit: None }
    }

    /// It is a mistake of the plugin's, unless one of these parts holds a value that fails there.
    pub(super) fn of(message: impl Into<String>, parts: &[Part], fails: fn(&str) -> bool) -> Self {
        Self { message: message.into(), culprit: Some(Box::new(Culprit::new(parts, fails))) }
    }

    /// As [`of`](Self::of), of a text that the plugin has put together.
    pub(super) fn of_text(message: impl Into<String>, text: &str, fails: fn(&str) -> bool) -> Self {
        Self::of(message, &[Part::Text(text.to_owned())], fails)
    }
}

impl From<Invalid> for SendError {
    fn from(invalid: Invalid) -> Self {
        let Invalid { message, culprit } = invalid;
        Self { culprit, ..Self::unsent(ErrorKind::InvalidRequest, message) }
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
    /// The HTTP client cannot be built.
    #[error("the HTTP client cannot be built: {0}")]
    Client(#[source] Box<dyn std::error::Error + Send + Sync>),
}
