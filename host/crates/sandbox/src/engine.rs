//! The one wasmtime engine of a process, and the thread that advances its epoch.

use std::sync::Arc;
use std::time::Duration;

use wasmtime::{Config, Enabled, Engine, EngineWeak, InstanceAllocationStrategy, PoolingAllocationConfig, Strategy};

use super::function_cache::FunctionCache;
use super::limits::SandboxLimits;

/// Interval in which the epoch advances: the unit in which a plugin's computing time is counted.
pub(super) const TICK: Duration = Duration::from_millis(10);

/// Bytes of a linear memory that stay mapped and are cleared by hand when a slot is used again. Nearly doubles the rate
/// of small plugins; 2 MiB is worse.
const KEEP_RESIDENT: usize = 128 * 1024;
/// The same for tables. Those of plugins have a few hundred entries; without it each call gives its table back to the system.
const TABLE_KEEP_RESIDENT: usize = 16 * 1024;

/// Room for the largest memory that a grant can give one digest.
pub(super) const MAX_MEMORY: usize = 512 * 1024 * 1024;

/// Address space of a memory, best first. With all that 32 bits can address, no access needs a check of its bounds: what is out of
/// them is not mapped.
const RESERVATIONS: [u64; 2] = [1 << 32, MAX_MEMORY as u64];

/// Native stack of a plugin, and of the fiber that it runs on, which also carries the host calls.
const WASM_STACK: usize = 512 * 1024;
const FIBER_STACK: usize = 1024 * 1024;

/// How the work of a plugin is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Metering {
    /// By the clock alone, which costs next to nothing.
    Time,
    /// Also by instructions, of which a call may use that many: the same for the same work on every machine.
    TimeAndFuel { fuel: u64 },
}

/// Makes an engine that pools instances, or, where the address space is too small for a pool, one that allocates each. What it
/// compiles is taken from `functions` where it is there.
pub(super) fn engine(
    limits: &SandboxLimits,
    metering: Metering,
    functions: Option<&Arc<FunctionCache>>,
) -> wasmtime::Result<Engine> {
    let make = |pool| {
        let mut config = config(pool, metering);
        if let Some(functions) = functions {
            let store: Arc<FunctionCache> = Arc::clone(functions);
            config.enable_incremental_compilation(store)?;
        }
        Engine::new(&config)
    };
    let mut pooled = None;
    for reservation in RESERVATIONS {
        match make(Some((limits, reservation))) {
            Ok(engine) => {
                pooled = Some(engine);
                break;
            }
            Err(error) => tracing::info!(%error, reservation, "no address space for a pool of instances of this size"),
        }
    }
    let engine = match pooled {
        Some(engine) => engine,
        None => {
            tracing::warn!("no address space for any pool of instances: each is allocated separately, which is slower");
            make(None)?
        }
    };
    spawn_ticker(engine.weak());
    Ok(engine)
}

fn config(pool: Option<(&SandboxLimits, u64)>, metering: Metering) -> Config {
    let mut config = Config::new();
    config
        .strategy(Strategy::Cranelift)
        .wasm_component_model(true)
        // Switches component-model async off entirely, with its bookkeeping in every store.
        .concurrency_support(false)
        .epoch_interruption(true)
        .consume_fuel(matches!(metering, Metering::TimeAndFuel { .. }))
        .wasm_backtrace_max_frames(std::num::NonZeroUsize::new(8))
        // The cargo feature is compiled in (RUSTSEC-2026-0570), and no plugin needs collected objects.
        .gc_support(false)
        .wasm_memory64(false)
        .wasm_relaxed_simd(false)
        .max_wasm_stack(WASM_STACK)
        .async_stack_size(FIBER_STACK);
    if let Some((limits, reservation)) = pool {
        let slots = u32::try_from(limits.slots).unwrap_or(u32::MAX);
        let per_component = u32::try_from(limits.core_instances).unwrap_or(u32::MAX);
        let mut pool = PoolingAllocationConfig::new();
        pool.total_component_instances(slots)
            .total_stacks(slots)
            .total_core_instances(slots.saturating_mul(per_component))
            .total_memories(slots.saturating_mul(2))
            .total_tables(slots.saturating_mul(per_component))
            .max_core_instances_per_component(per_component)
            .max_memories_per_component(2)
            .max_tables_per_component(per_component)
            .max_memory_size(MAX_MEMORY)
            // Pages that were written to are found wherever they lie, and cleared in their place (Linux 6.7).
            .pagemap_scan(Enabled::Auto)
            .linear_memory_keep_resident(KEEP_RESIDENT)
            .table_keep_resident(TABLE_KEEP_RESIDENT);
        config.memory_reservation(reservation).allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    }
    config
}

/// One thread a process advances the epoch, and ends with the engine.
fn spawn_ticker(engine: EngineWeak) {
    let spawned = std::thread::Builder::new().name("epoch".into()).spawn(move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(TICK);
        }
    });
    if let Err(error) = spawned {
        // Without it a plugin that loops would never be stopped: refusing to run any is the lesser harm.
        tracing::error!(%error, "cannot start the epoch thread");
        std::process::abort();
    }
}
