//! The folder of what is kept between commands: compiled code and built components.

use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Files that were not used for this long are removed.
const MAX_UNUSED: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// `$XDG_CACHE_HOME/keyferry`, or `~/.cache/keyferry`, as the XDG Base Directory Specification has it:
/// <https://specifications.freedesktop.org/basedir-spec/latest/>.
pub(crate) fn cache_folder() -> Option<PathBuf> {
    let set = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let folder = set.or_else(|| Some(std::env::home_dir()?.join(".cache")))?;
    Some(folder.join("keyferry"))
}

/// Creates a folder that only its owner can access.
pub(crate) fn private_folder(folder: &Path) -> std::io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Removes the files with an extension that were not used for [`MAX_UNUSED`].
pub(crate) fn sweep(folder: &Path, extension: &str) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let is_ours = entry.path().extension().is_some_and(|found| found == extension);
        // Reading a file counts as use only where the file system keeps track of it, hence the generous time.
        let used = entry.metadata().and_then(|meta| meta.accessed().or_else(|_| meta.modified()));
        if is_ours && used.is_ok_and(|used| used.elapsed().is_ok_and(|unused| unused > MAX_UNUSED)) {
            let _ = fs::remove_file(entry.path());
        }
    }
}
