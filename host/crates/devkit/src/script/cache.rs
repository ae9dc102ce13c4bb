//! Components that were built before.
//!
//! The toolchains of JavaScript and Python run the program once and keep its memory, with the time of day and random bytes
//! in it: two runs on the same source differ. A component is therefore kept under the digest of all that went into it, so
//! that unchanged source gives the same bytes, and keeps its grants.

use std::fs;
use std::path::PathBuf;

use sha2::{Digest as _, Sha256};

use super::sources::{CONTRACT, Sources};
use crate::cache_folder::{cache_folder, private_folder, sweep};

/// The inputs of a build, whose digest names the component in the cache.
pub(super) struct CacheKey<'a> {
    /// The tool and its version.
    pub(super) tool: String,
    /// Arguments of the tool.
    pub(super) arguments: &'a [&'a str],
    pub(super) sources: &'a Sources,
}

impl CacheKey<'_> {
    /// The component that was built from these inputs, if it is in the cache.
    pub(super) fn load(&self) -> Option<Vec<u8>> {
        fs::read(self.path()?).ok()
    }

    /// Puts a component into the cache. If that fails, the next build takes its time again.
    pub(super) fn store(&self, component: &[u8]) {
        let Some(path) = self.path() else { return };
        let Some(folder) = path.parent() else { return };
        let write = || -> std::io::Result<()> {
            private_folder(folder)?;
            let file = tempfile::NamedTempFile::new_in(folder)?;
            fs::write(file.path(), component)?;
            file.persist(&path)?;
            Ok(())
        };
        if let Err(error) = write() {
            tracing::debug!(%error, "the component is not kept in the cache");
        }
        sweep(folder, "wasm");
    }

    fn path(&self) -> Option<PathBuf> {
        let mut hash = Sha256::new();
        let mut add = |bytes: &[u8]| {
            hash.update((bytes.len() as u64).to_be_bytes());
            hash.update(bytes);
        };
        add(env!("CARGO_PKG_VERSION").as_bytes());
        add(CONTRACT.as_bytes());
        add(self.tool.as_bytes());
        self.arguments.iter().for_each(|argument| add(argument.as_bytes()));
        for (path, content) in self.sources.iter() {
            add(path.to_string_lossy().as_bytes());
            add(content);
        }
        Some(cache_folder()?.join("built").join(format!("{}.wasm", hex::encode(hash.finalize()))))
    }
}
