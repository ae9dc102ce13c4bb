//! The file of failed rows, written so that no file is lost that a person has edited.
//!
//! A file that was written here is recognised by its modification time, whose microseconds are taken from the content's
//! digest. Every later change sets another time. A file that is not recognised is left alone, and the next free name is taken.

use std::fs::{self, File, FileTimes};
use std::io::{self, Read as _, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;

/// Names that are tried for a file.
const MOST_NAMES: u32 = 1000;
const MICROS: u64 = 1_000_000;

/// The state of a file name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    Free,
    /// An import wrote the file, and it has not been changed since.
    Unchanged,
    /// Changed since an import wrote it, or not written by one.
    Changed,
}

/// A file that has not its final name yet.
pub(super) struct Draft {
    file: NamedTempFile,
    digest: Sha256,
}

impl Draft {
    /// In the folder of that path. Only its owner can read it.
    pub(super) fn beside(target: &Path) -> io::Result<Self> {
        let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let file = tempfile::Builder::new().prefix(".keyferry-").suffix(".tmp").tempfile_in(folder)?;
        Ok(Self { file, digest: Sha256::new() })
    }

    /// Renames the file to its target, or to the next free name. Returns its path.
    pub(super) fn publish(self, target: &Path) -> io::Result<PathBuf> {
        let Self { mut file, digest } = self;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let written = UNIX_EPOCH + Duration::from_secs(now) + Duration::from_micros(micros(digest));
        file.as_file().set_times(FileTimes::new().set_modified(written))?;
        file.as_file().sync_all()?;
        for number in 1..=MOST_NAMES {
            let path = numbered(target, number);
            match taken(&path) {
                Taken::Changed => {}
                Taken::Unchanged => return Ok(file.persist(&path).map(|_| path)?),
                Taken::Free => match file.persist_noclobber(&path) {
                    Ok(_) => return Ok(path),
                    Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => file = error.file,
                    Err(error) => return Err(error.error),
                },
            }
        }
        Err(io::Error::new(io::ErrorKind::AlreadyExists, "too many files of failed rows are there already"))
    }
}

impl Write for Draft {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.digest.update(bytes.get(..count).unwrap_or_default());
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// What became of files of failed rows that an earlier run has left.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Cleared {
    pub(super) removed: Vec<PathBuf>,
    /// Files that were changed since, and are kept.
    pub(super) kept: Vec<PathBuf>,
}

/// Removes the files that are or would be at these paths, unless they were changed.
pub(super) fn clear(targets: impl IntoIterator<Item = PathBuf>) -> io::Result<Cleared> {
    let mut cleared = Cleared::default();
    for target in targets {
        for number in 1..=MOST_NAMES {
            let path = numbered(&target, number);
            match taken(&path) {
                Taken::Free => break,
                Taken::Changed => cleared.kept.push(path),
                Taken::Unchanged => {
                    fs::remove_file(&path)?;
                    cleared.removed.push(path);
                }
            }
        }
    }
    Ok(cleared)
}

/// Inserts a number: `rows.csv.failures.csv` -> `rows.csv.failures.2.csv`
fn numbered(target: &Path, number: u32) -> PathBuf {
    if number == 1 {
        return target.to_owned();
    }
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let (name, sealed) = name.strip_suffix(".age").map_or((&*name, ""), |name| (name, ".age"));
    let name = match name.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() => format!("{stem}.{number}.{extension}{sealed}"),
        _ => format!("{name}.{number}{sealed}"),
    };
    target.with_file_name(name)
}

fn taken(path: &Path) -> Taken {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Taken::Free,
        Err(_) => return Taken::Changed,
    };
    if !metadata.is_file() {
        return Taken::Changed;
    }
    let changed = metadata.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    let (Some(changed), Ok(digest)) = (changed, digest(path)) else { return Taken::Changed };
    if u64::from(changed.subsec_micros()) == micros(digest) { Taken::Unchanged } else { Taken::Changed }
}

fn digest(path: &Path) -> io::Result<Sha256> {
    let (mut file, mut digest, mut buffer) = (File::open(path)?, Sha256::new(), vec![0; 64 * 1024]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(digest),
            count => digest.update(buffer.get(..count).unwrap_or_default()),
        }
    }
}

/// The microseconds that a content has, never zero: programs that set a time often leave them out.
fn micros(digest: Sha256) -> u64 {
    let digest: [u8; 32] = digest.finalize().into();
    let number = digest.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    number % (MICROS - 1) + 1
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn write(target: &Path, content: &str) -> PathBuf {
        let mut draft = Draft::beside(target).unwrap();
        draft.write_all(content.as_bytes()).unwrap();
        draft.publish(target).unwrap()
    }

    #[test]
    fn a_file_that_was_changed_is_neither_overwritten_nor_removed() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("rows.csv.failures.csv");
        let second = folder.path().join("rows.csv.failures.2.csv");
        assert_eq!(write(&target, "one"), target);
        assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(write(&target, "two"), target);
        fs::write(&target, "corrected").unwrap();
        assert_eq!(write(&target, "three"), second);
        assert_eq!(write(&target, "four"), second);
        assert_eq!((fs::read(&target).unwrap(), fs::read(&second).unwrap()), (b"corrected".to_vec(), b"four".to_vec()));
        let cleared = clear([target.clone(), folder.path().join("rows.csv.failures.json")]).unwrap();
        assert_eq!(cleared, Cleared { removed: vec![second.clone()], kept: vec![target.clone()] });
        assert!(target.exists() && !second.exists());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
    }

    #[test]
    fn the_same_content_that_was_saved_again_counts_as_changed() {
        let folder = tempfile::tempdir().unwrap();
        let target = write(&folder.path().join("f.csv"), "one");
        assert_eq!(taken(&target), Taken::Unchanged);
        fs::write(&target, "one").unwrap();
        assert_eq!(taken(&target), Taken::Changed);
        fs::create_dir(folder.path().join("folder")).unwrap();
        std::os::unix::fs::symlink(&target, folder.path().join("link")).unwrap();
        for name in ["folder", "link"] {
            assert_eq!(taken(&folder.path().join(name)), Taken::Changed);
        }
    }

    #[test]
    fn a_number_stands_before_the_extension() {
        for (name, second) in [
            ("a.csv.failures.csv", "a.csv.failures.2.csv"),
            ("a.csv.failures.csv.age", "a.csv.failures.2.csv.age"),
            ("failed", "failed.2"),
            (".failed", ".failed.2"),
        ] {
            assert_eq!(numbered(Path::new(name), 2), Path::new(second));
        }
    }
}
