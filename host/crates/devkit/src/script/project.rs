use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use super::{built, javascript, python};
use crate::error::BuildError;
use keyferry_types::ids::Slug;

/// Folders that hold no source of the plugin.
const BESIDE: [&str; 7] = ["node_modules", "cases", "build", "target", "__pycache__", "venv", "dist"];
/// Bytes of source that are taken along: a plugin is small, and a folder that was named by mistake is not.
const MOST_SOURCE: u64 = 8 * 1024 * 1024;

/// A language with an interpreter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Script {
    JavaScript,
    Python,
}

/// The folder of a plugin in such a language.
#[derive(Debug)]
pub(crate) struct Project {
    pub(crate) folder: PathBuf,
    pub(crate) script: Script,
    pub(crate) slug: Slug,
    /// Name of the package.
    pub(crate) name: String,
    /// The file that the tool is given: `plugin.js`, or a module's name.
    pub(super) entry: String,
}

/// The files of a plugin, by their paths in its folder, in order.
pub(super) type Sources = Vec<(PathBuf, Vec<u8>)>;

impl Project {
    /// The project in a folder, if it is one of such a language.
    pub(crate) fn find(folder: &Path) -> Result<Option<Self>, BuildError> {
        if folder.join(javascript::MANIFEST).is_file() {
            return javascript::project(folder).map(Some);
        }
        if folder.join(python::MANIFEST).is_file() {
            return python::project(folder).map(Some);
        }
        Ok(None)
    }

    /// Builds it, unless the same sources were built before.
    pub(crate) fn build(&self) -> Result<Vec<u8>, BuildError> {
        let extensions: &[&str] = match self.script {
            Script::JavaScript => &["js", "mjs", "json"],
            Script::Python => &["py"],
        };
        let sources = sources(&self.folder, extensions)?;
        match self.script {
            Script::JavaScript => javascript::build(self, &sources),
            Script::Python => python::build(self, &sources),
        }
    }

    /// The slug that a manifest says, or the package's name without `keyferry-`.
    pub(super) fn slug(manifest: &Path, said: Option<&str>, name: &str) -> Result<Slug, BuildError> {
        let text = said.unwrap_or_else(|| name.strip_prefix("keyferry-").unwrap_or(name));
        let failed = |problem| BuildError::BadManifest { manifest: manifest.to_owned(), problem };
        text.parse().map_err(|error: keyferry_types::ids::InvalidName| failed(error.to_string()))
    }
}

/// Puts sources and the contract into a folder of their own, in which nothing of the machine shows.
pub(super) fn stage(sources: &Sources, folder: &Path) -> Result<PathBuf, BuildError> {
    for (path, content) in sources {
        let path = folder.join("src").join(path);
        let parent = path.parent().unwrap_or(folder);
        fs::create_dir_all(parent).map_err(BuildError::file(parent))?;
        fs::write(&path, content).map_err(BuildError::file(&path))?;
    }
    let wit = folder.join("wit");
    fs::create_dir_all(&wit).map_err(BuildError::file(&wit))?;
    fs::write(wit.join("plugin.wit"), built::CONTRACT).map_err(BuildError::file(&wit))?;
    Ok(folder.join("src"))
}

fn sources(folder: &Path, extensions: &[&str]) -> Result<Sources, BuildError> {
    fn walk(
        folder: &Path,
        root: &Path,
        extensions: &[&str],
        found: &mut Sources,
        bytes: &mut u64,
    ) -> Result<(), BuildError> {
        for entry in fs::read_dir(folder).map_err(BuildError::file(folder))? {
            let path = entry.map_err(BuildError::file(folder))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name.starts_with('.') || BESIDE.contains(&name.as_str()) {
                continue;
            }
            if path.is_dir() {
                walk(&path, root, extensions, found, bytes)?;
            } else if path.extension().and_then(OsStr::to_str).is_some_and(|extension| extensions.contains(&extension))
            {
                let content = fs::read(&path).map_err(BuildError::file(&path))?;
                *bytes += content.len() as u64;
                if *bytes > MOST_SOURCE {
                    let problem =
                        format!("there are more than {MOST_SOURCE} bytes of source; is it a plugin's folder?");
                    return Err(BuildError::BadManifest { manifest: root.to_owned(), problem });
                }
                found.push((path.strip_prefix(root).unwrap_or(&path).to_owned(), content));
            }
        }
        Ok(())
    }
    let mut found = Vec::new();
    walk(folder, folder, extensions, &mut found, &mut 0)?;
    found.sort();
    Ok(found)
}
