//! A power cut: of what a server has written, only what it has synced survives.
//!
//! A library that is loaded into the server (`tests/power/shim.c`) copies what a file holds into a shadow folder whenever the
//! file is synced, and no earlier. After a SIGKILL, the shadow is what a disk would hold that was cut off at that moment.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::or_fail::{OrFail as _, fail};
use crate::{binary, tools};

/// What a disk writes at once: of a larger write, a part may survive.
const SECTOR: usize = 512;

/// Which of the writes that were not synced survive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Survivors {
    /// None.
    None,
    /// Any sectors of them, in no order: what a disk may do that reorders.
    SomeSectors,
    /// None, and of those that `fdatasync` was called for none either: what a store does that answers before its writes are
    /// synced. Nothing can be promised then; this is how it is made sure that a loss would be noticed.
    NotEvenSynced,
}

/// Makes power cuts.
#[derive(Debug)]
pub struct PowerCut {
    shim: PathBuf,
    shadow: TempDir,
    survivors: Survivors,
}

impl PowerCut {
    /// Builds the library. `None` where there is no C compiler, after saying so; never in CI, where that is a failure.
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

    /// What the server has to be started with. What is in the folder already counts as synced.
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

    /// Puts what survived in the place of what was written.
    pub(super) fn restore(&self, data: &Path, random: &mut fastrand::Rng) {
        if self.survivors == Survivors::SomeSectors {
            let_some_survive(data, self.shadow.path(), random);
        }
        fs::remove_dir_all(data).or_fail("remove what was written");
        copy_all(self.shadow.path(), data);
    }

    /// Counts all that is in the folder as synced, after others have written there.
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

/// Where a file's shadow differs from the file, half of the sectors become the file's.
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
    written.read_to_end(&mut new).or_fail("read what was written");
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
