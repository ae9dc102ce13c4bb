//! Versions of a plugin file that served well, kept for a rollback.
//!
//! A version is a file named by its SHA-256. One index a plugin file, `<file name>.json`, lists its versions from the
//! oldest to the newest. Both are written whole or not at all.

use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::description::Digest;
use keyferry_types::bounded_file::{self, SMALL};
use keyferry_types::path_text::ShowPath as _;

/// Versions of one file that are kept.
const KEPT: usize = 3;
/// Bytes of a version that is read: more than any that was admitted has.
const MOST: u64 = 256 * 1024 * 1024;

/// The folder of the kept versions.
#[derive(Debug, Clone)]
pub(super) struct Versions {
    folder: PathBuf,
}

/// A version that served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Version {
    pub(super) sha256: Digest,
    /// It was rolled back from: only an operator's command makes it serve again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) abandoned: bool,
}

impl Versions {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The versions of a plugin file, the newest last. An index that cannot be read has none.
    pub(super) fn of(&self, plugin: &Path) -> Vec<Version> {
        let Some(index) = self.index(plugin) else { return Vec::new() };
        let Ok(text) = bounded_file::read_regular(&index, SMALL) else { return Vec::new() };
        serde_json::from_slice(&text.bytes).unwrap_or_else(|error| {
            tracing::warn!(index = %index.shown(), %error, "the index of a plugin's kept versions is not readable");
            Vec::new()
        })
    }

    /// Keeps a version that serves.
    ///
    /// # Errors
    /// If the folder cannot be written to; serving does not depend on it.
    pub(super) fn keep(&self, plugin: &Path, digest: Digest, bytes: &[u8]) -> std::io::Result<()> {
        let mut versions = self.of(plugin);
        match versions.iter_mut().find(|version| version.sha256 == digest) {
            // Dropped in again, or rolled back to: its place stays, so that going back once more goes further back.
            Some(known) if !known.abandoned && self.path(digest).exists() => return Ok(()),
            Some(known) => known.abandoned = false,
            None => versions.push(Version { sha256: digest, abandoned: false }),
        }
        let surplus = versions.len().saturating_sub(KEPT);
        versions.drain(..surplus);
        // A command that only reads must not create the data folder around it.
        match fs::DirBuilder::new().mode(0o700).create(&self.folder) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        if !self.path(digest).exists() {
            write(&self.folder, &self.path(digest), bytes)?;
        }
        self.write_index(plugin, &versions)?;
        self.sweep()
    }

    /// Marks a version as one that was rolled back from.
    ///
    /// # Errors
    /// If the folder cannot be written to.
    pub(super) fn abandon(&self, plugin: &Path, digest: Digest) -> std::io::Result<()> {
        let mut versions = self.of(plugin);
        versions.iter_mut().filter(|version| version.sha256 == digest).for_each(|version| version.abandoned = true);
        if versions.is_empty() { Ok(()) } else { self.write_index(plugin, &versions) }
    }

    /// A version's bytes.
    ///
    /// # Errors
    /// If they cannot be read, or are not what they were.
    pub(super) fn read(&self, digest: Digest) -> std::io::Result<Vec<u8>> {
        let bytes = bounded_file::read_regular(&self.path(digest), MOST)?.into_vec();
        if Digest::of(&bytes) != digest {
            let message = format!("{} is not what was kept there", self.path(digest).shown());
            return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, message));
        }
        Ok(bytes)
    }

    fn path(&self, digest: Digest) -> PathBuf {
        self.folder.join(format!("{digest}.wasm"))
    }

    fn index(&self, plugin: &Path) -> Option<PathBuf> {
        Some(self.folder.join(format!("{}.json", plugin.file_name()?.to_string_lossy())))
    }

    fn write_index(&self, plugin: &Path, versions: &[Version]) -> std::io::Result<()> {
        let index = self.index(plugin).ok_or_else(|| std::io::Error::other("the plugin file has no name"))?;
        write(&self.folder, &index, &serde_json::to_vec_pretty(versions)?)
    }

    /// Removes what no index lists any more.
    fn sweep(&self) -> std::io::Result<()> {
        let mut listed = std::collections::HashSet::new();
        let entries = || fs::read_dir(&self.folder);
        let has = |path: &Path, extension: &str| path.extension() == Some(OsStr::new(extension));
        for entry in entries()? {
            let path = entry?.path();
            if has(&path, "json") {
                let versions: Vec<Version> = serde_json::from_slice(&bounded_file::read_regular(&path, SMALL)?.bytes)?;
                listed.extend(versions.into_iter().map(|version| self.path(version.sha256)));
            }
        }
        for entry in entries()? {
            let path = entry?.path();
            if has(&path, "wasm") && !listed.contains(&path) {
                fs::remove_file(&path)?;
            }
        }
        Ok(())
    }
}

/// Writes a file whole or not at all.
pub(super) fn write(folder: &Path, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    // Hidden, and without `.wasm` at its end: a watcher has no reason to look.
    let mut file = tempfile::Builder::new().prefix(".").suffix(".part").tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    fs::File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_versions_are_kept_in_their_order_and_the_others_go() {
        let folder = tempfile::tempdir().unwrap();
        let versions = Versions::new(folder.path().join("versions"));
        let plugin = Path::new("/plugins/acme.wasm");
        let digests = ["one", "two", "three", "four"].map(|content| Digest::of(content.as_bytes()));
        for content in ["one", "two", "two", "three"] {
            versions.keep(plugin, Digest::of(content.as_bytes()), content.as_bytes()).unwrap();
        }
        assert_eq!(versions.of(plugin).iter().map(|v| v.sha256).collect::<Vec<_>>(), digests[..3]);
        versions.abandon(plugin, digests[2]).unwrap();
        assert!(versions.of(plugin)[2].abandoned);
        versions.keep(plugin, digests[3], b"four").unwrap();
        assert_eq!(versions.of(plugin).iter().map(|v| v.sha256).collect::<Vec<_>>(), digests[1..]);
        assert!(versions.read(digests[0]).is_err(), "what is kept no more is gone");
        assert_eq!(versions.read(digests[1]).unwrap(), b"two");
        fs::write(versions.path(digests[1]), "other").unwrap();
        assert!(versions.read(digests[1]).is_err(), "what was changed is not believed");
        assert_eq!(versions.of(Path::new("/plugins/other.wasm")), []);
    }
}
