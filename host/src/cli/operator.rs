//! An operator's command: sent to the server that runs on the data folder, or, where none runs, carried out here.

use std::sync::Arc;

use super::CliError;
use super::node::{Safe, registry};
use super::settings::{FolderArgs, Folders};
use keyferry_api::admin::{self, AdminError, Operation, Operator};
use keyferry_egress::EgressSettings;
use keyferry_sandbox::{GrantPolicy, SandboxLimits};
use keyferry_store::sled::SledSettings;

/// Which parts an operation needs where no server runs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Needs {
    /// The keys and the store.
    Safe,
    /// The plugins. They are looked at, not served: nothing is granted on drop.
    Plugins,
}

/// Carries an operation out, wherever it can be.
pub(super) async fn perform<O: Operation>(
    folders: FolderArgs,
    needs: Needs,
    operation: O,
) -> Result<O::Done, CliError> {
    let folders = folders.decide()?;
    match admin::call(&folders.data.socket(), &operation).await {
        Ok(done) => Ok(done),
        Err(AdminError::NotRunning) => {
            let operator = here(&folders, needs).await?;
            let done = operation.perform(&operator).await;
            if let Some(store) = &operator.store {
                store.close().await?;
            }
            Ok(done?)
        }
        Err(error) => Err(error.into()),
    }
}

async fn here(folders: &Folders, needs: Needs) -> Result<Operator, CliError> {
    match needs {
        Needs::Safe => {
            let Safe { vault, store } = Safe::open(folders, SledSettings::new(folders.data.store())).await?;
            Ok(Operator { vault: Some(vault), store: Some(store), registry: None, warnings: None })
        }
        Needs::Plugins => {
            let limits = SandboxLimits { slots: 1, ..SandboxLimits::default() };
            let registry = registry(folders, GrantPolicy::Recorded, limits, EgressSettings::default(), None).await?;
            Ok(Operator { vault: None, store: None, registry: Some(Arc::clone(&registry)), warnings: None })
        }
    }
}
