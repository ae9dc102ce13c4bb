//! The guests, built from the sources beside this crate.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use wit_component::ComponentEncoder;

use crate::outcome::{Outcome, Tried as _};

const TARGET: &str = "wasm32-unknown-unknown";
/// Variables that an outer `cargo run` sets and that would change the build of the guests.
const FOREIGN: [&str; 2] = ["CARGO", "RUSTFLAGS"];

/// The bytes of the two guests.
pub(super) struct Guests {
    /// A component of Keyferry's contract.
    pub(super) component: Vec<u8>,
    /// A module for Extism.
    pub(super) extism: Vec<u8>,
}

impl Guests {
    /// Builds the guests where they are out of date. Cargo's messages go to standard error.
    pub(super) fn build() -> Outcome<Self> {
        let module = module("component", "keyferry_bench_guest.wasm")?;
        let mut encoder = ComponentEncoder::default();
        let encoder = encoder.validate(true).module(&module);
        let component = encoder.and_then(|mut encoder| encoder.encode()).tried("make a component of the guest")?;
        Ok(Self { component, extism: module_of_extism()? })
    }
}

fn module_of_extism() -> Outcome<Vec<u8>> {
    module("extism", "keyferry_bench_guest_extism.wasm")
}

fn module(folder: &str, file: &str) -> Outcome<Vec<u8>> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("guests").join(folder);
    let target = target_folder()?;
    let mut cargo = Command::new("cargo");
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name != "CARGO_HOME" && FOREIGN.iter().any(|foreign| name.starts_with(foreign)) {
            cargo.env_remove(&*name);
        }
    }
    cargo.args(["build", "--release", "--locked", "--target", TARGET, "--target-dir"]).arg(&target);
    let status = cargo.current_dir(&source).status().tried("start cargo")?;
    if !status.success() {
        return Err(format!("cannot build the guest in {}: cargo says why above", source.display()).into());
    }
    let built = target.join(TARGET).join("release").join(file);
    fs::read(&built).tried(format_args!("read {}", built.display()))
}

/// The target folder in which this program was built.
fn target_folder() -> Outcome<PathBuf> {
    let program = std::env::current_exe().tried("find this program's file")?;
    program.parent().map(|folder| folder.join("bench-guests")).tried("find this program's folder")
}
