use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::build::{BuildOptions, Selection, build};
use super::cases_folder::cases_of;
use super::error::BuildError;
use keyferry_types::bounded_file;
use keyferry_types::path_text::ShowPath as _;

/// The largest plugin file in bytes that is read: above every limit of the sandbox, whose error then reaches the user.
const MOST: u64 = 256 * 1024 * 1024;

/// A plugin to try out.
#[derive(Debug)]
pub struct Source {
    /// The path that was named: a file, or a folder to build from.
    pub path: PathBuf,
    /// Bytes of the component.
    pub component: Vec<u8>,
    /// Folder of its cases, unless another is named.
    pub cases: PathBuf,
}

/// Why a plugin cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The file cannot be read.
    #[error("{}: {reason}", path.shown())]
    File {
        /// Path of the file.
        path: PathBuf,
        /// Why it cannot be read.
        reason: String,
    },
    /// The folder cannot be built.
    #[error(transparent)]
    Build(#[from] BuildError),
}

impl Source {
    /// Reads a component, or builds the plugin in a folder. It blocks for as long as that takes.
    ///
    /// # Errors
    /// If the file cannot be read, or the folder not be built.
    pub fn open(path: &Path) -> Result<Self, SourceError> {
        if path.is_dir() {
            return Self::built(path);
        }
        Ok(Self { path: path.to_owned(), component: read(path)?, cases: cases_of(path) })
    }

    fn built(folder: &Path) -> Result<Self, SourceError> {
        let out = tempfile::tempdir().map_err(|error| failed(folder, error.to_string()))?;
        let selection = Selection::Packages(vec![folder.to_owned()]);
        let built = build(&BuildOptions { selection, out: out.path().to_owned() })?;
        let file = built.first().map(|plugin| plugin.file.clone());
        let file = file.ok_or_else(|| failed(folder, "nothing was built from it".to_owned()))?;
        Ok(Self { path: folder.to_owned(), component: read(&file)?, cases: folder.join("cases") })
    }
}

fn read(path: &Path) -> Result<Vec<u8>, SourceError> {
    let explained = |error: std::io::Error| match error.kind() {
        ErrorKind::NotFound => {
            failed(path, "there is no such file; name a .wasm file, or the folder of a plugin".to_owned())
        }
        ErrorKind::FileTooLarge => failed(path, format!("it is larger than {MOST} bytes, which no plugin is")),
        ErrorKind::InvalidInput | ErrorKind::IsADirectory => failed(path, format!("it is not a file: {error}")),
        _ => failed(path, format!("it cannot be read: {error}")),
    };
    Ok(bounded_file::read(path, MOST).map_err(explained)?.into_vec())
}

fn failed(path: &Path, reason: String) -> SourceError {
    SourceError::File { path: path.to_owned(), reason }
}
