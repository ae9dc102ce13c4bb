//! The folders and files of a server, and the flags that name them.

use std::path::{Path, PathBuf};

use clap::Args;

use super::database::DatabaseArgs;
use super::key::KekArgs;
use crate::cli::config::data_folder::DataFolder;
use crate::cli::error::CliError;
use keyferry_store::postgres::PostgresSettings;
use keyferry_vault::KeyProvider;

/// Flags that `serve` and the operator's commands have in common.
#[derive(Args, Default, Clone)]
pub(in crate::cli) struct FolderArgs {
    /// A TOML file with settings: each flag of `serve` has a key of the same name [default: ./keyferry.toml, if it exists].
    #[arg(long, value_name = "FILE", env = "KEYFERRY_CONFIG")]
    pub(in crate::cli) config: Option<PathBuf>,

    /// The data folder: store, keys, grants [default: ./keyferry-data].
    #[arg(long, value_name = "DIR", env = "KEYFERRY_DATA")]
    pub(in crate::cli) data: Option<PathBuf>,

    /// The plugin folder: one .wasm file an app [default: plugins in the data folder].
    #[arg(long, value_name = "DIR", env = "KEYFERRY_PLUGINS")]
    pub(in crate::cli) plugins: Option<PathBuf>,

    /// The lock file, which records grants [default: keyferry.lock in the data folder].
    #[arg(long, value_name = "FILE", env = "KEYFERRY_LOCK")]
    pub(in crate::cli) lock: Option<PathBuf>,

    #[command(flatten)]
    pub(in crate::cli) key: KekArgs,

    #[command(flatten)]
    pub(in crate::cli) database: DatabaseArgs,
}

/// Where plugins and their grants are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum PluginsFrom {
    /// In the plugin folder and the lock file of this server.
    Folder,
    /// In the database, for all of its servers. The plugin folder is a copy.
    Database,
}

/// The resolved folders and files.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Folders {
    pub(in crate::cli) data: DataFolder,
    pub(in crate::cli) plugins: PathBuf,
    pub(in crate::cli) lock: PathBuf,
    pub(in crate::cli) plugins_from: PluginsFrom,
    pub(in crate::cli) key: KeyProvider,
    /// The database that keeps the store; none if it is in the data folder.
    pub(in crate::cli) database: Option<PostgresSettings>,
}

impl FolderArgs {
    /// Fills in the defaults, with the data folder that `open` returns.
    pub(in crate::cli) fn resolve_in(
        self,
        open: impl FnOnce(&Path) -> Result<DataFolder, CliError>,
    ) -> Result<Folders, CliError> {
        let key = self.key.provider()?;
        let database = self.database.settings()?;
        let data = open(&self.data.unwrap_or_else(|| PathBuf::from("keyferry-data")))?;
        let plugins_from = match (&database, &self.plugins, &self.lock) {
            (Some(_), None, None) => PluginsFrom::Database,
            _ => PluginsFrom::Folder,
        };
        let (plugins, lock) = match plugins_from {
            PluginsFrom::Database => data.plugins_of_database(),
            PluginsFrom::Folder => (data.plugins(), data.lock()),
        };
        Ok(Folders {
            plugins: self.plugins.unwrap_or(plugins),
            lock: self.lock.unwrap_or(lock),
            plugins_from,
            key: key.unwrap_or_else(|| KeyProvider::File(data.key())),
            data,
            database,
        })
    }
}
