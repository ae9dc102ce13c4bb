//! An operator's command: sent to the server that runs on the data folder, or carried out here if none runs.

use std::sync::Arc;

use super::config::{DataFolder, FolderArgs, Folders, PluginsFrom};
use super::error::CliError;
use super::server::registry;
use super::store_and_vault::StoreAndVault;
use super::term;
use keyferry_api::admin::{self, AdminError, Operation, Operator, Verb};
use keyferry_egress::EgressSettings;
use keyferry_sandbox::{GrantPolicy, SandboxLimits};
use keyferry_store::postgres::Access;
use keyferry_types::path_text::ShowPath as _;

/// The components that an operation needs if no server runs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Needs {
    /// The store and the vault, which exist.
    StoreAndVault,
    /// The store and the vault, created if they do not exist.
    NewStoreAndVault,
    /// The plugins. They are listed, not served: nothing is granted on drop.
    Plugins,
}

/// Performs an operation on the running server, or without one.
pub(super) async fn perform<O: Operation>(
    folders: impl Into<FolderArgs>,
    needs: Needs,
    operation: O,
) -> Result<O::Done, CliError> {
    let folders = folders.into().resolve_in(match needs {
        Needs::StoreAndVault => DataFolder::existing,
        Needs::NewStoreAndVault => DataFolder::open_and_tell,
        // Without a data folder, nothing is granted.
        Needs::Plugins => DataFolder::at,
    })?;
    match admin::call(&folders.data.socket(), &operation).await {
        Ok(done) => Ok(done),
        Err(AdminError::NotRunning) => {
            let operator = open(&folders, needs).await?;
            if needs == Needs::Plugins && O::ROUTE.verb == Verb::Change {
                // Grants are recorded there.
                DataFolder::open_and_tell(folders.data.path())?;
            }
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
        Needs::StoreAndVault if folders.database.is_none() && !folders.data.store().exists() => Err(format!(
            "nothing is stored in {} yet; `keyferry serve` or `keyferry api-key create` creates the store",
            folders.data.path().shown()
        )
        .into()),
        Needs::StoreAndVault | Needs::NewStoreAndVault => {
            let opened = StoreAndVault::open(folders, None, Access::Alone).await.inspect_err(|_| {
                if folders.data.remove_unused() {
                    term::progress(&format!("removed the data folder {} again", folders.data.path().shown()));
                }
            });
            let StoreAndVault { vault, store, new_key } = opened?;
            if let Some(file) = new_key {
                term::progress(&format!(
                    "created the key-encryption key {}: back it up, apart from the store; without it nothing in the store opens",
                    file.shown()
                ));
            }
            Ok(Operator { vault: Some(vault), store: Some(store), ..Operator::default() })
        }
        Needs::Plugins if folders.plugins_from == PluginsFrom::Database => Err(format!(
            "no server runs on {}, and the plugins are in the database, which servers have in common: start one by `keyferry serve`",
            folders.data.path().shown()
        )
        .into()),
        Needs::Plugins => {
            let limits = SandboxLimits { slots: 1, ..SandboxLimits::default() };
            let registry = registry(folders, GrantPolicy::Recorded, limits, EgressSettings::default(), None).await?;
            Ok(Operator { registry: Some(Arc::clone(&registry)), ..Operator::default() })
        }
    }
}
