//! What `serve` says besides its log. Where log lines are JSON, programs read all output, so that a notice is a line of the log.

use super::config::LogFormat;
use super::term;

/// Prints notices in the form of the log.
#[derive(Debug, Clone, Copy)]
pub(super) struct Notices(LogFormat);

impl Notices {
    /// Notices beside a log of this format, which has been started.
    pub(super) fn new(log: LogFormat) -> Self {
        Self(log)
    }

    /// Says that something is ready, such as a listener with its address.
    pub(super) fn say(self, text: &str) {
        match self.0 {
            LogFormat::Text => term::print(text),
            LogFormat::Json => tracing::info!("{text}"),
        }
    }

    /// Warns of something that works, and that the operator should know.
    pub(super) fn warn(self, text: &str) {
        match self.0 {
            LogFormat::Text => term::warning(text),
            LogFormat::Json => tracing::warn!("{text}"),
        }
    }

    /// Says why the server ends.
    pub(super) fn error(self, text: &str) {
        match self.0 {
            LogFormat::Text => term::error(text),
            LogFormat::Json => tracing::error!("{text}"),
        }
    }
}
