//! Finding and building a project, in whichever of the languages it is written.

use std::path::Path;

use super::project::{Project, Script};
use super::sources::Sources;
use super::{javascript, python};
use crate::error::BuildError;

/// The project in a folder, if its manifest is that of a supported language.
pub(crate) fn find(folder: &Path) -> Result<Option<Project>, BuildError> {
    if folder.join(javascript::MANIFEST).is_file() {
        return javascript::project(folder).map(Some);
    }
    if folder.join(python::MANIFEST).is_file() {
        return python::project(folder).map(Some);
    }
    Ok(None)
}

/// Builds a project, unless the same sources were built before.
pub(crate) fn build(project: &Project) -> Result<Vec<u8>, BuildError> {
    let (extensions, build): (&[&str], fn(&Project, &Sources) -> _) = match project.script {
        Script::JavaScript => (&["js", "mjs", "json"], javascript::build),
        Script::Python => (&["py"], python::build),
    };
    build(project, &Sources::read(&project.folder, extensions)?)
}
