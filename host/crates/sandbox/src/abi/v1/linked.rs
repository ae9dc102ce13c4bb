//! A component that is linked to the host's functions, and the two calls of it.

use wasmtime::Store;
use wasmtime::component::{ComponentExportIndex, InstancePre};

use super::bindings::{PluginPre, wire};
use crate::call_state::CallState;

/// The interface that a component exports.
const APP: &str = "keyferry:plugin/app@1.0.0";

/// A linked component: each call makes an instance of it.
#[derive(Clone)]
pub(crate) struct LinkedPlugin {
    pre: PluginPre<CallState>,
    verify: ComponentExportIndex,
}

impl LinkedPlugin {
    /// Finds the functions of a component.
    pub(crate) fn new(pre: InstancePre<CallState>) -> wasmtime::Result<Self> {
        let pre = PluginPre::new(pre)?;
        let component = pre.instance_pre().component();
        let app = component.get_export_index(None, APP);
        let verify = app.and_then(|app| component.get_export_index(Some(&app), "verify"));
        let verify = verify.ok_or_else(|| wasmtime::Error::msg(format!("{APP} has no function `verify`")))?;
        Ok(Self { pre, verify })
    }

    /// Calls `describe`. The types of both functions are compared with the contract's.
    pub(crate) async fn describe(&self, store: &mut Store<CallState>) -> wasmtime::Result<wire::Description> {
        let instance = self.pre.instantiate_async(&mut *store).await?;
        instance.keyferry_plugin_app().call_describe(store).await
    }

    /// Calls `verify`. Only its own types are compared: this is done for each instance, and it is no small part of a call.
    pub(crate) async fn verify(
        &self,
        store: &mut Store<CallState>,
        credential: &wire::Credential,
    ) -> wasmtime::Result<Result<wire::Verified, wire::Failure>> {
        let instance = self.pre.instance_pre().instantiate_async(&mut *store).await?;
        let verify = instance.get_typed_func::<(&wire::Credential,), (Result<wire::Verified, wire::Failure>,)>(
            &mut *store,
            &self.verify,
        )?;
        let (verdict,) = verify.call_async(store, (credential,)).await?;
        Ok(verdict)
    }
}
