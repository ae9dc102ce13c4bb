//! Plugin files: listing them, detecting changes, reading one.

use std::ffi::OsStr;
use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use keyferry_types::bounded_file;
use keyferry_types::path_text::ShowPath as _;

/// Time limit for listing the folder and for reading a file of many megabytes.
const PATIENCE: Duration = Duration::from_secs(20);

/// Metadata that changes when the file does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FileStamp {
    length: u64,
    modified: Option<SystemTime>,
    inode: u64,
}

/// A `.wasm` file of the folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PluginFile {
    /// Path of the file.
    pub(super) path: PathBuf,
    /// Metadata at the time of listing.
    pub(super) stamp: FileStamp,
    /// Reason for which the file is not opened.
    pub(super) unfit: Option<String>,
}

/// The `.wasm` files of a folder by name, without hidden ones (which is what a copy under way is often called).
pub(super) fn list(folder: &Path) -> std::io::Result<Vec<PluginFile>> {
    let named = folder.to_owned();
    bounded_file::within(folder, PATIENCE, move || list_here(&named))
}

fn list_here(folder: &Path) -> std::io::Result<Vec<PluginFile>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let Some(name) = path.file_name().filter(|name| is_plugin(name)) else { continue };
        // Gone since, or a dangling link: not there.
        let Ok(meta) = std::fs::metadata(&path) else { continue };
        let unfit = unfit(name, &meta);
        files.push(PluginFile { path, stamp: FileStamp::of(&meta), unfit });
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

/// Whether its name ends as a plugin's does. The bytes before the ending may be anything.
fn is_plugin(name: &OsStr) -> bool {
    let bytes = name.as_encoded_bytes();
    !bytes.starts_with(b".") && bytes.ends_with(b".wasm") && bytes.len() > b".wasm".len()
}

fn unfit(name: &OsStr, meta: &Metadata) -> Option<String> {
    if !name.shown().is_plain() {
        return Some(
            "its name is not plain text: it is not UTF-8, or has control characters, line breaks, a backslash, or characters that \
             are invisible or turn text around; rename it"
                .to_owned(),
        );
    }
    (!meta.is_file())
        .then(|| "it is not a regular file: it is a folder, a FIFO (named pipe), a socket or a device".to_owned())
}

impl FileStamp {
    /// Size of the file in bytes.
    pub(super) fn bytes(&self) -> usize {
        usize::try_from(self.length).unwrap_or(usize::MAX)
    }

    fn of(meta: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt as _;
        Self { length: meta.len(), modified: meta.modified().ok(), inode: meta.ino() }
    }
}

/// Reads a file, but not one of more than `most` bytes: its size is looked at before.
pub(super) fn read(path: &Path, most: usize) -> std::io::Result<Vec<u8>> {
    let (named, limit) = (path.to_owned(), u64::try_from(most).unwrap_or(u64::MAX));
    let read = bounded_file::within(path, PATIENCE, move || bounded_file::read_regular(&named, limit));
    read.map(bounded_file::Content::into_vec).map_err(|error| match error.kind() {
        std::io::ErrorKind::FileTooLarge => std::io::Error::new(
            error.kind(),
            format!("it is larger than {most} bytes; build it smaller, or grant its sha256 more `file-bytes`"),
        ),
        _ => error,
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt as _;

    use super::*;

    #[test]
    fn files_whose_names_are_not_fit_to_be_shown_are_found_and_not_opened() {
        let folder = tempfile::tempdir().unwrap();
        for name in [
            &b"good.wasm"[..],
            b"b\xff.wasm",
            b"c\x1b[2J.wasm",
            b"d\n.wasm",
            "e\u{202e}.wasm".as_bytes(),
            b"f\\xff.wasm",
            "g\u{200b}.wasm".as_bytes(),
            b".hidden.wasm",
            b"readme.md",
            b".wasm",
            "h\u{fc}.wasm".as_bytes(),
        ] {
            std::fs::write(folder.path().join(OsStr::from_bytes(name)), b"").unwrap();
        }
        std::fs::create_dir(folder.path().join("z.wasm")).unwrap();
        std::os::unix::fs::symlink("nowhere", folder.path().join("dangling.wasm")).unwrap();
        let found = list(folder.path()).unwrap();
        let seen: Vec<_> = found
            .iter()
            .map(|found| (found.path.file_name().unwrap().shown().to_string(), found.unfit.is_none()))
            .collect();
        let expected = [
            ("b\\xff.wasm", false),
            ("c\\u{1b}[2J.wasm", false),
            ("d\\n.wasm", false),
            ("e\\u{202e}.wasm", false),
            ("f\\\\xff.wasm", false),
            ("good.wasm", true),
            ("g\\u{200b}.wasm", false),
            ("h\u{fc}.wasm", true),
            ("z.wasm", false),
        ];
        assert_eq!(seen, expected.map(|(name, fit)| (name.to_owned(), fit)));
    }

    #[test]
    fn a_file_that_is_too_large_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("large.wasm");
        // A sparse file: reading it would take as much memory as it says.
        std::fs::File::create(&path).unwrap().set_len(1 << 40).unwrap();
        assert!(read(&path, 1024).unwrap_err().to_string().contains("larger than 1024 bytes"));
    }
}
