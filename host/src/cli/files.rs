//! Where things lie in the data folder.

use std::path::{Path, PathBuf};

use keyferry_types::bounded_file::{self, PATIENCE};
use keyferry_types::path_text::ShowPath as _;

/// The data folder and what is in it.
#[derive(Debug, Clone)]
pub(super) struct DataFolder(PathBuf);

impl DataFolder {
    /// Where it is or would be; nothing is made.
    pub(super) fn at(path: &Path) -> Result<Self, super::CliError> {
        let fault = |error: std::io::Error| format!("cannot use the data folder {}: {error}", path.shown());
        Ok(Self(std::path::absolute(path).map_err(fault)?))
    }

    /// Makes the folder, for its owner only, where it does not exist.
    pub(super) fn open(path: &Path) -> Result<Self, super::CliError> {
        use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
        let fault = |error: std::io::Error| format!("cannot use the data folder {}: {error}", path.shown());
        let named = path.to_owned();
        let mode = bounded_file::within(path, PATIENCE, move || {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&named)?;
            Ok(std::fs::metadata(&named)?.permissions().mode())
        })
        .map_err(fault)?;
        if mode & 0o077 != 0 {
            super::term::warning(&format!(
                "others can look into the data folder {} (mode {:o}); `chmod 700` it",
                path.shown(),
                mode & 0o777
            ));
        }
        Ok(Self(std::path::absolute(path).map_err(fault)?))
    }

    pub(super) fn key(&self) -> PathBuf {
        self.0.join("keyferry.key")
    }

    pub(super) fn store(&self) -> PathBuf {
        self.0.join("store")
    }

    pub(super) fn plugins(&self) -> PathBuf {
        self.0.join("plugins")
    }

    pub(super) fn lock(&self) -> PathBuf {
        self.0.join("keyferry.lock")
    }

    pub(super) fn code_key(&self) -> PathBuf {
        self.0.join("code-key.json")
    }

    pub(super) fn code_cache(&self) -> PathBuf {
        self.0.join("cache")
    }

    pub(super) fn plugin_versions(&self) -> PathBuf {
        self.0.join("plugin-versions")
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.0.join("admin.sock")
    }
}
