//! A call that is tried out: what the plugin does is recorded.

use super::sandbox::CallError;

/// What one call leaves behind.
#[derive(Debug, Default)]
pub(super) struct CallRecorder {
    /// How often it asked for a request.
    pub(super) requests: u32,
    /// What it logged, redacted.
    pub(super) log: Vec<LogLine>,
}

/// One line of a plugin's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// How much it matters.
    pub level: tracing::Level,
    /// The line, without secrets.
    pub text: String,
}

/// The result of a call that was tried out, and what it took.
#[derive(Debug)]
pub struct RecordedCall<T> {
    /// Result of the call.
    pub result: Result<T, CallError>,
    /// Resources that the call used.
    pub usage: Usage,
    /// What the plugin logged, redacted.
    pub log: Vec<LogLine>,
}

/// What a call took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Instructions, nearly: the runtime counts one unit for most of them. Equal work is equal fuel on every machine.
    pub fuel: u64,
    /// The most bytes of linear memory in use at once.
    pub memory_bytes: usize,
    /// How often the plugin asked for a request.
    pub requests: u32,
}

impl<T> RecordedCall<T> {
    pub(super) fn new(result: Result<T, CallError>, fuel: u64, memory_bytes: usize, trial: CallRecorder) -> Self {
        Self { result, usage: Usage { fuel, memory_bytes, requests: trial.requests }, log: trial.log }
    }
}
