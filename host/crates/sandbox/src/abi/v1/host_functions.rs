//! What a plugin can call: handles of secrets, the time, random bytes, the log, and HTTP.

use wasmtime::component::{HasSelf, Linker, Resource};

use super::bindings::{Handle, Plugin, clock, http, log, random, secrets};
use super::request::error_out;
use crate::call_state::CallState;

/// Random bytes that one call of `random.bytes` hands out at most.
const MAX_RANDOM: usize = 1024;

/// Gives a linker the five interfaces.
pub(crate) fn add_to_linker(linker: &mut Linker<CallState>) -> wasmtime::Result<()> {
    Plugin::add_to_linker::<_, HasSelf<_>>(linker, |state| state)
}

impl secrets::Host for CallState {}

impl secrets::HostSecret for CallState {
    fn name(&mut self, handle: Resource<Handle>) -> wasmtime::Result<String> {
        Ok(self.table.get(&handle)?.name.clone())
    }

    fn drop(&mut self, handle: Resource<Handle>) -> wasmtime::Result<()> {
        self.table.delete(handle)?;
        Ok(())
    }
}

impl clock::Host for CallState {
    fn now(&mut self) -> wasmtime::Result<u64> {
        if let Some(env) = &self.env {
            return Ok(env.now_ms);
        }
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Ok(u64::try_from(now.as_millis()).unwrap_or(u64::MAX))
    }
}

impl random::Host for CallState {
    fn bytes(&mut self, length: u32) -> wasmtime::Result<Vec<u8>> {
        let mut bytes = vec![0; (length as usize).min(MAX_RANDOM)];
        if let Some(env) = &mut self.env {
            env.fill(&mut bytes);
            return Ok(bytes);
        }
        getrandom::fill(&mut bytes).map_err(|error| wasmtime::Error::msg(format!("no randomness: {error}")))?;
        Ok(bytes)
    }
}

impl log::Host for CallState {
    fn write(&mut self, level: log::Level, message: String) -> wasmtime::Result<()> {
        let level = match level {
            log::Level::Trace => tracing::Level::TRACE,
            log::Level::Debug => tracing::Level::DEBUG,
            log::Level::Info => tracing::Level::INFO,
            log::Level::Warn => tracing::Level::WARN,
            log::Level::Error => tracing::Level::ERROR,
        };
        self.log(level, &message);
        Ok(())
    }
}

impl http::Host for CallState {
    async fn send(&mut self, request: http::Request) -> wasmtime::Result<Result<http::Response, http::Error>> {
        let request = self.request(request)?;
        match self.send(request).await {
            Ok(response) => Ok(Ok(self.response(response)?)),
            Err(error) => Ok(Err(error_out(error))),
        }
    }
}
