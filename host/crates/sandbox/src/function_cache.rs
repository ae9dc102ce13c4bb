//! Compiled functions kept on disk, so that of a component only what is new is compiled.
//!
//! A plugin in JavaScript or Python is mostly its language's engine, whose functions are the same in the author's next build and in
//! every other plugin of that language. The compiler asks for each function by a hash of its code, of the machine's features and of
//! its own version.
//!
//! What one compilation adds is a file. It holds a message authentication code under the key of the [cache](super::cache) of
//! components, over a context of its own, for the same reason: native code from another source is never run.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use parking_lot::{Mutex, RwLock};
use wasmtime::CacheStore;

use super::code_seal::{CodeSeal, MAC_BYTES};
use keyferry_types::bounded_file;
use keyferry_types::path_text::ShowPath as _;

/// Bytes of all files together; the oldest are removed. The engines of both languages have about half of it.
const MOST: u64 = 384 * 1024 * 1024;
/// Bytes of a component from which it is worth to read the functions that are there.
const LARGE_COMPONENT: usize = 2 * 1024 * 1024;
const EXTENSION: &str = "functions";
/// Begins what is authenticated. As long as a digest, which begins that of a component.
const CONTEXT: &[u8; 32] = b"keyferry: compiled functions, v1";

type Key = [u8; 32];

/// The folder of compiled functions.
pub(super) struct FunctionCache {
    folder: PathBuf,
    seal: CodeSeal,
    /// Held by the compilation that reads and writes the folder.
    turn: Mutex<()>,
    functions: RwLock<Functions>,
}

/// The functions in memory, while a component is compiled.
#[derive(Default)]
struct Functions {
    is_open: bool,
    known: HashMap<Key, Vec<u8>>,
    /// Those that are compiled now, as they are written.
    new: Vec<u8>,
}

impl FunctionCache {
    pub(super) fn new(folder: PathBuf, seal: CodeSeal) -> Self {
        Self { folder, seal, turn: Mutex::default(), functions: RwLock::default() }
    }

    /// Compiles a component of that size with the functions that are there, and keeps those that are new. A folder that cannot be read
    /// or written only costs time.
    pub(super) fn during<T>(&self, size: usize, compile: impl FnOnce() -> T) -> T {
        // Another compilation of this process can be the one whose threads this one runs on: it must not be waited for.
        let Some(_turn) = self.turn.try_lock().filter(|_| size >= LARGE_COMPONENT) else { return compile() };
        // That of another process is waited for: it is likely to be of the same language.
        let _lock = self.lock().inspect_err(|error| tracing::debug!(%error, "compiled functions are not locked"));
        *self.functions.write() = Functions { is_open: true, known: self.load(), new: Vec::new() };
        let compiled = compile();
        let Functions { new, .. } = std::mem::take(&mut *self.functions.write());
        if !new.is_empty()
            && let Err(error) = self.store(&new)
        {
            tracing::warn!(folder = %self.folder.shown(), %error, "compiled functions were not cached");
        }
        compiled
    }

    fn lock(&self) -> std::io::Result<File> {
        fs::create_dir_all(&self.folder)?;
        let file = File::create(self.folder.join("functions.lock"))?;
        file.lock()?;
        Ok(file)
    }

    /// The files, newest first, with their sizes.
    fn files(&self) -> Vec<(PathBuf, u64)> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let mut files: Vec<(SystemTime, PathBuf, u64)> = entries
            .filter(|entry| entry.path().extension().is_some_and(|extension| extension == EXTENSION))
            .filter_map(|entry| entry.metadata().ok().map(|meta| (meta, entry.path())))
            .filter_map(|(meta, path)| Some((meta.modified().ok()?, path, meta.len())))
            .collect();
        files.sort_by(|(one, ..), (other, ..)| other.cmp(one));
        files.into_iter().map(|(_, path, bytes)| (path, bytes)).collect()
    }

    fn load(&self) -> HashMap<Key, Vec<u8>> {
        let mut known = HashMap::new();
        let mut left = MOST;
        for (path, bytes) in self.files() {
            let Some(rest) = left.checked_sub(bytes) else { break };
            left = rest;
            match self.read(&path) {
                Some(functions) => known.extend(functions),
                None => {
                    tracing::warn!(path = %path.shown(), "compiled functions are not from this installation; they are not used")
                }
            }
        }
        known
    }

    fn read(&self, path: &Path) -> Option<Vec<(Key, Vec<u8>)>> {
        let file = bounded_file::read_regular(path, MOST).ok()?.bytes;
        let (mac, functions) = file.split_at_checked(MAC_BYTES)?;
        if !bool::from(subtle::ConstantTimeEq::ct_eq(mac, self.mac(functions)?.as_slice())) {
            return None;
        }
        parse(functions)
    }

    fn store(&self, functions: &[u8]) -> std::io::Result<()> {
        let mac = self.mac(functions).ok_or_else(|| std::io::Error::other("they could not be sealed"))?;
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        file.write_all(&mac)?;
        file.write_all(functions)?;
        file.persist(self.folder.join(format!("{}.{EXTENSION}", hex::encode(mac))))?;
        let mut left = MOST;
        for (path, bytes) in self.files() {
            match left.checked_sub(bytes) {
                Some(rest) => left = rest,
                None => fs::remove_file(path)?,
            }
        }
        Ok(())
    }

    fn mac(&self, functions: &[u8]) -> Option<[u8; 32]> {
        (self.seal)(&[CONTEXT.as_slice(), functions].concat())
    }
}

/// A key, the length of the code in four bytes, and the code, one function after another.
fn parse(mut functions: &[u8]) -> Option<Vec<(Key, Vec<u8>)>> {
    let mut parsed = Vec::new();
    while let Some((key, rest)) = functions.split_first_chunk::<32>() {
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let (code, rest) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
        parsed.push((*key, code.to_vec()));
        functions = rest;
    }
    functions.is_empty().then_some(parsed)
}

impl CacheStore for FunctionCache {
    fn get(&self, key: &[u8]) -> Option<Cow<'_, [u8]>> {
        self.functions.read().known.get(key).map(|code| Cow::Owned(code.clone()))
    }

    fn insert(&self, key: &[u8], code: Vec<u8>) -> bool {
        let mut functions = self.functions.write();
        let (true, 32, Ok(length)) = (functions.is_open, key.len(), u32::try_from(code.len())) else { return false };
        for part in [key, &length.to_le_bytes(), &code] {
            functions.new.extend_from_slice(part);
        }
        true
    }
}

impl std::fmt::Debug for FunctionCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FunctionCache").field("folder", &self.folder).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn cache(folder: &Path, key: u8) -> FunctionCache {
        let seal: CodeSeal = Arc::new(move |bytes| {
            let sum =
                bytes.iter().fold(u64::from(key), |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(*byte)));
            let mut mac = [key; 32];
            mac[..8].copy_from_slice(&sum.to_le_bytes());
            Some(mac)
        });
        FunctionCache::new(folder.to_owned(), seal)
    }

    #[test]
    fn what_one_compilation_adds_is_there_for_the_next_one_of_this_installation_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = ([1_u8; 32], [2_u8; 32]);
        let first = cache(folder.path(), 7);
        first.during(LARGE_COMPONENT, || {
            assert!(first.get(&one).is_none());
            assert!(first.insert(&one, vec![10, 11]) && first.insert(&other, Vec::new()));
        });
        assert!(first.get(&one).is_none() && !first.insert(&one, vec![12]), "nothing is kept between compilations");
        let found = |cache: &FunctionCache| {
            cache.during(LARGE_COMPONENT, || [one, other].map(|key| cache.get(&key).map(Cow::into_owned)))
        };
        assert_eq!(found(&cache(folder.path(), 7)), [Some(vec![10, 11]), Some(Vec::new())]);
        assert_eq!(found(&cache(folder.path(), 8)), [None, None], "of another installation");
        let small = cache(folder.path(), 7);
        small.during(LARGE_COMPONENT - 1, || assert!(small.get(&one).is_none()));
        let (file, _) = small.files().remove(0);
        let mut bytes = fs::read(&file).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&file, bytes).unwrap();
        assert_eq!(found(&small), [None, None], "changed since");
    }

    #[test]
    fn a_file_that_ends_within_a_function_has_none() {
        let mut functions = [vec![1; 32], vec![2, 0, 0, 0], vec![5, 6]].concat();
        assert_eq!(parse(&functions).unwrap(), [([1; 32], vec![5, 6])]);
        assert!(parse(&[]).unwrap().is_empty());
        functions.pop();
        assert!(parse(&functions).is_none() && parse(&functions[..33]).is_none());
    }
}
