//! Compiled code kept on disk, so that a start does not compile every plugin again.
//!
//! An entry is found by the component's digest and the runtime's compatibility hash, and holds a message authentication
//! code under a key that only this installation has: native code from another source is never run. It is read into
//! memory first, not mapped, so the file may change afterwards. It is written to a temporary name and renamed.

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use wasmtime::Engine;
use wasmtime::component::Component;

use super::code_seal::{CodeSeal, MAC_BYTES};
use super::description::Digest;
use super::function_cache::FunctionCache;
use keyferry_types::bounded_file;
use keyferry_types::path_text::ShowPath as _;

/// Bytes of an entry that is read: more than the code of any component has.
const MOST: u64 = 256 * 1024 * 1024;

/// The folder of compiled code.
pub(super) struct CodeCache {
    folder: PathBuf,
    seal: CodeSeal,
    /// Compiled functions, for components that are not there as a whole.
    functions: Option<Arc<FunctionCache>>,
}

impl CodeCache {
    pub(super) fn new(folder: PathBuf, seal: CodeSeal, functions: Option<Arc<FunctionCache>>) -> Self {
        Self { folder, seal, functions }
    }

    /// The compiled form of a component: from the cache, or compiled now and put there.
    ///
    /// # Errors
    /// If the component does not compile. A cache that cannot be read or written only costs time.
    pub(super) fn component(&self, engine: &Engine, digest: &Digest, bytes: &[u8]) -> wasmtime::Result<Component> {
        let path = self.path(engine, digest);
        if let Some(component) = self.load(engine, digest, &path) {
            return Ok(component);
        }
        let component = match &self.functions {
            Some(functions) => functions.during(bytes.len(), || Component::new(engine, bytes))?,
            None => Component::new(engine, bytes)?,
        };
        match component
            .serialize()
            .map_err(|e| e.to_string())
            .and_then(|code| self.store(&path, digest, &code).map_err(|e| e.to_string()))
        {
            Ok(()) => {}
            Err(reason) => tracing::warn!(path = %path.shown(), reason, "compiled code was not cached"),
        }
        Ok(component)
    }

    fn path(&self, engine: &Engine, digest: &Digest) -> PathBuf {
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        self.folder.join(format!("{digest}-{:016x}.cwasm", hasher.finish()))
    }

    fn load(&self, engine: &Engine, digest: &Digest, path: &Path) -> Option<Component> {
        let entry = bounded_file::read_regular(path, MOST).ok()?.bytes;
        let (mac, code) = entry.split_at_checked(MAC_BYTES)?;
        if !bool::from(subtle::ConstantTimeEq::ct_eq(mac, self.mac(digest, code)?.as_slice())) {
            tracing::warn!(path = %path.shown(), "cached code is not from this installation; it is compiled anew");
            return None;
        }
        // SAFETY: `deserialize` asks for bytes that `Component::serialize` made. The code above checked a MAC over them
        // and the component's digest under a key that only this installation holds and that is used for nothing else,
        // and `store` is the only one that makes such a MAC, over what `serialize` returned. The bytes are in this
        // process's own memory, so they cannot change between the check and the use. A different runtime version is
        // refused by wasmtime itself, and has another file name.
        let component = unsafe { Component::deserialize(engine, code) };
        component.map_err(|error| tracing::debug!(%error, "cached code does not fit this host")).ok()
    }

    fn store(&self, path: &Path, digest: &Digest, code: &[u8]) -> std::io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        let mac = self.mac(digest, code).ok_or_else(|| std::io::Error::other("it could not be sealed"))?;
        file.write_all(&mac)?;
        file.write_all(code)?;
        file.persist(path)?;
        Ok(())
    }

    fn mac(&self, digest: &Digest, code: &[u8]) -> Option<[u8; 32]> {
        let mut message = Vec::with_capacity(32 + code.len());
        message.extend_from_slice(digest.as_bytes());
        message.extend_from_slice(code);
        (self.seal)(&message)
    }
}
