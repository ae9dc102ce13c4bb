//! Operations of the admin API on plugins.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::admin::error::AdminError;
use crate::admin::operations::{Operation, Route};
use crate::admin::operator::Operator;
use keyferry_sandbox::{Allowed, Digest, PluginGrant, PluginStatus, Registry, RolledBack, WasiGrant};

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

fn registry(operator: &Operator) -> Result<&Arc<Registry>, AdminError> {
    operator.registry.as_ref().ok_or(AdminError::Missing("the plugins"))
}

impl Operation for ListPlugins {
    type Done = Vec<PluginStatus>;
    const ROUTE: Route = Route::read("/admin/v1/plugins", "listPlugins");

    async fn perform(&self, operator: &Operator) -> Result<Vec<PluginStatus>, AdminError> {
        let registry = registry(operator)?;
        registry.rescan().await?;
        Ok(registry.statuses().as_ref().clone())
    }
}

impl Operation for ShowPlugin {
    type Done = PluginStatus;
    const ROUTE: Route = Route::read("/admin/v1/plugins/{target}", "showPlugin");

    async fn perform(&self, operator: &Operator) -> Result<PluginStatus, AdminError> {
        let registry = registry(operator)?;
        registry.rescan().await?;
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
        let allowed = Allowed { wasi: self.wasi, reads_text: self.reads_text.clone(), ends_at };
        Ok(registry(operator)?.grant(&self.target, self.sha256, allowed).await?)
    }
}

impl Operation for RevokePlugin {
    type Done = Vec<PluginGrant>;
    const ROUTE: Route = Route::change("/admin/v1/plugins/{target}/revoke", "revokePlugin");

    async fn perform(&self, operator: &Operator) -> Result<Vec<PluginGrant>, AdminError> {
        Ok(registry(operator)?.revoke(&self.target).await?)
    }
}

impl Operation for RollbackPlugin {
    type Done = RolledBack;
    const ROUTE: Route = Route::change("/admin/v1/plugins/{target}/rollback", "rollbackPlugin");

    async fn perform(&self, operator: &Operator) -> Result<RolledBack, AdminError> {
        Ok(registry(operator)?.rollback(&self.target, self.to.as_deref()).await?)
    }
}
