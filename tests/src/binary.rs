//! The subject of the tests: the binary and the shipped plugins, each built once.

use std::env;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::or_fail::{OrFail as _, fail};

/// The built binary: `KEYFERRY_BIN` where that is set, otherwise built now, in the profile and the target folder that
/// the running test was built in.
pub fn keyferry() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| env::var_os("KEYFERRY_BIN").map_or_else(build_binary, PathBuf::from))
}

/// A folder with the components of all shipped plugins: `KEYFERRY_PLUGINS` where that is set, otherwise built now.
/// All tests share it: a test that changes a file works on a copy ([`copy_plugins`]).
pub fn plugins() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| env::var_os("KEYFERRY_PLUGINS").map_or_else(build_plugins, PathBuf::from))
}

/// The folder that cargo builds into.
pub fn target() -> PathBuf {
    Layout::current().target
}

/// The slugs of all shipped plugins, by name.
pub fn slugs() -> Vec<String> {
    let entries = fs::read_dir(workspace().join("plugins")).or_fail("list the plugins");
    let folders = entries.map(|entry| entry.or_fail("list the plugins").path());
    let slug = |folder: PathBuf| Some(folder.file_name()?.to_str()?.to_owned());
    let mut slugs: Vec<_> = folders.filter(|folder| folder.join("cases").is_dir()).filter_map(slug).collect();
    slugs.sort();
    slugs
}

/// Puts the plugins of the demo's four apps into a folder, which is made if need be.
pub fn copy_plugins(to: &Path) {
    copy(["hubspot", "netsuite", "slack", "stripe"], to);
}

/// Puts the plugins of these slugs into a folder, which is made if need be.
pub fn copy<S: AsRef<str>>(slugs: impl IntoIterator<Item = S>, to: &Path) {
    fs::create_dir_all(to).or_fail(format_args!("make {}", to.display()));
    for slug in slugs {
        let file = format!("{}.wasm", slug.as_ref());
        fs::copy(plugins().join(&file), to.join(&file)).or_fail(format_args!("copy {file}"));
    }
}

/// Where the running test was built.
#[derive(Debug, PartialEq, Eq)]
struct Layout {
    target: PathBuf,
    profile: String,
}

impl Layout {
    /// From the path of a test executable, `TARGET/PROFILE/deps/NAME-HASH`.
    fn of(executable: &Path) -> Option<Self> {
        let deps = executable.parent()?;
        let profile = if deps.file_name() == Some(OsStr::new("deps")) { deps.parent()? } else { deps };
        Some(Self { target: profile.parent()?.to_owned(), profile: profile.file_name()?.to_str()?.to_owned() })
    }

    fn here() -> Option<Self> {
        Self::of(&env::current_exe().ok()?)
    }

    fn current() -> Self {
        let executable = env::current_exe().or_fail("find the running test");
        Self::of(&executable).or_fail(format_args!("the target folder of {}", executable.display()))
    }

    /// Cargo's name of the profile, whose folder is named otherwise in one case.
    fn cargo_profile(&self) -> &str {
        if self.profile == "debug" { "dev" } else { &self.profile }
    }

    fn binary(&self) -> PathBuf {
        self.target.join(&self.profile).join(format!("keyferry{}", env::consts::EXE_SUFFIX))
    }

    /// Held while something is built that other test processes build, too. Released when dropped.
    fn lock(&self, name: &str) -> File {
        let path = self.target.join(name);
        let file = File::create(&path).or_fail(format_args!("make {}", path.display()));
        file.lock().or_fail(format_args!("lock {}", path.display()));
        file
    }
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn build_binary() -> PathBuf {
    let layout = Layout::current();
    let _lock = layout.lock("test-binary.lock");
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    quietly(
        // The whole workspace, so that features are resolved as they were for the tests and nothing is built twice.
        command(cargo)
            .args(["build", "--workspace", "--bin", "keyferry", "--profile", layout.cargo_profile(), "--target-dir"])
            .arg(&layout.target)
            .current_dir(workspace()),
    );
    layout.binary()
}

fn build_plugins() -> PathBuf {
    let binary = keyferry();
    let layout = Layout::current();
    let _lock = layout.lock("test-plugins.lock");
    let out = layout.target.join("test-plugins");
    quietly(command(binary).args(["plugin", "build", "--all", "--out"]).arg(&out).current_dir(workspace()));
    out
}

/// Held while something is made in the target folder that other test processes make, too. Released when dropped.
pub fn lock(name: &str) -> File {
    Layout::current().lock(name)
}

/// A command without what `cargo test` put into the environment about the test's own package. Build scripts ask to be
/// run again when those variables change (ring's does), so a cargo that saw them would rebuild half of the workspace,
/// and the next one outside of a test again.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        let of_a_package = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "DEP_"].iter().any(|p| text.starts_with(p));
        // The binary would warn about these variables.
        let of_tests =
            ["KEYFERRY_BIN", "KEYFERRY_TESTS", "KEYFERRY_TEST_SEED", "KEYFERRY_WRITE_EXAMPLES"].contains(&&*text);
        if of_tests
            || of_a_package
            || ["CARGO_CRATE_NAME", "CARGO_PRIMARY_PACKAGE", "CARGO_TARGET_TMPDIR"].contains(&&*text)
        {
            command.env_remove(&name);
        }
    }
    // Artefacts of tests are cached in the target folder, not in the user's own cache.
    if let Some(target) = Layout::here() {
        command.env("XDG_CACHE_HOME", target.target.join("test-cache"));
    }
    command
}

/// Runs a command whose output is of interest only where it fails.
fn quietly(command: &mut Command) {
    let output = command.output().or_fail(format_args!("start {command:?}"));
    if !output.status.success() {
        fail(format_args!(
            "{command:?} ended with {}\n{}{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_target_folder_and_profile_of_a_test() {
        for (executable, target, profile, cargo_profile) in [
            ("/w/target/debug/deps/contract-0f", "/w/target", "debug", "dev"),
            ("/w/target/release/deps/contract-0f", "/w/target", "release", "release"),
            ("/elsewhere/ci/examples", "/elsewhere", "ci", "ci"),
        ] {
            let layout = Layout::of(Path::new(executable)).unwrap();
            assert_eq!((layout.target.as_path(), layout.profile.as_str()), (Path::new(target), profile));
            assert_eq!(layout.cargo_profile(), cargo_profile);
        }
    }

    #[test]
    fn a_command_knows_nothing_of_the_package_under_test() {
        assert!(env::var_os("CARGO_PKG_NAME").is_some(), "run by cargo");
        let output = command("sh").args(["-c", "echo \"[$CARGO_PKG_NAME$CARGO_MANIFEST_DIR]$PATH\""]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.starts_with("[]") && text.trim() != "[]", "{text}");
    }

    #[test]
    #[should_panic(expected = "to be seen")]
    fn a_command_that_fails_shows_what_it_said() {
        quietly(Command::new("sh").args(["-c", "echo to be seen >&2; exit 3"]));
    }
}
