//! [`Contact`]: which host a call's last request was for, and how far that request came.

use std::sync::Arc;
use std::time::Duration;

use super::error::{ErrorKind, SendError};

/// Host and progress of the last request of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// The host, in lower case, as the plugin named it.
    pub host: Arc<str>,
    /// Progress of the last request to it.
    pub reached: Reached,
}

/// Progress of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reached {
    /// The host responded, with any status.
    Answered,
    /// The request may have been sent, and no complete response came.
    Unanswered,
    /// No connection: the name does not resolve, nothing listens, or the TLS handshake failed. No credential was sent.
    Unconnected,
    /// Not sent: the circuit breaker of the host is open for this time.
    HeldBack(Duration),
    /// Not sent: too many requests to the host are in progress. A repetition is worthwhile after this time.
    Crowded(Duration),
}

impl Reached {
    /// The progress that an error from the network implies.
    pub(super) fn from_error(error: &SendError) -> Self {
        match (&error.kind, error.sent) {
            // The host sends too much, so it is reachable.
            (ErrorKind::TooLarge, _) => Self::Answered,
            (_, true) => Self::Unanswered,
            (_, false) => Self::Unconnected,
        }
    }
}
