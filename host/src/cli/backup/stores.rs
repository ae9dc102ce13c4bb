//! Stores that are not served, opened without their keys.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::cli::config::Folders;
use crate::cli::error::CliError;
use keyferry_store::postgres::{Access, PostgresSettings, PostgresStore};
use keyferry_store::sled::{SledSettings, SledStore};
use keyferry_store::{Incomplete, Store};
use keyferry_types::path_text::ShowPath as _;

/// Nothing expires while a store is copied: it would differ from its copy.
const NO_SWEEP: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// The store in a folder.
pub(super) async fn in_folder(folder: &Path, unfinished: Incomplete) -> Result<Arc<dyn Store>, CliError> {
    let mut settings = SledSettings::new(folder);
    (settings.sweep_every, settings.unfinished) = (NO_SWEEP, unfinished);
    Ok(Arc::new(SledStore::open(settings).await?))
}

/// The store in a database. `identity` is the file that identifies processes of a data folder.
pub(super) async fn in_database(
    settings: &PostgresSettings,
    identity: Option<&Path>,
    access: Access,
    unfinished: Incomplete,
) -> Result<Arc<dyn Store>, CliError> {
    let mut settings = settings.clone();
    (settings.sweep_every, settings.unfinished) = (NO_SWEEP, unfinished);
    (settings.access, settings.identity) = (access, identity.map(Path::to_owned));
    Ok(Arc::new(PostgresStore::open(settings).await?))
}

/// The store of these folders, to be read.
pub(super) async fn to_read(folders: &Folders) -> Result<Arc<dyn Store>, CliError> {
    match &folders.database {
        // A transaction that reads disturbs no server.
        Some(settings) => in_database(settings, None, Access::Reader, Incomplete::Refused).await,
        None if folders.data.store().exists() => in_folder(&folders.data.store(), Incomplete::Refused).await,
        None => Err(format!("nothing is stored in {} yet", folders.data.path().shown()).into()),
    }
}

/// The store of these folders, to be filled.
pub(super) async fn to_fill(folders: &Folders) -> Result<Arc<dyn Store>, CliError> {
    match &folders.database {
        Some(settings) => {
            let identity = folders.data.store_identity();
            in_database(settings, Some(&identity), Access::Alone, Incomplete::Accepted).await
        }
        None => in_folder(&folders.data.store(), Incomplete::Accepted).await,
    }
}
