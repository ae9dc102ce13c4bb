//! A component that is linked to the host's functions, and the calls of it.

use wasmtime::Store;
use wasmtime::component::{
    Component, ComponentExportIndex, ComponentNamedList, Instance, InstancePre, Lift, Lower, TypedFunc,
};

use super::bindings::{renewal, wire};
use crate::call_state::CallState;

/// The interface that a component exports. One of an earlier minor version is found by this name as well.
const APP: &str = "keyferry:plugin/app@1.1.0";
/// The interface that it may export.
const RENEWAL: &str = "keyferry:plugin/renewal@1.1.0";

/// A linked component: each call makes an instance of it.
#[derive(Clone)]
pub(crate) struct LinkedPlugin {
    pre: InstancePre<CallState>,
    describe: ComponentExportIndex,
    verify: ComponentExportIndex,
    renewal: Option<RenewalFunctions>,
}

/// The functions of the optional interface.
#[derive(Clone)]
struct RenewalFunctions {
    describe: ComponentExportIndex,
    renew: ComponentExportIndex,
}

type Verify = (Result<wire::Verified, wire::Failure>,);
type Renew = (Result<renewal::Renewed, renewal::RenewalFailure>,);

/// What a component says of itself.
pub(crate) struct Descriptions {
    pub(crate) app: wire::Description,
    pub(crate) renewables: Vec<renewal::Renewable>,
}

impl LinkedPlugin {
    /// Finds the functions of a component.
    pub(crate) fn new(pre: InstancePre<CallState>) -> wasmtime::Result<Self> {
        let component = pre.component();
        let app = component.get_export_index(None, APP);
        let app = app.ok_or_else(|| wasmtime::Error::msg(format!("it does not export {APP}")))?;
        let (describe, verify) =
            (function(component, APP, &app, "describe")?, function(component, APP, &app, "verify")?);
        let renewal = component.get_export_index(None, RENEWAL).map(|index| {
            Ok::<_, wasmtime::Error>(RenewalFunctions {
                describe: function(component, RENEWAL, &index, "describe")?,
                renew: function(component, RENEWAL, &index, "renew")?,
            })
        });
        let renewal = renewal.transpose()?;
        Ok(Self { describe, verify, renewal, pre })
    }

    /// Calls `describe` of each interface. The types of all functions are compared with the contract's.
    pub(crate) async fn describe(&self, store: &mut Store<CallState>) -> wasmtime::Result<Descriptions> {
        let instance = self.pre.instantiate_async(&mut *store).await?;
        let describe = typed::<(), (wire::Description,)>(&instance, store, &self.describe)?;
        typed::<(&wire::Credential,), Verify>(&instance, store, &self.verify)?;
        let (app,) = describe.call_async(&mut *store, ()).await?;
        let Some(functions) = &self.renewal else { return Ok(Descriptions { app, renewables: Vec::new() }) };
        typed::<(&wire::Credential, &str, Option<&renewal::Client>), Renew>(&instance, store, &functions.renew)?;
        let describe = typed::<(), (Vec<renewal::Renewable>,)>(&instance, store, &functions.describe)?;
        let (renewables,) = describe.call_async(store, ()).await?;
        Ok(Descriptions { app, renewables })
    }

    /// Calls `verify`. Only its own types are compared: this is done for each instance, and it is no small part of a call.
    pub(crate) async fn verify(
        &self,
        store: &mut Store<CallState>,
        credential: &wire::Credential,
    ) -> wasmtime::Result<Result<wire::Verified, wire::Failure>> {
        let instance = self.pre.instantiate_async(&mut *store).await?;
        let verify = typed::<(&wire::Credential,), Verify>(&instance, store, &self.verify)?;
        let (verdict,) = verify.call_async(store, (credential,)).await?;
        Ok(verdict)
    }

    /// Calls `renew`.
    pub(crate) async fn renew(
        &self,
        store: &mut Store<CallState>,
        credential: &wire::Credential,
        pair: &str,
        client: Option<&renewal::Client>,
    ) -> wasmtime::Result<Result<renewal::Renewed, renewal::RenewalFailure>> {
        let functions = self.renewal.as_ref().ok_or_else(|| wasmtime::Error::msg("it does not renew"))?;
        let instance = self.pre.instantiate_async(&mut *store).await?;
        let renew =
            typed::<(&wire::Credential, &str, Option<&renewal::Client>), Renew>(&instance, store, &functions.renew)?;
        let (renewed,) = renew.call_async(store, (credential, pair, client)).await?;
        Ok(renewed)
    }
}

fn function(
    component: &Component,
    interface: &str,
    index: &ComponentExportIndex,
    name: &str,
) -> wasmtime::Result<ComponentExportIndex> {
    let found = component.get_export_index(Some(index), name);
    found.ok_or_else(|| wasmtime::Error::msg(format!("{interface} has no function `{name}`")))
}

fn typed<P, R>(
    instance: &Instance,
    store: &mut Store<CallState>,
    index: &ComponentExportIndex,
) -> wasmtime::Result<TypedFunc<P, R>>
where
    P: ComponentNamedList + Lower,
    R: ComponentNamedList + Lift,
{
    instance.get_typed_func(store, index)
}
