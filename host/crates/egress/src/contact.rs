//! [`Contact`]: which host a call's last request was for, and how far that request came.

use std::sync::Arc;
use std::time::Duration;

use super::error::{ErrorKind, SendError};

/// Host and progress of the last request of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// The host, in lower case, as the plugin named it.
    pub host: Arc<str>,
    /// Progress of the request.
    pub reached: Reached,
}

/// Progress of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reached {
    /// The host answered, with any status.
    Answered,
    /// The request may have left, and no whole answer came.
    Unanswered,
    /// No connection: the name does not resolve, nothing listens, or the TLS handshake failed. No credential has left.
    Unconnected,
    /// It was held back, since the host has failed many requests and is left alone for that time.
    HeldBack(Duration),
    /// It was held back, since as many requests are under way to the host as may be. It is worth trying again after that time.
    Crowded(Duration),
}

impl Reached {
    /// The progress that an error from the network implies.
    pub(super) fn of(error: &SendError) -> Self {
        match (&error.kind, error.sent) {
            // The host said too much, but it is there.
            (ErrorKind::TooLarge, _) => Self::Answered,
            (_, true) => Self::Unanswered,
            (_, false) => Self::Unconnected,
        }
    }
}
