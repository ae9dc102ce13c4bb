//! The data folder, and the paths of the files in it.

use std::path::{Path, PathBuf};

use crate::cli::error::CliError;
use crate::cli::term;
use keyferry_types::bounded_file::{self, PATIENCE};
use keyferry_types::path_text::ShowPath as _;

/// The absolute path of the data folder.
#[derive(Debug, Clone)]
pub(in crate::cli) struct DataFolder(PathBuf);

impl DataFolder {
    /// The folder, which need not exist.
    pub(in crate::cli) fn at(path: &Path) -> Result<Self, CliError> {
        let fault = |error: std::io::Error| format!("cannot use the data folder {}: {error}", path.shown());
        Ok(Self(std::path::absolute(path).map_err(fault)?))
    }

    /// Creates the folder if it does not exist, for its owner only.
    pub(in crate::cli) fn open(path: &Path) -> Result<Self, CliError> {
        use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
        let fault = |error: std::io::Error| format!("cannot use the data folder {}: {error}", path.shown());
        let named = path.to_owned();
        let mode = bounded_file::within(path, PATIENCE, move || {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&named)?;
            Ok(std::fs::metadata(&named)?.permissions().mode())
        })
        .map_err(fault)?;
        if mode & 0o077 != 0 {
            term::warning(&format!(
                "others can look into the data folder {} (mode {:o}); `chmod 700` it",
                path.shown(),
                mode & 0o777
            ));
        }
        Ok(Self(std::path::absolute(path).map_err(fault)?))
    }

    pub(in crate::cli) fn key(&self) -> PathBuf {
        self.0.join("keyferry.key")
    }

    pub(in crate::cli) fn store(&self) -> PathBuf {
        self.0.join("store")
    }

    pub(in crate::cli) fn plugins(&self) -> PathBuf {
        self.0.join("plugins")
    }

    pub(in crate::cli) fn lock(&self) -> PathBuf {
        self.0.join("keyferry.lock")
    }

    pub(in crate::cli) fn code_key(&self) -> PathBuf {
        self.0.join("code-key.json")
    }

    pub(in crate::cli) fn code_cache(&self) -> PathBuf {
        self.0.join("cache")
    }

    pub(in crate::cli) fn plugin_versions(&self) -> PathBuf {
        self.0.join("plugin-versions")
    }

    pub(in crate::cli) fn socket(&self) -> PathBuf {
        self.0.join("admin.sock")
    }
}
