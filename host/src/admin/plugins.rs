//! Operations on plugins.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};

use super::operations::Operation;
use super::{AdminError, Operator};
use crate::plugins::{Digest, PluginGrant, PluginStatus, Registry, RolledBack, WasiGrant};

/// Lists the plugin files.
#[derive(Debug, Serialize, Deserialize)]
pub struct ListPlugins {}

/// One plugin file.
#[derive(Debug, Serialize, Deserialize)]
pub struct ShowPlugin {
    /// A slug or a file name.
    pub target: String,
}

/// Grants a plugin what it asks for.
#[derive(Debug, Serialize, Deserialize)]
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
    /// For how many days; without it, until it is revoked.
    #[serde(default)]
    pub days: Option<u32>,
}

/// Takes back what a plugin was granted.
#[derive(Debug, Serialize, Deserialize)]
pub struct RevokePlugin {
    /// A slug or a file name.
    pub target: String,
}

/// Puts an earlier version back.
#[derive(Debug, Serialize, Deserialize)]
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

fn path(target: &str, rest: &str) -> String {
    format!("/admin/v1/plugins/{}{rest}", utf8_percent_encode(target, NON_ALPHANUMERIC))
}

#[async_trait]
impl Operation for ListPlugins {
    type Done = Vec<PluginStatus>;

    fn route(&self) -> (Method, String) {
        (Method::GET, "/admin/v1/plugins".to_owned())
    }

    async fn perform(&self, operator: &Operator) -> Result<Vec<PluginStatus>, AdminError> {
        let registry = registry(operator)?;
        registry.rescan().await?;
        Ok(registry.statuses().as_ref().clone())
    }
}

#[async_trait]
impl Operation for ShowPlugin {
    type Done = PluginStatus;

    fn route(&self) -> (Method, String) {
        (Method::GET, path(&self.target, ""))
    }

    async fn perform(&self, operator: &Operator) -> Result<PluginStatus, AdminError> {
        let registry = registry(operator)?;
        registry.rescan().await?;
        Ok(registry.find(&self.target)?)
    }
}

#[async_trait]
impl Operation for GrantPlugin {
    type Done = PluginGrant;

    fn route(&self) -> (Method, String) {
        (Method::POST, path(&self.target, "/grant"))
    }

    async fn perform(&self, operator: &Operator) -> Result<PluginGrant, AdminError> {
        let ends_at = self.days.map(|days| {
            let time = jiff::Timestamp::now() + Duration::from_secs(u64::from(days) * 24 * 60 * 60);
            // Written into a file for people: whole seconds.
            time.round(jiff::Unit::Second).unwrap_or(time)
        });
        Ok(registry(operator)?.grant(&self.target, self.sha256, self.wasi, ends_at).await?)
    }
}

#[async_trait]
impl Operation for RevokePlugin {
    type Done = Vec<PluginGrant>;

    fn route(&self) -> (Method, String) {
        (Method::POST, path(&self.target, "/revoke"))
    }

    async fn perform(&self, operator: &Operator) -> Result<Vec<PluginGrant>, AdminError> {
        Ok(registry(operator)?.revoke(&self.target).await?)
    }
}

#[async_trait]
impl Operation for RollbackPlugin {
    type Done = RolledBack;

    fn route(&self) -> (Method, String) {
        (Method::POST, path(&self.target, "/rollback"))
    }

    async fn perform(&self, operator: &Operator) -> Result<RolledBack, AdminError> {
        Ok(registry(operator)?.rollback(&self.target, self.to.as_deref()).await?)
    }
}
