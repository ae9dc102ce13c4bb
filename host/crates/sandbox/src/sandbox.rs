//! One call of a plugin: a slot, a fresh store and instance, a deadline, a result. Nothing outlives the call.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::time::Instant;
use wasmtime::component::{Component, Linker};
use wasmtime::{Engine, Store, Trap, UpdateDeadline};

use super::abi::v1;
use super::cache::CodeCache;
use super::call_limiter::CallLimiter;
use super::call_recorder::{CallRecorder, RecordedCall};
use super::call_state::{CallContext, CallState};
use super::code_seal::CodeSeal;
use super::compiler::Compiler;
use super::complexity;
use super::cpu_scheduler::{CpuDebt, CpuScheduler};
use super::description::{AppDescription, Digest, SecretAccess};
use super::deterministic_env::DeterministicEnv;
use super::engine::{MAX_MEMORY, Metering, TICK, engine};
use super::error::{CallError, RenewalCallError, SandboxError};
use super::function_cache::FunctionCache;
use super::grants::WasiGrant;
use super::limits::SandboxLimits;
use super::renewal::{AskedRenewal, RenewalResult};
use super::verdict::Verdict;
use keyferry_egress::{AppClient, Call};
use keyferry_schema::Credential;
use keyferry_telemetry::metrics;

/// A plugin ready to be called.
#[derive(Clone)]
pub(super) struct Compiled {
    linked: v1::LinkedPlugin,
    memory_bytes: usize,
    share: Arc<CallLimiter>,
    debt: Arc<CpuDebt>,
}

/// Compiles plugins and runs their calls.
pub struct Sandbox {
    engine: Engine,
    linker: Linker<CallState>,
    sealed_wasi_linker: Linker<CallState>,
    compiler: Compiler,
    cache: Option<CodeCache>,
    limits: SandboxLimits,
    metering: Metering,
    slots: CallLimiter,
    cpu: CpuScheduler,
}

/// The input of a verification.
pub(super) struct Verification<'a> {
    pub(super) client: Arc<AppClient>,
    /// Carries its grants and knows its secrets. It is large, and each future around the call would move it.
    pub(super) call: Box<Call>,
    pub(super) credential: &'a Credential,
    pub(super) access: SecretAccess,
}

/// Ends a call from inside the plugin's code.
#[derive(Debug, thiserror::Error)]
#[error("out of processor time")]
struct CpuExhausted;

impl Sandbox {
    /// Starts the runtime. With a cache, compiled code is kept in that folder, sealed by that function.
    ///
    /// # Errors
    /// If this machine cannot run it.
    pub fn new(limits: SandboxLimits, cache: Option<(PathBuf, CodeSeal)>) -> Result<Self, SandboxError> {
        Self::with_metering(limits, cache, Metering::Time)
    }

    /// As [`new`](Self::new), with calls that may count fuel too.
    pub(super) fn with_metering(
        limits: SandboxLimits,
        cache: Option<(PathBuf, CodeSeal)>,
        metering: Metering,
    ) -> Result<Self, SandboxError> {
        let fault = |error: wasmtime::Error| SandboxError::Engine(format!("{error:#}"));
        // A server compiles a plugin once, and an author the same one again and again.
        let is_workbench = metering != Metering::Time;
        let functions = cache.as_ref().filter(|_| is_workbench);
        let functions = functions.map(|(folder, seal)| Arc::new(FunctionCache::new(folder.clone(), Arc::clone(seal))));
        let engine = engine(&limits, metering, functions.as_ref()).map_err(fault)?;
        let mut linker = Linker::new(&engine);
        v1::add_to_linker(&mut linker).map_err(fault)?;
        let mut sealed_wasi_linker = linker.clone();
        wasmtime_wasi::p2::add_to_linker_async(&mut sealed_wasi_linker).map_err(fault)?;
        metrics::sandbox_room(limits.slots, limits.queue);
        Ok(Self {
            slots: CallLimiter::new(limits.slots, limits.queue),
            cpu: CpuScheduler::new(),
            compiler: Compiler::new().map_err(|error| SandboxError::Engine(error.to_string()))?,
            cache: cache.map(|(folder, seal)| CodeCache::new(folder, seal, functions)),
            engine,
            linker,
            sealed_wasi_linker,
            limits,
            metering,
        })
    }

    /// The limits of every call.
    pub fn limits(&self) -> &SandboxLimits {
        &self.limits
    }

    /// The threads for long work, apart from those that serve requests.
    pub(super) fn compiler(&self) -> &Compiler {
        &self.compiler
    }

    /// Compiles a component and links it to the host's functions. Takes long: run it on the [`compiler`](Self::compiler).
    pub(super) fn compile(
        &self,
        digest: &Digest,
        bytes: &[u8],
        wasi: WasiGrant,
        memory_bytes: Option<usize>,
    ) -> Result<Compiled, SandboxError> {
        complexity::check(bytes)?;
        let component = match &self.cache {
            Some(cache) => cache.component(&self.engine, digest, bytes),
            None => Component::new(&self.engine, bytes),
        };
        let component = component.map_err(|error| SandboxError::Compile(format!("{error:#}")))?;
        let linker = match wasi {
            WasiGrant::None => &self.linker,
            WasiGrant::Sealed => &self.sealed_wasi_linker,
        };
        let linked = linker
            .instantiate_pre(&component)
            .and_then(v1::LinkedPlugin::new)
            .map_err(|error| SandboxError::Contract(format!("{error:#}")))?;
        let memory_bytes = memory_bytes.unwrap_or(self.limits.memory_bytes).min(MAX_MEMORY);
        Ok(Compiled { linked, memory_bytes, share: Arc::new(self.slots.share()), debt: Arc::default() })
    }

    /// Calls `describe` with nothing granted. The result follows from the component's bytes alone.
    pub(super) async fn describe(&self, plugin: &Compiled, name: Arc<str>) -> Result<AppDescription, CallError> {
        let (_, description) = self.run_describe(plugin, name, DeterministicEnv::default(), None).await?;
        description
    }

    /// The same as a test call, which is recorded.
    pub(super) async fn try_describe(
        &self,
        plugin: &Compiled,
        name: Arc<str>,
        env: DeterministicEnv,
    ) -> Result<RecordedCall<AppDescription>, CallError> {
        let (store, description) = self.run_describe(plugin, name, env, Some(CallRecorder::default())).await?;
        Ok(self.recorded(store, description))
    }

    async fn run_describe(
        &self,
        plugin: &Compiled,
        name: Arc<str>,
        env: DeterministicEnv,
        recorder: Option<CallRecorder>,
    ) -> Result<(Store<CallState>, Result<AppDescription, CallError>), CallError> {
        let _slot = self.slots.acquire(&plugin.share, self.limits.wall).await?;
        let mut store = self.store(plugin, CallContext { plugin: name, egress: None, env: Some(env), recorder })?;
        let wire = self
            .within_limits(Instant::now() + self.limits.wall, async {
                store.data().cpu_share.begin().await;
                plugin.linked.describe(&mut store).await
            })
            .await;
        store.data_mut().log_output();
        let description = match wire {
            // A description has patterns, and those are compiled too.
            Ok(wire) => match self.compiler.run(move || parsed(wire)).await {
                Ok(parsed) => parsed.map_err(|problem| CallError::Description { problem }),
                Err(panicked) => Err(CallError::Description { problem: panicked.to_string() }),
            },
            Err(error) => Err(error),
        };
        Ok((store, description))
    }

    /// Calls `verify` with a credential.
    pub(super) async fn verify(
        &self,
        plugin: &Compiled,
        name: Arc<str>,
        verification: Verification<'_>,
    ) -> Result<Verdict, CallError> {
        let (_, verdict) = self.run_verify(plugin, name, verification, None, None).await?;
        verdict
    }

    /// The same as a test call, which is recorded.
    pub(super) async fn try_verify(
        &self,
        plugin: &Compiled,
        name: Arc<str>,
        verification: Verification<'_>,
        env: DeterministicEnv,
    ) -> Result<RecordedCall<Verdict>, CallError> {
        let recorder = Some(CallRecorder::default());
        let (store, verdict) = self.run_verify(plugin, name, verification, Some(env), recorder).await?;
        Ok(self.recorded(store, verdict))
    }

    async fn run_verify(
        &self,
        plugin: &Compiled,
        name: Arc<str>,
        verification: Verification<'_>,
        env: Option<DeterministicEnv>,
        recorder: Option<CallRecorder>,
    ) -> Result<(Store<CallState>, Result<Verdict, CallError>), CallError> {
        let _slot = self.slots.acquire(&plugin.share, self.limits.wall).await?;
        let Verification { client, call, credential, access } = verification;
        let deadline = call.deadline();
        let egress = Some((client, call));
        let mut store = self.store(plugin, CallContext { plugin: name, egress, env, recorder })?;
        let wire = self
            .within_limits(deadline, async {
                let credential = v1::credential(store.data_mut(), credential, access)?;
                store.data().cpu_share.begin().await;
                plugin.linked.verify(&mut store, &credential).await
            })
            .await;
        store.data_mut().log_output();
        // A plugin that does not expect it traps or continues without the value: neither changes the verdict on the
        // credential.
        let verdict = match v1::unusable(store.data()) {
            Some(verdict) => Ok(verdict),
            None => wire.map(|wire| v1::verdict(store.data(), wire)),
        };
        Ok((store, verdict))
    }

    /// Calls `renew` with a credential.
    pub(super) async fn renew(
        &self,
        plugin: &Compiled,
        name: Arc<str>,
        verification: Verification<'_>,
        asked: AskedRenewal<'_>,
    ) -> Result<RenewalResult, RenewalCallError> {
        let run = self.run_renew(plugin, name, verification, asked, None, None).await;
        let (store, renewed) = run.map_err(|error| RenewalCallError { error, contact: None })?;
        renewed.map_err(|error| RenewalCallError { error, contact: store.data().contact() })
    }

    /// The same as a test call, which is recorded.
    pub(super) async fn try_renew(
        &self,
        plugin: &Compiled,
        name: Arc<str>,
        verification: Verification<'_>,
        asked: AskedRenewal<'_>,
        env: DeterministicEnv,
    ) -> Result<RecordedCall<RenewalResult>, CallError> {
        let recorder = Some(CallRecorder::default());
        let (store, renewed) = self.run_renew(plugin, name, verification, asked, Some(env), recorder).await?;
        Ok(self.recorded(store, renewed))
    }

    async fn run_renew(
        &self,
        plugin: &Compiled,
        name: Arc<str>,
        verification: Verification<'_>,
        asked: AskedRenewal<'_>,
        env: Option<DeterministicEnv>,
        recorder: Option<CallRecorder>,
    ) -> Result<(Store<CallState>, Result<RenewalResult, CallError>), CallError> {
        let _slot = self.slots.acquire(&plugin.share, self.limits.wall).await?;
        let Verification { client, call, credential, access } = verification;
        let deadline = call.deadline();
        let egress = Some((client, call));
        let mut store = self.store(plugin, CallContext { plugin: name, egress, env, recorder })?;
        let wire = self
            .within_limits(deadline, async {
                let credential = v1::credential(store.data_mut(), credential, access)?;
                let client = asked.client.map(|client| v1::client(store.data_mut(), client)).transpose()?;
                store.data().cpu_share.begin().await;
                plugin.linked.renew(&mut store, &credential, asked.pair, client.as_ref()).await
            })
            .await;
        store.data_mut().log_output();
        let renewed = wire.and_then(|wire| {
            let renewed = v1::renewed(store.data_mut(), wire);
            renewed.map_err(|error| CallError::Trapped { reason: reason(&error) })
        });
        Ok((store, renewed))
    }

    /// The recording of a test call.
    fn recorded<T>(&self, store: Store<CallState>, result: Result<T, CallError>) -> RecordedCall<T> {
        let fuel = match self.metering {
            Metering::TimeAndFuel { fuel } => fuel.saturating_sub(store.get_fuel().unwrap_or_default()),
            Metering::Time => 0,
        };
        let state = store.into_data();
        let memory_bytes = state.instance.memory_peak();
        RecordedCall::new(result, fuel, memory_bytes, state.recorder.unwrap_or_default())
    }

    fn store(&self, plugin: &Compiled, context: CallContext) -> Result<Store<CallState>, CallError> {
        let ticks = u64::try_from(self.limits.cpu.as_millis() / TICK.as_millis()).unwrap_or(u64::MAX).max(1);
        let state = CallState::new(&self.limits, plugin.memory_bytes, ticks, self.cpu.share(&plugin.debt), context);
        let mut store = Store::new(&self.engine, state);
        if let Metering::TimeAndFuel { fuel } = self.metering {
            store.set_fuel(fuel).map_err(|error| CallError::Trapped { reason: error.to_string() })?;
        }
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
            Ok(UpdateDeadline::YieldCustom(1, Box::pin(state.cpu_share.next())))
        });
        Ok(store)
    }

    async fn within_limits<T>(
        &self,
        deadline: Instant,
        call: impl Future<Output = wasmtime::Result<T>>,
    ) -> Result<T, CallError> {
        match tokio::time::timeout_at(deadline, call).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) if error.is::<CpuExhausted>() => Err(CallError::Cpu { cpu: self.limits.cpu }),
            Ok(Err(error)) => Err(match (error.downcast_ref(), self.metering) {
                (Some(Trap::OutOfFuel), Metering::TimeAndFuel { fuel }) => CallError::Fuel { fuel },
                _ => CallError::Trapped { reason: reason(&error) },
            }),
            Err(_) => Err(CallError::Timeout { wall: self.limits.wall }),
        }
    }
}

/// What a component says of itself, parsed.
fn parsed(wire: v1::Descriptions) -> Result<AppDescription, String> {
    let mut app = v1::description(wire.app)?;
    app.renewables = v1::renewables(wire.renewables, &app)?;
    Ok(app)
}

/// The innermost cause, in one line. A trap's text is the runtime's: it holds nothing of the plugin's memory.
fn reason(error: &wasmtime::Error) -> String {
    let cause = error.root_cause().to_string();
    cause.lines().next().unwrap_or("unknown").chars().take(300).collect()
}
