//! One call of a plugin: a slot, a fresh store and instance, a deadline, an answer. Nothing outlives the call.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;
use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime::{Engine, Store, UpdateDeadline};
use wasmtime_wasi::p2::pipe::MemoryOutputPipe;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use super::abi::v1;
use super::cache::{CodeCache, CodeSeal};
use super::description::{AppDescription, Digest, SecretAccess};
use super::engine::{MAX_MEMORY, TICK, engine};
use super::grants::WasiGrant;
use super::limits::{InstanceLimits, SandboxLimits};
use super::verdict::Verdict;
use crate::egress::{AppClient, Call, ErrorKind, Request, Response, SendError};
use crate::schema::Credential;

/// Bytes that a component under `wasi = "sealed"` may print in one call.
const SEALED_OUTPUT: usize = 64 * 1024;

/// A sandbox that cannot be made, or a component that it cannot take.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum SandboxError {
    #[error("the WebAssembly runtime did not start: {0}")]
    Engine(String),
    #[error("it does not compile: {0}")]
    Compile(String),
    #[error("it does not fit the plugin contract: {0}")]
    Contract(String),
}

/// A call that gave no verdict. None of these says anything of the credential.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum CallError {
    #[error("all {slots} plugin slots are taken and {queue} calls are waiting; try again in {} s", retry_after.as_secs())]
    Busy { slots: usize, queue: usize, retry_after: Duration },
    #[error("the plugin did not finish within {} s", wall.as_secs_f32())]
    Timeout { wall: Duration },
    #[error("the plugin used more than {} s of processor time", cpu.as_secs_f32())]
    Cpu { cpu: Duration },
    #[error("the plugin failed: {reason}")]
    Trapped { reason: String },
    #[error("the plugin's description is not valid: {problem}")]
    Description { problem: String },
}

/// A plugin ready to be called.
#[derive(Clone)]
pub(super) struct Compiled {
    pre: v1::PluginPre<CallState>,
    memory_bytes: usize,
}

/// Where plugins run.
pub struct Sandbox {
    engine: Engine,
    linker: Linker<CallState>,
    sealed_wasi_linker: Linker<CallState>,
    cache: Option<CodeCache>,
    limits: SandboxLimits,
    slots: Semaphore,
    places: Semaphore,
}

/// What a store carries through one call.
pub(super) struct CallState {
    pub(super) table: ResourceTable,
    instance: InstanceLimits,
    ticks_left: u64,
    egress: Option<(AppClient, Call)>,
    plugin: Arc<str>,
    lines_left: usize,
    line_bytes: usize,
    wasi: Option<Box<WasiCtx>>,
    output: MemoryOutputPipe,
}

/// Ends a call from inside the plugin's code.
#[derive(Debug, thiserror::Error)]
#[error("out of processor time")]
struct CpuExhausted;

impl Sandbox {
    /// Starts the runtime. With a cache, compiled code is kept in that folder, sealed by that function.
    ///
    /// # Errors
    /// Where this machine cannot run it.
    pub fn new(limits: SandboxLimits, cache: Option<(PathBuf, CodeSeal)>) -> Result<Self, SandboxError> {
        let fault = |error: wasmtime::Error| SandboxError::Engine(format!("{error:#}"));
        let engine = engine(&limits).map_err(fault)?;
        let mut linker = Linker::new(&engine);
        v1::add_to_linker(&mut linker).map_err(fault)?;
        let mut sealed_wasi_linker = linker.clone();
        wasmtime_wasi::p2::add_to_linker_async(&mut sealed_wasi_linker).map_err(fault)?;
        Ok(Self {
            slots: Semaphore::new(limits.slots),
            places: Semaphore::new(limits.slots.saturating_add(limits.queue)),
            cache: cache.map(|(folder, seal)| CodeCache::new(folder, seal)),
            engine,
            linker,
            sealed_wasi_linker,
            limits,
        })
    }

    /// The limits it was made with.
    pub fn limits(&self) -> &SandboxLimits {
        &self.limits
    }

    /// Compiles a component and ties it to the host's functions. Takes long: not for a thread that serves requests.
    pub(super) fn compile(
        &self,
        digest: &Digest,
        bytes: &[u8],
        wasi: WasiGrant,
        memory_bytes: Option<usize>,
    ) -> Result<Compiled, SandboxError> {
        let component = match &self.cache {
            Some(cache) => cache.component(&self.engine, digest, bytes),
            None => Component::new(&self.engine, bytes),
        };
        let component = component.map_err(|error| SandboxError::Compile(format!("{error:#}")))?;
        let linker = match wasi {
            WasiGrant::None => &self.linker,
            WasiGrant::Sealed => &self.sealed_wasi_linker,
        };
        let pre = linker
            .instantiate_pre(&component)
            .and_then(v1::PluginPre::new)
            .map_err(|error| SandboxError::Contract(format!("{error:#}")))?;
        let memory_bytes = memory_bytes.unwrap_or(self.limits.memory_bytes).min(MAX_MEMORY);
        Ok(Compiled { pre, memory_bytes })
    }

    /// Asks a plugin what its app is, with nothing granted.
    pub(super) async fn describe(&self, plugin: &Compiled, name: Arc<str>) -> Result<AppDescription, CallError> {
        let _slot = self.slot().await?;
        let mut store = self.store(plugin, name, None);
        let wire = self
            .within_limits(Instant::now() + self.limits.wall, async {
                let instance = plugin.pre.instantiate_async(&mut store).await?;
                instance.keyferry_plugin_app().call_describe(&mut store).await
            })
            .await;
        store.data_mut().log_output();
        v1::description(wire?).map_err(|problem| CallError::Description { problem })
    }

    /// Has a plugin verify a credential. `call` carries its grants and knows its secrets.
    pub(super) async fn verify(
        &self,
        plugin: &Compiled,
        name: Arc<str>,
        client: &AppClient,
        call: Call,
        credential: &Credential,
        access: SecretAccess,
    ) -> Result<Verdict, CallError> {
        let _slot = self.slot().await?;
        let deadline = call.deadline();
        let mut store = self.store(plugin, name, Some((client.clone(), call)));
        let wire = self
            .within_limits(deadline, async {
                let credential = v1::credential(store.data_mut(), credential, access)?;
                let instance = plugin.pre.instantiate_async(&mut store).await?;
                instance.keyferry_plugin_app().call_verify(&mut store, &credential).await
            })
            .await;
        store.data_mut().log_output();
        Ok(v1::verdict(store.data(), wire?))
    }

    /// A slot to run in: one of the queue's places first, so that a flood is turned away at once.
    async fn slot(&self) -> Result<(SemaphorePermit<'_>, SemaphorePermit<'_>), CallError> {
        let busy = || CallError::Busy {
            slots: self.limits.slots,
            queue: self.limits.queue,
            retry_after: Duration::from_secs(1),
        };
        let place = self.places.try_acquire().map_err(|_| busy())?;
        let slot = tokio::time::timeout(self.limits.wall, self.slots.acquire()).await;
        Ok((place, slot.map_err(|_| busy())?.map_err(|_| busy())?))
    }

    fn store(&self, plugin: &Compiled, name: Arc<str>, egress: Option<(AppClient, Call)>) -> Store<CallState> {
        let mut table = ResourceTable::new();
        table.set_max_capacity(self.limits.handles);
        let state = CallState {
            table,
            instance: InstanceLimits::new(&self.limits, plugin.memory_bytes),
            ticks_left: u64::try_from(self.limits.cpu.as_millis() / TICK.as_millis()).unwrap_or(u64::MAX).max(1),
            egress,
            plugin: name,
            lines_left: self.limits.log_lines,
            line_bytes: self.limits.log_line_bytes,
            wasi: None,
            output: MemoryOutputPipe::new(SEALED_OUTPUT),
        };
        let mut store = Store::new(&self.engine, state);
        store.limiter(|state| &mut state.instance);
        store.set_hostcall_fuel(self.limits.hostcall_bytes);
        store.set_epoch_deadline(1);
        // The epoch is looked at only in the plugin's own code, so waiting for a provider costs at most one tick.
        store.epoch_deadline_callback(|mut store| {
            let state = store.data_mut();
            state.ticks_left = state.ticks_left.saturating_sub(1);
            if state.ticks_left == 0 {
                return Err(CpuExhausted.into());
            }
            Ok(UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now())))
        });
        store
    }

    async fn within_limits<T>(
        &self,
        deadline: Instant,
        call: impl Future<Output = wasmtime::Result<T>>,
    ) -> Result<T, CallError> {
        match tokio::time::timeout_at(deadline, call).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) if error.is::<CpuExhausted>() => Err(CallError::Cpu { cpu: self.limits.cpu }),
            Ok(Err(error)) => Err(CallError::Trapped { reason: reason(&error) }),
            Err(_) => Err(CallError::Timeout { wall: self.limits.wall }),
        }
    }
}

/// The innermost cause, in one line. A trap's text is the runtime's: it holds nothing of the plugin's memory.
fn reason(error: &wasmtime::Error) -> String {
    let cause = error.root_cause().to_string();
    cause.lines().next().unwrap_or("unknown").chars().take(300).collect()
}

impl CallState {
    /// Sends a request on the plugin's behalf.
    pub(super) async fn send(&mut self, request: Request) -> Result<Response, SendError> {
        match &mut self.egress {
            Some((client, call)) => client.send(call, request).await,
            None => Err(SendError {
                kind: ErrorKind::Denied("none: `describe` makes no requests".to_owned()),
                message: "a plugin must describe itself without a request".to_owned(),
                sent: false,
            }),
        }
    }

    /// A text of the plugin's, fit to be shown: one line, without what the call knows to be secret, cut.
    pub(super) fn sentence(&self, text: &str, max_chars: usize) -> String {
        let redacted = match &self.egress {
            Some((_, call)) => call.redact(text),
            None => text.to_owned(),
        };
        redacted.chars().map(|c| if c.is_control() { ' ' } else { c }).take(max_chars).collect()
    }

    /// Writes a line to the log, if the call has any left.
    pub(super) fn log(&mut self, level: tracing::Level, message: &str) {
        let Some(left) = self.lines_left.checked_sub(1) else { return };
        self.lines_left = left;
        // Redacted before it is cut, so that no half of a secret is left at the end.
        let line = self.sentence(message, self.line_bytes);
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
    fn log_output(&mut self) {
        if self.wasi.is_none() {
            return;
        }
        let output = self.output.contents();
        for line in String::from_utf8_lossy(&output).lines() {
            self.log(tracing::Level::INFO, line);
        }
    }
}

impl WasiView for CallState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let output = &self.output;
        // Nothing is preopened, inherited or allowed; sockets are refused for every address.
        let wasi = self.wasi.get_or_insert_with(|| {
            Box::new(
                WasiCtx::builder()
                    .stdout(output.clone())
                    .stderr(output.clone())
                    .allow_tcp(false)
                    .allow_udp(false)
                    .allow_ip_name_lookup(false)
                    .build(),
            )
        });
        WasiCtxView { ctx: wasi, table: &mut self.table }
    }
}
