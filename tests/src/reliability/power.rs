//! A power cut: of a server's writes, only the synced ones survive.
//!
//! A library that is loaded into the server (`tests/power/shim.c`) copies a file's content into a shadow folder
//! whenever the file is synced, and no earlier. After a SIGKILL, the shadow is the content of a disk that lost power at
//! that moment.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::or_fail::{OrFail as _, fail};
use crate::{binary, tools};

/// The unit that a disk writes atomically: a part of a larger write may survive.
const SECTOR: usize = 512;

/// Which unsynced writes survive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Survivors {
    /// None.
    None,
    /// Any sectors of them, in no order, as on a disk that reorders writes.
    SomeSectors,
    /// None, and `fdatasync` does not count either, as in a store that acknowledges before its writes are synced. Such
    /// a store loses data; this mode proves that the test detects a loss.
    NotEvenSynced,
}

/// Simulates power cuts.
#[derive(Debug)]
pub struct PowerCut {
    shim: PathBuf,
    shadow: TempDir,
    survivors: Survivors,
}

impl PowerCut {
    /// Builds the library. `None` where there is no C compiler, after printing so; in CI that is a failure.
    pub fn new(survivors: Survivors) -> Option<Self> {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("power/shim.c");
        let shim = binary::target().join("power-shim.so");
        let _lock = binary::lock("power-shim.lock");
        let mut compiler = Command::new("cc");
        compiler
            .args(["-shared", "-fPIC", "-O2", "-Wall", "-Werror", "-o"])
            .arg(&shim)
            .arg(&source)
            .args(["-ldl", "-lpthread"]);
        let Ok(built) = compiler.output() else {
            tools::skip("there is no C compiler");
            return None;
        };
        if !built.status.success() {
            fail(format_args!("{} does not compile: {}", source.display(), String::from_utf8_lossy(&built.stderr)));
        }
        Some(Self { shim, shadow: TempDir::new().or_fail("make a folder for the shadow"), survivors })
    }

    /// The environment of the server. The present content of the folder counts as synced.
    pub(super) fn environment(&self, data: &Path) -> Vec<(String, String)> {
        copy_all(data, self.shadow.path());
        let lies =
            (self.survivors == Survivors::NotEvenSynced).then(|| ("KEYFERRY_SHIM_LIES".to_owned(), "1".to_owned()));
        let mut environment = vec![
            ("LD_PRELOAD".to_owned(), self.shim.display().to_string()),
            ("KEYFERRY_SHIM_ROOT".to_owned(), data.display().to_string()),
            ("KEYFERRY_SHIM_SHADOW".to_owned(), self.shadow.path().display().to_string()),
        ];
        environment.extend(lies);
        environment
    }

    /// Replaces the written data with the surviving data.
    pub(super) fn restore(&self, data: &Path, random: &mut fastrand::Rng) {
        if self.survivors == Survivors::SomeSectors {
            let_some_survive(data, self.shadow.path(), random);
        }
        fs::remove_dir_all(data).or_fail("remove the written data");
        copy_all(self.shadow.path(), data);
    }

    /// Counts the whole content of the folder as synced, after other processes have written there.
    pub(super) fn accept(&self, data: &Path) {
        fs::remove_dir_all(self.shadow.path()).or_fail("empty the shadow");
        copy_all(data, self.shadow.path());
    }
}

fn copy_all(from: &Path, to: &Path) {
    fs::create_dir_all(to).or_fail(format_args!("make {}", to.display()));
    let mode = fs::metadata(from).or_fail("look at a folder").permissions();
    fs::set_permissions(to, mode).or_fail("set the folder's mode");
    for entry in fs::read_dir(from).or_fail(format_args!("list {}", from.display())) {
        let entry = entry.or_fail("list a folder");
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().or_fail("look at a file");
        if kind.is_dir() {
            copy_all(&path, &target);
        } else if kind.is_file() {
            fs::copy(&path, &target).or_fail(format_args!("copy {}", path.display()));
        }
    }
}

/// Where a file differs from its shadow, copies half of the sectors into the shadow.
fn let_some_survive(written: &Path, shadow: &Path, random: &mut fastrand::Rng) {
    for entry in fs::read_dir(shadow).or_fail("list the shadow") {
        let entry = entry.or_fail("list the shadow");
        let (synced, path) = (entry.path(), written.join(entry.file_name()));
        if synced.is_dir() {
            let_some_survive(&path, &synced, random);
        } else if let (Ok(file), Ok(shadow)) = (File::open(&path), File::options().read(true).write(true).open(&synced))
        {
            mix(file, shadow, random);
        }
    }
}

fn mix(mut written: File, mut shadow: File, random: &mut fastrand::Rng) {
    let (mut new, mut old) = (Vec::new(), Vec::new());
    written.read_to_end(&mut new).or_fail("read the written file");
    shadow.read_to_end(&mut old).or_fail("read the shadow");
    for (number, sector) in new.chunks(SECTOR).enumerate() {
        let at = number * SECTOR;
        let known = old.get(at..(at + sector.len()).min(old.len())).unwrap_or_default();
        if known != sector && random.bool() {
            shadow.seek(SeekFrom::Start(at as u64)).or_fail("seek in the shadow");
            shadow.write_all(sector).or_fail("write to the shadow");
        }
    }
}
