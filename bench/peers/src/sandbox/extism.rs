//! The same verdict as an Extism plugin, with the limits that Extism has.

use std::sync::Arc;
use std::time::Duration;

use extism::{CompiledPlugin, Manifest, PTR, Plugin, PluginBuilder, UserData, Wasm, host_fn};
use serde_json::json;

use super::calls::{Blocking, Caller};
use super::token::{ACCOUNT, API_KEY, now_ms, token};
use crate::outcome::{Outcome, Tried as _};

/// Pages of 64 KiB: 32 MiB, Keyferry's limit for a call.
const PAGES: u32 = 512;
const WALL: Duration = Duration::from_secs(10);

host_fn!(now(_user_data: ();) -> u64 { Ok(now_ms()) });

/// The allocation of instances.
#[derive(Debug, Clone, Copy)]
pub(super) enum Instances {
    /// One allocation for each, Extism's default.
    OnDemand,
    /// From a pool, an option of wasmtime.
    Pooled,
}

/// A compiled plugin.
pub(super) struct Compiled(Arc<CompiledPlugin>);

impl Compiled {
    pub(super) fn new(module: &[u8], instances: Instances) -> Outcome<Self> {
        let manifest = Manifest::new([Wasm::data(module)]).with_memory_max(PAGES).with_timeout(WALL);
        let mut builder = PluginBuilder::new(manifest).with_wasi(false).with_cache_disabled().with_function(
            "now_ms",
            [],
            [PTR],
            UserData::new(()),
            now,
        );
        if let Instances::Pooled = instances {
            let mut config = extism_wasmtime::Config::new();
            let mut pool = extism_wasmtime::PoolingAllocationConfig::new();
            pool.linear_memory_keep_resident(128 * 1024).total_memories(64).max_memory_size(512 << 20);
            config.allocation_strategy(extism_wasmtime::InstanceAllocationStrategy::Pooling(pool));
            builder = builder.with_wasmtime_config(config);
        }
        Ok(Self(Arc::new(CompiledPlugin::new(builder).tried("compile the Extism plugin")?)))
    }

    /// A new plugin for each call, so that a call cannot see data of an earlier one.
    pub(super) fn fresh(&self) -> Outcome<Caller> {
        let (compiled, input) = (Arc::clone(&self.0), input()?);
        Ok(Caller::Blocking(Box::new(move || {
            let (compiled, input) = (Arc::clone(&compiled), Arc::clone(&input));
            Ok(Box::new(move || {
                let mut plugin = Plugin::new_from_compiled(&compiled).tried("make an Extism plugin")?;
                verify(&mut plugin, &input)
            }))
        })))
    }

    /// One plugin for all calls of a thread: a call can read the memory that the one before left.
    pub(super) fn reused(&self) -> Outcome<Caller> {
        let (compiled, input) = (Arc::clone(&self.0), input()?);
        Ok(Caller::Blocking(Box::new(move || {
            let mut plugin = Plugin::new_from_compiled(&compiled).tried("make an Extism plugin")?;
            let input = Arc::clone(&input);
            let call: Blocking = Box::new(move || verify(&mut plugin, &input));
            Ok(call)
        })))
    }
}

fn input() -> Outcome<Arc<str>> {
    Ok(json!({"token": token()?, "api_key": API_KEY}).to_string().into())
}

fn verify(plugin: &mut Plugin, input: &str) -> Outcome<()> {
    let verdict: &str = plugin.call("verify", input).tried("call verify")?;
    let verdict: serde_json::Value = serde_json::from_str(verdict).tried("read the verdict")?;
    match verdict.pointer("/verified/account_id").and_then(serde_json::Value::as_str) {
        Some(ACCOUNT) => Ok(()),
        _ => Err(format!("it is not verified: {verdict}").into()),
    }
}
