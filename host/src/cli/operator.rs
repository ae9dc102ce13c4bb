//! An operator's command: sent to the server that runs on the data folder, or carried out here if none runs.

use std::sync::Arc;

use super::config::{FolderArgs, Folders};
use super::error::CliError;
use super::server::registry;
use super::store_and_vault::StoreAndVault;
use keyferry_api::admin::{self, AdminError, Operation, Operator};
use keyferry_egress::EgressSettings;
use keyferry_sandbox::{GrantPolicy, SandboxLimits};
use keyferry_store::sled::SledSettings;

/// The components that an operation needs if no server runs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Needs {
    /// The store and the vault.
    StoreAndVault,
    /// The plugins. They are listed, not served: nothing is granted on drop.
    Plugins,
}

/// Performs an operation on the running server, or without one.
pub(super) async fn perform<O: Operation>(
    folders: FolderArgs,
    needs: Needs,
    operation: O,
) -> Result<O::Done, CliError> {
    let folders = folders.resolve()?;
    match admin::call(&folders.data.socket(), &operation).await {
        Ok(done) => Ok(done),
        Err(AdminError::NotRunning) => {
            let operator = open(&folders, needs).await?;
            let done = operation.perform(&operator).await;
            if let Some(store) = &operator.store {
                store.close().await?;
            }
            Ok(done?)
        }
        Err(error) => Err(error.into()),
    }
}

async fn open(folders: &Folders, needs: Needs) -> Result<Operator, CliError> {
    match needs {
        Needs::StoreAndVault => {
            let StoreAndVault { vault, store } =
                StoreAndVault::open(folders, SledSettings::new(folders.data.store())).await?;
            Ok(Operator { vault: Some(vault), store: Some(store), registry: None, warnings: None })
        }
        Needs::Plugins => {
            let limits = SandboxLimits { slots: 1, ..SandboxLimits::default() };
            let registry = registry(folders, GrantPolicy::Recorded, limits, EgressSettings::default(), None).await?;
            Ok(Operator { vault: None, store: None, registry: Some(Arc::clone(&registry)), warnings: None })
        }
    }
}
