//! How the server is, for the operator.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::admin::error::AdminError;
use crate::admin::operations::{Operation, Route};
use crate::admin::operator::Operator;
use keyferry_store::StoreHealth;
use keyferry_vault::KeyServiceState;

/// Reports the server's health.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ShowHealth {}

/// The server's health.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ServerHealth {
    /// The server's version.
    pub version: String,
    /// What keeps it from taking writes or unlocking organisations; empty where nothing does.
    pub obstacles: Vec<String>,
    /// Conditions that do not prevent serving but need the operator's attention.
    pub warnings: Vec<String>,
    /// How many plugin files are in each state.
    pub plugins: BTreeMap<String, usize>,
}

impl Operation for ShowHealth {
    type Done = ServerHealth;
    const ROUTE: Route = Route::read("/admin/v1/health", "showHealth");

    async fn perform(&self, operator: &Operator) -> Result<ServerHealth, AdminError> {
        let mut obstacles = Vec::new();
        let mut warnings = operator.warnings.as_ref().map(|warnings| warnings()).unwrap_or_default();
        match operator.store.as_ref().map(|store| store.health()) {
            Some(StoreHealth::NoSpace { free, needed }) => {
                obstacles.push(format!("the disk has {free} bytes free, and {needed} are needed to write safely"));
            }
            Some(StoreHealth::Unavailable(reason)) => {
                obstacles.push(format!("the database takes no writes at the moment: {reason}"));
            }
            Some(StoreHealth::Failed(reason)) => obstacles.push(format!("the store failed: {reason}")),
            Some(StoreHealth::Ready) | None => {}
        }
        match operator.vault.as_ref().map(|vault| vault.key_service()) {
            Some(KeyServiceState::NeverAnswered(fault)) => {
                obstacles.push(format!("no organisation can be unlocked: {fault}"))
            }
            Some(KeyServiceState::Fails(fault)) => {
                warnings.push(format!("{fault}; unlocked organisations are still served"))
            }
            Some(KeyServiceState::Answers) | None => {}
        }
        let mut plugins = BTreeMap::new();
        for status in operator.registry.iter().flat_map(|registry| registry.statuses().as_ref().clone()) {
            *plugins.entry(status.state.as_str().to_owned()).or_insert(0) += 1;
        }
        Ok(ServerHealth { version: env!("CARGO_PKG_VERSION").to_owned(), obstacles, warnings, plugins })
    }
}
