//! The state of one call: the resource table, the budgets, the egress call, the log.

use std::sync::Arc;

use wasmtime::component::ResourceTable;
use wasmtime_wasi::p2::pipe::MemoryOutputPipe;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use super::call_recorder::{CallRecorder, LogLine};
use super::cpu_scheduler::CpuShare;
use super::deterministic_env::DeterministicEnv;
use super::limits::{InstanceLimits, SandboxLimits};
use super::unusable_value::{NamedValues, UnusableValue};
use keyferry_egress::{AppClient, Call, Contact, ErrorKind, Request, Response, SendError};
use keyferry_schema::is_unfit;
use keyferry_types::retry_after;

/// Bytes that a component under `wasi = "sealed"` may print in one call.
const SEALED_OUTPUT: usize = 64 * 1024;

/// The state of a wasmtime store during one call.
pub(super) struct CallState {
    pub(super) table: ResourceTable,
    pub(super) instance: InstanceLimits,
    pub(super) ticks_left: u64,
    pub(super) cpu_share: CpuShare,
    pub(super) env: Option<DeterministicEnv>,
    pub(super) recorder: Option<CallRecorder>,
    /// The credential's values and the minted tokens, to name those that a request cannot be built with.
    pub(super) named: NamedValues,
    /// Seconds to wait that the last refusing response asked for.
    pub(super) retry_after: Option<u32>,
    /// The first value that no request could be built with.
    pub(super) unusable: Option<UnusableValue>,
    egress: Option<(Arc<AppClient>, Box<Call>)>,
    plugin: Arc<str>,
    lines_left: usize,
    line_bytes: usize,
    wasi: Option<Box<SealedWasi>>,
}

/// Sealed WASI of a component that imports it, and what it prints.
struct SealedWasi {
    ctx: WasiCtx,
    output: MemoryOutputPipe,
}

/// Plugin, egress and test conditions of a call.
pub(super) struct CallContext {
    /// The plugin's name in its log lines.
    pub(super) plugin: Arc<str>,
    /// Egress for the call; `describe` has none.
    pub(super) egress: Option<(Arc<AppClient>, Box<Call>)>,
    /// Fixed clock and random bytes; `None` for the real ones.
    pub(super) env: Option<DeterministicEnv>,
    /// The recorder of a test call.
    pub(super) recorder: Option<CallRecorder>,
}

impl CallState {
    pub(super) fn new(
        limits: &SandboxLimits,
        memory_bytes: usize,
        ticks: u64,
        cpu_share: CpuShare,
        context: CallContext,
    ) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(limits.handles);
        Self {
            table,
            instance: InstanceLimits::new(limits, memory_bytes),
            ticks_left: ticks,
            cpu_share,
            env: context.env,
            recorder: context.recorder,
            named: NamedValues::default(),
            retry_after: None,
            unusable: None,
            egress: context.egress,
            plugin: context.plugin,
            lines_left: limits.log_lines,
            line_bytes: limits.log_line_bytes,
            wasi: None,
        }
    }

    /// Sends a request on the plugin's behalf.
    pub(super) async fn send(&mut self, request: Request) -> Result<Response, SendError> {
        if let Some(recorder) = &mut self.recorder {
            recorder.requests += 1;
        }
        self.cpu_share.release();
        let result = match &mut self.egress {
            Some((client, call)) => client.send(call, request).await,
            None => Err(SendError {
                kind: ErrorKind::Denied("none: `describe` makes no requests".to_owned()),
                message: "a plugin must describe itself without a request".to_owned(),
                sent: false,
                offending: None,
            }),
        };
        match &result {
            Ok(response) => self.note_wait(response),
            Err(error) if self.unusable.is_none() => self.unusable = self.named.unusable(error),
            Err(_) => {}
        }
        result
    }

    /// Remembers how long a response asks to wait, for a plugin that does not read it. In a test call the plugin must.
    fn note_wait(&mut self, response: &Response) {
        if self.recorder.is_some() {
            return;
        }
        // Responses without an error also report the end of a limit, which says nothing about waiting there.
        let is_about_waiting = |name: &str| response.status >= 400 || name == "retry-after";
        let headers = response.headers.iter().map(|(name, text)| (name.as_str(), text.as_str()));
        let headers: Vec<_> = headers.filter(|(name, _)| is_about_waiting(name)).collect();
        if headers.is_empty() {
            return;
        }
        let now_ms = u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or_default();
        self.retry_after = retry_after::of_headers(&headers, now_ms).or(self.retry_after);
    }

    /// Host and progress of the call's last request.
    pub(super) fn contact(&self) -> Option<Contact> {
        self.egress.as_ref().and_then(|(_, call)| call.contact().cloned())
    }

    /// A text of the plugin's, safe to show: one line, without secrets of the call, cut to `max_chars`.
    pub(super) fn sentence(&self, text: &str, max_chars: usize) -> String {
        let redacted = match &self.egress {
            // A character has at most four bytes.
            Some((_, call)) => call.redact_beginning(text, max_chars.saturating_mul(4)),
            None => text.get(..text.floor_char_boundary(max_chars.saturating_mul(4))).unwrap_or(text).to_owned(),
        };
        if redacted.len() <= max_chars && !redacted.contains(is_unfit) {
            return redacted;
        }
        redacted.chars().map(|c| if is_unfit(c) { ' ' } else { c }).take(max_chars).collect()
    }

    /// Writes a line to the log, if the call has any left.
    pub(super) fn log(&mut self, level: tracing::Level, message: &str) {
        let Some(left) = self.lines_left.checked_sub(1) else { return };
        self.lines_left = left;
        // Redacted before it is cut, so that no half of a secret is left at the end.
        let line = self.sentence(message, self.line_bytes);
        if let Some(recorder) = &mut self.recorder {
            return recorder.log.push(LogLine { level, text: line });
        }
        let plugin = &*self.plugin;
        match level {
            tracing::Level::TRACE => tracing::trace!(target: "keyferry::plugin", plugin, "{line}"),
            tracing::Level::DEBUG => tracing::debug!(target: "keyferry::plugin", plugin, "{line}"),
            tracing::Level::INFO => tracing::info!(target: "keyferry::plugin", plugin, "{line}"),
            tracing::Level::WARN => tracing::warn!(target: "keyferry::plugin", plugin, "{line}"),
            tracing::Level::ERROR => tracing::error!(target: "keyferry::plugin", plugin, "{line}"),
        }
        if left == 0 {
            tracing::warn!(target: "keyferry::plugin", plugin, "that was the last line of this call; more are dropped");
        }
    }

    /// Logs what a component under sealed WASI printed.
    pub(super) fn log_output(&mut self) {
        let Some(wasi) = &self.wasi else { return };
        let output = wasi.output.contents();
        for line in String::from_utf8_lossy(&output).lines() {
            self.log(tracing::Level::INFO, line);
        }
    }
}

impl WasiView for CallState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let env = &self.env;
        // Nothing is preopened, inherited or allowed; sockets are refused for every address.
        let wasi = self.wasi.get_or_insert_with(|| {
            let output = MemoryOutputPipe::new(SEALED_OUTPUT);
            let mut wasi = WasiCtx::builder();
            wasi.stdout(output.clone()).stderr(output.clone());
            wasi.allow_tcp(false).allow_udp(false).allow_ip_name_lookup(false);
            if let Some(env) = env {
                env.seal(&mut wasi);
            }
            Box::new(SealedWasi { ctx: wasi.build(), output })
        });
        WasiCtxView { ctx: &mut wasi.ctx, table: &mut self.table }
    }
}
