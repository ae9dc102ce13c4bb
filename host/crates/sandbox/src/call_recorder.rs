//! Records what a plugin does in a test call.

use super::error::CallError;

/// Recording of one call.
#[derive(Debug, Default)]
pub(super) struct CallRecorder {
    /// Number of requests that the plugin asked for.
    pub(super) requests: u32,
    /// Log lines of the plugin, redacted.
    pub(super) log: Vec<LogLine>,
}

/// One line of a plugin's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// Severity of the line.
    pub level: tracing::Level,
    /// The line, without secrets.
    pub text: String,
}

/// The result of a test call, with its usage and log.
#[derive(Debug)]
pub struct RecordedCall<T> {
    /// Result of the call.
    pub result: Result<T, CallError>,
    /// Resources that the call used.
    pub usage: Usage,
    /// Log lines of the plugin, redacted.
    pub log: Vec<LogLine>,
}

/// Resources that a call used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Instructions, nearly: the runtime counts one unit for most of them. Equal work is equal fuel on every machine.
    pub fuel: u64,
    /// The most bytes of linear memory in use at once.
    pub memory_bytes: usize,
    /// Number of requests that the plugin asked for.
    pub requests: u32,
}

impl<T> RecordedCall<T> {
    pub(super) fn new(result: Result<T, CallError>, fuel: u64, memory_bytes: usize, recorder: CallRecorder) -> Self {
        Self { result, usage: Usage { fuel, memory_bytes, requests: recorder.requests }, log: recorder.log }
    }
}
