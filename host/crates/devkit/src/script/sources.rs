//! The files that a component is built from.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use crate::error::BuildError;

/// The contract that plugins are built against.
pub(super) const CONTRACT: &str = include_str!("../../../../../wit/v1/plugin.wit");

/// Folders that hold no source of the plugin.
const IGNORED: [&str; 7] = ["node_modules", "cases", "build", "target", "__pycache__", "venv", "dist"];
/// The largest total size of the sources, in bytes: a plugin is small, and a folder that was named by mistake is not.
const MAX_BYTES: u64 = 8 * 1024 * 1024;

/// The files of a plugin, by their paths in its folder, in order.
pub(super) struct Sources(Vec<(PathBuf, Vec<u8>)>);

impl Sources {
    /// Reads the files of a folder that have one of the extensions.
    pub(super) fn read(folder: &Path, extensions: &[&str]) -> Result<Self, BuildError> {
        let mut found = Vec::new();
        walk(folder, folder, extensions, &mut found, &mut 0)?;
        found.sort();
        Ok(Self(found))
    }

    /// Each path and content.
    pub(super) fn iter(&self) -> impl Iterator<Item = &(PathBuf, Vec<u8>)> {
        self.0.iter()
    }

    /// Copies the sources and the contract into `folder`, so that the build depends on no other file of the machine. Returns
    /// the folder of the sources.
    pub(super) fn stage(&self, folder: &Path) -> Result<PathBuf, BuildError> {
        for (path, content) in self.iter() {
            let path = folder.join("src").join(path);
            let parent = path.parent().unwrap_or(folder);
            fs::create_dir_all(parent).map_err(BuildError::file(parent))?;
            fs::write(&path, content).map_err(BuildError::file(&path))?;
        }
        let wit = folder.join("wit");
        fs::create_dir_all(&wit).map_err(BuildError::file(&wit))?;
        fs::write(wit.join("plugin.wit"), CONTRACT).map_err(BuildError::file(&wit))?;
        Ok(folder.join("src"))
    }
}

fn walk(
    folder: &Path,
    root: &Path,
    extensions: &[&str],
    found: &mut Vec<(PathBuf, Vec<u8>)>,
    bytes: &mut u64,
) -> Result<(), BuildError> {
    for entry in fs::read_dir(folder).map_err(BuildError::file(folder))? {
        let path = entry.map_err(BuildError::file(folder))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with('.') || IGNORED.contains(&name.as_str()) {
            continue;
        }
        if path.is_dir() {
            walk(&path, root, extensions, found, bytes)?;
        } else if path.extension().and_then(OsStr::to_str).is_some_and(|extension| extensions.contains(&extension)) {
            let content = fs::read(&path).map_err(BuildError::file(&path))?;
            *bytes += content.len() as u64;
            if *bytes > MAX_BYTES {
                let problem = format!("there are more than {MAX_BYTES} bytes of source; is it a plugin's folder?");
                return Err(BuildError::BadManifest { manifest: root.to_owned(), problem });
            }
            found.push((path.strip_prefix(root).unwrap_or(&path).to_owned(), content));
        }
    }
    Ok(())
}
