//! The folder of a plugin in JavaScript or Python, as its manifest describes it.

use std::path::{Path, PathBuf};

use crate::error::BuildError;
use keyferry_types::ids::{InvalidName, Slug};

/// Languages whose toolchain puts an interpreter into the component.
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
    /// The tool's entry point: `plugin.js`, or a module's name.
    pub(super) entry: String,
}

/// The slug that a manifest sets, or the package's name without `keyferry-`.
pub(super) fn slug(manifest: &Path, set: Option<&str>, name: &str) -> Result<Slug, BuildError> {
    let text = set.unwrap_or_else(|| name.strip_prefix("keyferry-").unwrap_or(name));
    text.parse().map_err(|error: InvalidName| BuildError::BadManifest {
        manifest: manifest.to_owned(),
        problem: error.to_string(),
    })
}
