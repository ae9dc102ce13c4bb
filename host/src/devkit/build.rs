//! Builds plugin crates: cargo makes a core module, `wit-component` makes the component.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use sha2::Digest as _;
use std::io::Write as _;

const TARGET: &str = "wasm32-unknown-unknown";

/// One component that was built.
#[derive(Debug)]
pub struct BuiltPlugin {
    /// Where it lies.
    pub file: PathBuf,
    /// Its size.
    pub bytes: usize,
    /// Its SHA-256 in hex, as grants name it.
    pub sha256: String,
}

/// Why a plugin was not built.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum BuildError {
    #[error("cannot run `{program}`: {source}; install Rust from https://rustup.rs")]
    Program { program: &'static str, source: std::io::Error },
    #[error("cargo could not read {}: {message}", folder.display())]
    Metadata { folder: PathBuf, message: String },
    #[error("{} has no library of the kind `cdylib`; a plugin's Cargo.toml says `crate-type = [\"cdylib\"]`", folder.display())]
    NotAPlugin { folder: PathBuf },
    #[error("no plugin crates are in the workspace at {}", folder.display())]
    NoPlugins { folder: PathBuf },
    #[error(
        "the Rust target {TARGET} is missing and could not be added; run `rustup target add {TARGET}` with a network"
    )]
    Target,
    #[error("the build failed; cargo's messages are above")]
    Cargo,
    #[error("{crate_name} is not a plugin component: {message}")]
    Component { crate_name: String, message: String },
    #[error("cannot use {}: {source}", path.display())]
    Io { path: PathBuf, source: std::io::Error },
}

/// The folders of the plugin crates of the workspace around a folder: its `cdylib`s under `plugins/`.
///
/// # Errors
/// Where there is no workspace, or none in it.
pub fn workspace_plugins(folder: &Path) -> Result<Vec<PathBuf>, BuildError> {
    let metadata = metadata(folder)?;
    let root = metadata.get("workspace_root").and_then(Value::as_str).map(|root| Path::new(root).join("plugins"));
    let shipped = |folder: &PathBuf| root.as_ref().is_some_and(|root| folder.starts_with(root));
    let crates = packages(&metadata).filter(|package| cdylib(package).is_some()).filter_map(folder_of);
    let folders: Vec<PathBuf> = crates.filter(shipped).collect();
    if folders.is_empty() { Err(BuildError::NoPlugins { folder: folder.to_owned() }) } else { Ok(folders) }
}

/// Builds the crates in these folders and puts `<slug>.wasm` of each into `out`. Paths are taken out of the binaries, so
/// the same source gives the same bytes wherever it lies.
///
/// # Errors
/// What is missing, or what went wrong; cargo's own messages go to stderr.
pub fn build(folders: &[PathBuf], out: &Path) -> Result<Vec<BuiltPlugin>, BuildError> {
    ensure_target()?;
    std::fs::create_dir_all(out).map_err(|source| BuildError::Io { path: out.to_owned(), source })?;
    folders.iter().map(|folder| build_one(folder, out)).collect()
}

fn build_one(folder: &Path, out: &Path) -> Result<BuiltPlugin, BuildError> {
    let folder = std::path::absolute(folder).map_err(|source| BuildError::Io { path: folder.to_owned(), source })?;
    let not_a_plugin = || BuildError::NotAPlugin { folder: folder.clone() };
    let metadata = metadata(&folder)?;
    let package = packages(&metadata).find(|p| folder_of(p).as_deref() == Some(&folder)).ok_or_else(not_a_plugin)?;
    let library = cdylib(package).ok_or_else(not_a_plugin)?;
    let name = package.get("name").and_then(Value::as_str).unwrap_or_default();
    let text = |key: &str| metadata.get(key).and_then(Value::as_str).unwrap_or_default();
    let target_dir = Path::new(text("target_directory")).join("plugins");
    let home = std::env::var("CARGO_HOME")
        .or_else(|_| std::env::var("HOME").map(|home| format!("{home}/.cargo")))
        .unwrap_or_default();
    let flags = [
        format!("--remap-path-prefix={}=/workspace", text("workspace_root")),
        format!("--remap-path-prefix={home}=/cargo"),
    ];
    let status = clean("cargo")
        .args(["build", "--release", "--target", TARGET, "--package", name])
        .args(["--config", "profile.release.opt-level=\"s\"", "--config", "profile.release.lto=true"])
        .args(["--config", "profile.release.codegen-units=1", "--config", "profile.release.strip=true"])
        .args(["--config", "profile.release.panic=\"abort\""])
        .arg("--target-dir")
        .arg(&target_dir)
        .current_dir(&folder)
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"))
        // Stdout is for results; cargo's progress is on stderr anyway.
        .stdout(Stdio::null())
        .status()
        .map_err(|source| BuildError::Program { program: "cargo", source })?;
    if !status.success() {
        return Err(BuildError::Cargo);
    }
    let module_path = target_dir.join(TARGET).join("release").join(format!("{}.wasm", library.replace('-', "_")));
    let module = std::fs::read(&module_path).map_err(|source| BuildError::Io { path: module_path, source })?;
    let component = wit_component::ComponentEncoder::default()
        .module(&module)
        .and_then(|encoder| encoder.validate(true).encode())
        .map_err(|error| BuildError::Component { crate_name: name.to_owned(), message: format!("{error:#}") })?;
    let file = out.join(format!("{}.wasm", name.strip_prefix("keyferry-").unwrap_or(name)));
    write(out, &file, &component).map_err(|source| BuildError::Io { path: file.clone(), source })?;
    let sha256 = hex::encode(sha2::Sha256::digest(&component));
    Ok(BuiltPlugin { file, bytes: component.len(), sha256 })
}

/// A file that is the same is left alone: a server that watches the folder has nothing to do then.
fn write(folder: &Path, file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    if std::fs::read(file).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    let mut temporary = tempfile::NamedTempFile::new_in(folder)?;
    temporary.write_all(bytes)?;
    temporary.persist(file)?;
    Ok(())
}

fn metadata(folder: &Path) -> Result<Value, BuildError> {
    let output = clean("cargo")
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .current_dir(folder)
        .output()
        .map_err(|source| BuildError::Program { program: "cargo", source })?;
    let fault = |message: String| BuildError::Metadata { folder: folder.to_owned(), message };
    if !output.status.success() {
        return Err(fault(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| fault(error.to_string()))
}

fn packages(metadata: &Value) -> impl Iterator<Item = &Value> {
    metadata.get("packages").and_then(Value::as_array).into_iter().flatten()
}

fn folder_of(package: &Value) -> Option<PathBuf> {
    Path::new(package.get("manifest_path")?.as_str()?).parent().map(Path::to_owned)
}

/// The name of a package's `cdylib`, if it has one.
fn cdylib(package: &Value) -> Option<&str> {
    let targets = package.get("targets")?.as_array()?;
    let is_cdylib = |t: &&Value| {
        t.get("crate_types").and_then(Value::as_array).is_some_and(|kinds| kinds.iter().any(|kind| kind == "cdylib"))
    };
    targets.iter().find(is_cdylib)?.get("name")?.as_str()
}

fn ensure_target() -> Result<(), BuildError> {
    let sysroot = clean("rustc")
        .args(["--print", "sysroot"])
        .output()
        .map_err(|source| BuildError::Program { program: "rustc", source })?;
    let sysroot = PathBuf::from(String::from_utf8_lossy(&sysroot.stdout).trim().to_owned());
    if sysroot.join("lib/rustlib").join(TARGET).join("lib").is_dir() {
        return Ok(());
    }
    let added = clean("rustup").args(["target", "add", TARGET]).stdout(Stdio::null()).status();
    if added.is_ok_and(|status| status.success()) { Ok(()) } else { Err(BuildError::Target) }
}

/// A command without what cargo sets for its own children: build scripts would see it and build again.
fn clean(program: &str) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let ours =
            text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST") || text.starts_with("CARGO_BIN");
        if ours || matches!(&*text, "CARGO_CRATE_NAME" | "CARGO_PRIMARY_PACKAGE" | "OUT_DIR" | "RUSTFLAGS") {
            command.env_remove(&name);
        }
    }
    command
}
