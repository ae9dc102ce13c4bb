//! The commands that install what a plugin's folder is built with.

use std::fmt::Display;

/// For JavaScript. The folder is written as one word of a shell's.
pub(crate) fn npm(folder: impl Display) -> String {
    format!("npm install --prefix {folder}")
}

/// For Python: into a virtual environment in the folder, where the build looks for it first.
pub(crate) fn pip(folder: impl Display) -> String {
    format!("python3 -m venv {folder}/.venv && {folder}/.venv/bin/pip install -r {folder}/requirements.txt")
}
