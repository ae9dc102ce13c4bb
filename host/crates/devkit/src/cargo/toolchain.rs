use std::env;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Output;

use super::{TARGET, environment};
use crate::BuildError;

/// The Rust toolchain that a workspace is built with. It has the standard library for WebAssembly.
pub(crate) struct Toolchain {
    /// The folder of the standard library's sources, if they are installed.
    library: PathBuf,
    /// The compiler's name for that folder where the sources are not installed.
    library_name: String,
    /// The folder of cargo's copies of dependencies.
    cargo_home: Option<PathBuf>,
}

impl Toolchain {
    /// The toolchain that counts in a workspace's root folder. If it lacks the standard library for WebAssembly, rustup
    /// adds it.
    pub(crate) fn find(folder: &Path) -> Result<Self, BuildError> {
        let folders = rustc(folder, &["--print", "sysroot", "--print", "target-libdir", "--target", TARGET])?;
        let [sysroot, target] = folders.lines().collect::<Vec<_>>()[..] else {
            return Err(BuildError::UnknownOutput { command: "rustc --print sysroot", said: folders });
        };
        if !Path::new(target).is_dir() {
            add_target(folder)?;
        }
        let version = rustc(folder, &["-vV"])?;
        let commit = version.lines().find_map(|line| line.strip_prefix("commit-hash: ")).unwrap_or("unknown");
        Ok(Self {
            library: Path::new(sysroot).join("lib/rustlib/src/rust"),
            library_name: format!("/rustc/{commit}"),
            cargo_home: cargo_home(),
        })
    }

    /// Folders, and the names that replace them in a module.
    pub(super) fn folders(&self) -> impl Iterator<Item = (&Path, String)> {
        let cargo_home = self.cargo_home.as_deref().map(|folder| (folder, "/cargo".to_owned()));
        [(self.library.as_path(), self.library_name.clone())].into_iter().chain(cargo_home)
    }

    #[cfg(test)]
    pub(super) fn for_tests() -> Self {
        Self { library: "/lib".into(), library_name: "/rustc/0".to_owned(), cargo_home: Some("/home/.cargo".into()) }
    }
}

fn rustc(folder: &Path, arguments: &[&str]) -> Result<String, BuildError> {
    let output = environment::command("rustc", folder).args(arguments).output();
    let output = output.map_err(|source| BuildError::NoRust { program: "rustc", source })?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
    } else {
        Err(BuildError::UnknownOutput { command: "rustc", said: said(&output) })
    }
}

/// Has rustup add the target to the toolchain that counts in a folder.
fn add_target(folder: &Path) -> Result<(), BuildError> {
    let no_target = |said, remedy| Err(BuildError::NoTarget { said, remedy });
    match environment::command("rustup", folder).args(["target", "add", TARGET]).output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => no_target(said(&output), "Run `rustup target add wasm32-unknown-unknown` in the plugin's folder"),
        Err(error) if error.kind() == io::ErrorKind::NotFound => no_target(
            "there is no rustup".to_owned(),
            "Install your distribution's package of the Rust standard library for wasm32-unknown-unknown, or Rust from https://rustup.rs",
        ),
        Err(error) => {
            no_target(error.to_string(), "Run `rustup target add wasm32-unknown-unknown` in the plugin's folder")
        }
    }
}

/// The last line that a tool wrote to standard error: the one that says what went wrong.
fn said(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it gave no reason").trim().to_owned()
}

/// As cargo finds it: <https://doc.rust-lang.org/cargo/guide/cargo-home.html>.
fn cargo_home() -> Option<PathBuf> {
    env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| Some(env::home_dir()?.join(".cargo")))
}
