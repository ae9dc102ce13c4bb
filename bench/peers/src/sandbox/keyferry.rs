//! The server's own code path: a registry that admits the plugin's file, and `App::verify`, with the server's limits,
//! deadlines, metrics and slots.

use std::sync::Arc;

use keyferry_egress::{Egress, EgressSettings};
use keyferry_sandbox::{App, GrantPolicy, Registry, RegistrySettings, Sandbox, SandboxLimits, Verdict};
use keyferry_schema::{Credential, Input};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::calls::Caller;
use super::token::{ACCOUNT, API_KEY, token};
use crate::outcome::{Outcome, Tried as _};

/// A registry with its folder of plugins.
pub(super) struct Served {
    app: Arc<App>,
    _registry: Arc<Registry>,
    _folder: TempDir,
}

impl Served {
    pub(super) fn start(component: &[u8], runtime: &Runtime) -> Outcome<Self> {
        let folder = tempfile::tempdir().tried("make a folder for the plugin")?;
        let plugins = folder.path().join("plugins");
        std::fs::create_dir(&plugins).tried("make the plugins' folder")?;
        std::fs::write(plugins.join("bench.wasm"), component).tried("write the plugin's file")?;
        let sandbox = Arc::new(Sandbox::new(SandboxLimits::default(), None).tried("start the sandbox")?);
        let egress = Arc::new(Egress::new(EgressSettings::default()).tried("set egress up")?);
        let settings = RegistrySettings {
            lock: folder.path().join("keyferry.lock"),
            versions: folder.path().join("versions"),
            folder: plugins,
            policy: GrantPolicy::OnDrop,
        };
        let registry = runtime.block_on(Registry::open(settings, sandbox, egress)).tried("open the plugins' folder")?;
        let slug = "bench".parse().tried("name the app")?;
        let status = || format!("serve the plugin; its status is {:?}", registry.statuses());
        let app = registry.app(&slug).tried(status())?;
        Ok(Self { app, _registry: Arc::clone(&registry), _folder: folder })
    }

    pub(super) fn caller(&self) -> Outcome<Caller> {
        let (app, credential) = (Arc::clone(&self.app), Arc::new(self.credential()?));
        Ok(Caller::OnRuntime(Arc::new(move || {
            let (app, credential) = (Arc::clone(&app), Arc::clone(&credential));
            Box::pin(async move {
                match app.verify(&credential).await.tried("verify")? {
                    Verdict::Verified(verified) if verified.provider_account_id.as_deref() == Some(ACCOUNT) => Ok(()),
                    verdict => Err(format!("it is not verified: {verdict:?}").into()),
                }
            })
        })))
    }

    fn credential(&self) -> Outcome<Credential> {
        let given = serde_json::json!({"keybased": {"input": token()?, "api_key": API_KEY}});
        let input: Input = serde_json::from_value(given).tried("read the credential")?;
        self.app.description.schema.validate(&input).tried("validate the credential")
    }
}
