//! Operations of the admin API on plugins.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::admin::error::AdminError;
use crate::admin::operations::{Operation, Route};
use crate::admin::operator::Operator;
use keyferry_sandbox::{Allowed, Digest, PluginGrant, PluginStatus, Registry, RenewalGrant, RolledBack, WasiGrant};
use keyferry_service::SharedPlugins;
use keyferry_types::path_text::ShowPath as _;

/// Lists the plugin files.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ListPlugins {}

/// One plugin file and its state.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ShowPlugin {
    /// A slug or a file name.
    pub target: String,
}

/// Grants a plugin what it asks for.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GrantPlugin {
    /// A slug or a file name.
    pub target: String,
    /// The file that is meant, by its SHA-256: one that took its place meanwhile is granted nothing. Without it, whatever is
    /// there.
    #[serde(default)]
    pub sha256: Option<Digest>,
    /// Whether it may import WASI.
    #[serde(default)]
    pub wasi: WasiGrant,
    /// Fields that it may read as text although they look secret: `api_key`, or `keybased.api_key` for one auth type. Without those
    /// that it reads so, it is granted nothing.
    #[serde(default)]
    pub reads_text: Vec<String>,
    /// Whether it may renew credentials by the requests that it asks for.
    #[serde(default)]
    pub renewal: RenewalGrant,
    /// For how many days; without it, until it is revoked.
    #[serde(default)]
    pub days: Option<u32>,
}

/// Takes back what a plugin was granted.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RevokePlugin {
    /// A slug or a file name.
    pub target: String,
}

/// Puts an earlier version back.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RollbackPlugin {
    /// A slug or a file name.
    pub target: String,
    /// How the version's SHA-256 begins; without it, the one that served before.
    #[serde(default)]
    pub to: Option<String>,
}

/// Stores one part of a component that is to be pushed to all servers.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PutPluginPart {
    /// The SHA-256 of the whole component.
    pub sha256: Digest,
    /// Number of the part, from 0.
    pub part: u32,
    /// 32 KiB of the component, in base64; fewer in the last part.
    pub content: String,
}

/// A part of a component that was stored.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StoredPart {
    /// Bytes of the part.
    pub bytes: usize,
}

/// Makes a component, whose parts are stored, the content of a plugin file of all servers.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PushPlugin {
    /// Name of the plugin file: `stripe.wasm`.
    pub target: String,
    /// The SHA-256 of the component.
    pub sha256: Digest,
    /// Number of its parts.
    pub parts: u32,
}

fn shared(operator: &Operator) -> Result<&Arc<SharedPlugins>, AdminError> {
    match &operator.shared_plugins {
        Some(shared) => Ok(shared),
        None => Err(AdminError::OwnPlugins { folder: registry(operator)?.folder().shown().to_string() }),
    }
}

impl Operation for PutPluginPart {
    type Done = StoredPart;
    const ROUTE: Route = Route::change("/admin/v1/plugin-parts", "putPluginPart");

    async fn perform(&self, operator: &Operator) -> Result<StoredPart, AdminError> {
        let shared = shared(operator)?;
        let content = BASE64_STANDARD.decode(&self.content);
        let content = content.map_err(|error| AdminError::Request(format!("`content` is not base64: {error}")))?;
        let bytes = content.len();
        shared.put_part(self.sha256, self.part, content).await?;
        Ok(StoredPart { bytes })
    }
}

impl Operation for PushPlugin {
    type Done = PluginStatus;
    const ROUTE: Route = Route::change("/admin/v1/plugins/{target}/push", "pushPlugin");

    async fn perform(&self, operator: &Operator) -> Result<PluginStatus, AdminError> {
        Ok(shared(operator)?.push(&self.target, self.sha256, self.parts).await?)
    }
}

fn registry(operator: &Operator) -> Result<&Arc<Registry>, AdminError> {
    operator.registry.as_ref().ok_or(AdminError::Missing("the plugins"))
}

/// The plugins as they are now.
async fn looked_through(operator: &Operator) -> Result<&Arc<Registry>, AdminError> {
    let registry = registry(operator)?;
    match &operator.shared_plugins {
        Some(shared) => shared.pull().await?,
        None => registry.rescan().await?,
    }
    Ok(registry)
}

impl Operation for ListPlugins {
    type Done = Vec<PluginStatus>;
    const ROUTE: Route = Route::read("/admin/v1/plugins", "listPlugins");

    async fn perform(&self, operator: &Operator) -> Result<Vec<PluginStatus>, AdminError> {
        let registry = looked_through(operator).await?;
        Ok(registry.statuses().as_ref().clone())
    }
}

impl Operation for ShowPlugin {
    type Done = PluginStatus;
    const ROUTE: Route = Route::read("/admin/v1/plugins/{target}", "showPlugin");

    async fn perform(&self, operator: &Operator) -> Result<PluginStatus, AdminError> {
        let registry = looked_through(operator).await?;
        Ok(registry.find(&self.target)?)
    }
}

impl Operation for GrantPlugin {
    type Done = PluginGrant;
    const ROUTE: Route = Route::change("/admin/v1/plugins/{target}/grant", "grantPlugin");

    async fn perform(&self, operator: &Operator) -> Result<PluginGrant, AdminError> {
        let ends_at = self.days.map(|days| {
            let time = jiff::Timestamp::now() + Duration::from_secs(u64::from(days) * 24 * 60 * 60);
            // Written into a file for people: whole seconds.
            time.round(jiff::Unit::Second).unwrap_or(time)
        });
        let allowed = Allowed { wasi: self.wasi, reads_text: self.reads_text.clone(), renewal: self.renewal, ends_at };
        match &operator.shared_plugins {
            Some(shared) => Ok(shared.grant(&self.target, self.sha256, allowed).await?),
            None => Ok(registry(operator)?.grant(&self.target, self.sha256, allowed).await?),
        }
    }
}

impl Operation for RevokePlugin {
    type Done = Vec<PluginGrant>;
    const ROUTE: Route = Route::change("/admin/v1/plugins/{target}/revoke", "revokePlugin");

    async fn perform(&self, operator: &Operator) -> Result<Vec<PluginGrant>, AdminError> {
        match &operator.shared_plugins {
            Some(shared) => Ok(shared.revoke(&self.target).await?),
            None => Ok(registry(operator)?.revoke(&self.target).await?),
        }
    }
}

impl Operation for RollbackPlugin {
    type Done = RolledBack;
    const ROUTE: Route = Route::change("/admin/v1/plugins/{target}/rollback", "rollbackPlugin");

    async fn perform(&self, operator: &Operator) -> Result<RolledBack, AdminError> {
        match &operator.shared_plugins {
            Some(shared) => Ok(shared.roll_back(&self.target, self.to.as_deref()).await?),
            None => Ok(registry(operator)?.rollback(&self.target, self.to.as_deref()).await?),
        }
    }
}
