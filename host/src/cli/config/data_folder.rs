//! The data folder, and the paths of the files in it.

use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::cli::error::CliError;
use crate::cli::term;
use keyferry_types::bounded_file::{self, PATIENCE};
use keyferry_types::path_text::ShowPath as _;

/// The data folder.
#[derive(Debug, Clone)]
pub(in crate::cli) struct DataFolder {
    /// The absolute path.
    path: PathBuf,
    /// The path as it was given, for messages.
    named: PathBuf,
    /// Whether this process has created it.
    is_new: bool,
}

/// What to do if the folder does not exist.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Missing {
    Refused,
    Created,
}

fn unusable(path: &Path, error: &std::io::Error) -> CliError {
    format!("cannot use the data folder {}: {error}", path.shown()).into()
}

impl DataFolder {
    /// The folder, which need not exist.
    pub(in crate::cli) fn at(path: &Path) -> Result<Self, CliError> {
        let absolute = std::path::absolute(path).map_err(|error| unusable(path, &error))?;
        Ok(Self { path: absolute, named: path.to_owned(), is_new: false })
    }

    /// The folder, which must exist.
    pub(in crate::cli) fn existing(path: &Path) -> Result<Self, CliError> {
        Self::look(path, Missing::Refused)
    }

    /// Creates the folder if it does not exist, for its owner only.
    pub(in crate::cli) fn open(path: &Path) -> Result<Self, CliError> {
        Self::look(path, Missing::Created)
    }

    /// [`Self::open`] for a folder that [`Self::at`] has named.
    pub(in crate::cli) fn opened(&self) -> Result<Self, CliError> {
        Self::open(&self.named)
    }

    /// [`Self::open`], and says it if the folder is created.
    pub(in crate::cli) fn open_and_tell(path: &Path) -> Result<Self, CliError> {
        let data = Self::open(path)?;
        if data.is_new {
            term::progress(&format!("created the data folder {}", data.path.shown()));
        }
        Ok(data)
    }

    fn look(path: &Path, missing: Missing) -> Result<Self, CliError> {
        let named = path.to_owned();
        let looked = bounded_file::within(path, PATIENCE, move || {
            let is_new = missing == Missing::Created && !named.exists();
            if is_new {
                std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&named)?;
            }
            let metadata = std::fs::metadata(&named)?;
            if !metadata.is_dir() {
                return Err(ErrorKind::NotADirectory.into());
            }
            Ok((metadata.permissions().mode(), is_new))
        });
        let (mode, is_new) = match looked {
            Ok(looked) => looked,
            Err(error) if missing == Missing::Refused && error.kind() == ErrorKind::NotFound => {
                return Err(format!(
                    "there is no data folder {}; --data or KEYFERRY_DATA names another one, and `keyferry serve` or `keyferry \
                     api-key create` creates it",
                    path.shown()
                )
                .into());
            }
            Err(error) => return Err(unusable(path, &error)),
        };
        if mode & 0o077 != 0 {
            term::warning(&format!(
                "others can look into the data folder {} (mode {:o}); `chmod 700` it",
                path.shown(),
                mode & 0o777
            ));
        }
        Ok(Self { is_new, ..Self::at(path)? })
    }

    /// The absolute path.
    pub(in crate::cli) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether this process has created the folder.
    pub(in crate::cli) fn is_new(&self) -> bool {
        self.is_new
    }

    /// Removes the folder after a failure if this process has created it and nothing is in it but the identity that a database is
    /// opened with. Returns whether it did.
    pub(in crate::cli) fn remove_unused(&self) -> bool {
        let identity = self.store_identity();
        let entries = || std::fs::read_dir(&self.path).into_iter().flatten();
        let is_unused = self.is_new && entries().all(|entry| entry.is_ok_and(|entry| entry.path() == identity));
        if is_unused {
            // It is missing where the failure came first.
            let _missing = std::fs::remove_file(identity);
        }
        is_unused && std::fs::remove_dir(&self.path).is_ok()
    }

    pub(in crate::cli) fn key(&self) -> PathBuf {
        self.path.join("keyferry.key")
    }

    pub(in crate::cli) fn store(&self) -> PathBuf {
        self.path.join("store")
    }

    pub(in crate::cli) fn store_identity(&self) -> PathBuf {
        self.path.join("store-identity")
    }

    pub(in crate::cli) fn plugins(&self) -> PathBuf {
        self.path.join("plugins")
    }

    pub(in crate::cli) fn lock(&self) -> PathBuf {
        self.path.join("keyferry.lock")
    }

    /// The copy of the plugins that are in the database, and of their grants.
    pub(in crate::cli) fn plugins_of_database(&self) -> (PathBuf, PathBuf) {
        (self.path.join("database-plugins"), self.path.join("database-plugins.lock"))
    }

    pub(in crate::cli) fn code_key(&self) -> PathBuf {
        self.path.join("code-key.json")
    }

    pub(in crate::cli) fn code_cache(&self) -> PathBuf {
        self.path.join("cache")
    }

    pub(in crate::cli) fn plugin_versions(&self) -> PathBuf {
        self.path.join("plugin-versions")
    }

    pub(in crate::cli) fn socket(&self) -> PathBuf {
        self.path.join("admin.sock")
    }
}
