//! Plugin files: finding them, telling that one changed, reading one.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// What changes when a file does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamp {
    length: u64,
    modified: Option<SystemTime>,
    inode: u64,
}

/// The `.wasm` files of a folder by name, without hidden ones (which is what a copy under way is often called).
pub(super) fn list(folder: &Path) -> std::io::Result<Vec<(PathBuf, Stamp)>> {
    use std::os::unix::fs::MetadataExt as _;
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let hidden = path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
        if hidden || path.extension().is_none_or(|extension| extension != "wasm") {
            continue;
        }
        // Gone since, or a dangling link: not there.
        let Ok(meta) = std::fs::metadata(&path) else { continue };
        if meta.is_file() {
            files.push((path, Stamp { length: meta.len(), modified: meta.modified().ok(), inode: meta.ino() }));
        }
    }
    files.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(files)
}

/// Reads a file, but not more than `most` bytes of it.
pub(super) fn read(path: &Path, most: usize) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    std::fs::File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    if bytes.len() > most {
        return Err(std::io::Error::new(
            std::io::ErrorKind::FileTooLarge,
            format!("it is larger than {most} bytes; build it smaller, or grant its sha256 more `file-bytes`"),
        ));
    }
    Ok(bytes)
}
