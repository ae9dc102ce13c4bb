//! The same component without Keyferry: by the simplest use of the runtime, and by the fastest.

use std::sync::Arc;

use wasmtime::component::{Component, HasSelf, Linker, Resource, ResourceTable};
use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store};

use super::calls::Caller;
use super::token::{ACCOUNT, now_ms, token};
use crate::outcome::{Outcome, Tried as _};

use bindings::exports::keyferry::plugin::app as wire;
use bindings::keyferry::plugin::{clock, http, log, random, secrets};
use bindings::{Plugin, PluginPre};

mod bindings {
    wasmtime::component::bindgen!({
        path: "../../wit/v1",
        world: "plugin",
        imports: { "keyferry:plugin/http.send": async | trappable, default: trappable },
        exports: { default: async },
        with: { "keyferry:plugin/secrets.secret": super::Handle },
    });
}

/// The handle of a secret.
#[expect(unreachable_pub, reason = "the generated module re-exports it, which asks for `pub`")]
pub struct Handle(&'static str);

/// The state of a call: handles, and no limits.
#[derive(Default)]
struct State(ResourceTable);

impl secrets::Host for State {}

impl secrets::HostSecret for State {
    fn name(&mut self, handle: Resource<Handle>) -> wasmtime::Result<String> {
        Ok(self.0.get(&handle)?.0.to_owned())
    }

    fn drop(&mut self, handle: Resource<Handle>) -> wasmtime::Result<()> {
        self.0.delete(handle)?;
        Ok(())
    }
}

impl clock::Host for State {
    fn now(&mut self) -> wasmtime::Result<u64> {
        Ok(now_ms())
    }
}

impl random::Host for State {
    fn bytes(&mut self, length: u32) -> wasmtime::Result<Vec<u8>> {
        Ok(vec![7; length.min(1024) as usize])
    }
}

impl log::Host for State {
    fn write(&mut self, _: log::Level, _: String) -> wasmtime::Result<()> {
        Ok(())
    }
}

impl http::Host for State {
    async fn send(&mut self, _: http::Request) -> wasmtime::Result<Result<http::Response, http::Error>> {
        Err(wasmtime::Error::msg("the guest of the bench sends no requests"))
    }
}

/// Keyferry's engine settings, except for the allocation of instances.
fn engine(pool: Option<PoolingAllocationConfig>) -> Outcome<Engine> {
    let mut config = Config::new();
    config.epoch_interruption(true).concurrency_support(false).gc_support(false).wasm_relaxed_simd(false);
    if let Some(pool) = pool {
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    }
    Engine::new(&config).tried("start wasmtime")
}

fn linker(engine: &Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    Plugin::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
    Ok(linker)
}

fn store(engine: &Engine) -> Store<State> {
    let mut store = Store::new(engine, State::default());
    // Nothing advances the epoch here.
    store.set_epoch_deadline(1);
    store
}

/// Allocates each instance on demand, and resolves its imports at each call.
pub(super) fn on_demand(component: &[u8]) -> Outcome<Caller> {
    let engine = engine(None)?;
    let component = Component::new(&engine, component).tried("compile the component")?;
    let token: Arc<str> = token()?.into();
    Ok(Caller::OnRuntime(Arc::new(move || {
        let (engine, component, token) = (engine.clone(), component.clone(), Arc::clone(&token));
        Box::pin(async move {
            let linker = linker(&engine).tried("fill a linker")?;
            let mut store = store(&engine);
            let plugin = Plugin::instantiate_async(&mut store, &component, &linker).await;
            verify(&mut store, &plugin.tried("instantiate")?, &token).await
        })
    })))
}

/// Takes each instance from a pool, with imports resolved once: the least that the runtime needs.
pub(super) fn pooled(component: &[u8]) -> Outcome<Caller> {
    let mut pool = PoolingAllocationConfig::new();
    pool.linear_memory_keep_resident(128 * 1024).max_memory_size(512 << 20).total_memories(64);
    let engine = engine(Some(pool))?;
    let component = Component::new(&engine, component).tried("compile the component")?;
    let tied = linker(&engine).and_then(|linker| linker.instantiate_pre(&component)).and_then(PluginPre::new);
    let (tied, token): (_, Arc<str>) = (tied.tried("tie the component's imports")?, token()?.into());
    Ok(Caller::OnRuntime(Arc::new(move || {
        let (tied, token) = (tied.clone(), Arc::clone(&token));
        Box::pin(async move {
            let mut store = store(tied.engine());
            let plugin = tied.instantiate_async(&mut store).await.tried("instantiate")?;
            verify(&mut store, &plugin, &token).await
        })
    })))
}

async fn verify(store: &mut Store<State>, plugin: &Plugin, token: &str) -> Outcome<()> {
    let handle = store.data_mut().0.push(Handle("api_key")).tried("make a handle")?;
    let secret = wire::SecretValue { handle, hint: None };
    let fields = vec![
        wire::FieldValue { name: "token".to_owned(), value: wire::Value::Text(token.to_owned()) },
        wire::FieldValue { name: "api_key".to_owned(), value: wire::Value::Secret(secret) },
    ];
    let credential = wire::Credential { auth_type: "keybased".to_owned(), fields };
    match plugin.keyferry_plugin_app().call_verify(store, &credential).await.tried("call verify")? {
        Ok(verified) if verified.account_id.as_deref() == Some(ACCOUNT) => Ok(()),
        verdict => Err(format!("it is not verified: {verdict:?}").into()),
    }
}
