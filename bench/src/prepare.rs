//! Builds the servers before any measurement.

use std::env;
use std::error::Error;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use keyferry_tests::{binary, plugins};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The variable with the path of a built binary, which the harness of the tests reads.
const KEYFERRY_BIN: &str = "KEYFERRY_BIN";

/// The root folder of the repository.
pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Builds the server from the same packages as this program, so that nothing is built twice, and starts this
/// program again with the binary's path in the environment. Returns at once in the restarted program.
pub(crate) fn server_is_built() -> Result<(), Box<dyn Error>> {
    if env::var_os(KEYFERRY_BIN).is_some() {
        return Ok(());
    }
    if cfg!(debug_assertions) {
        return Err(
            "figures of a debug build mean nothing; run it as `cargo run --profile dist -p keyferry-bench -- ...`"
                .into(),
        );
    }
    println!("building the server");
    let status = cargo()
        .args(["build", "--profile", "dist", "-p", "keyferry", "-p", "keyferry-bench", "--target-dir"])
        .arg(binary::target())
        .current_dir(workspace())
        .status()
        .map_err(|error| format!("run cargo to build the server: {error}"))?;
    if !status.success() {
        return Err(format!("the server was not built: cargo ended with {status}").into());
    }
    let server = binary::target().join("dist").join("keyferry");
    Err(Command::new(env::current_exe()?).args(env::args_os().skip(1)).env(KEYFERRY_BIN, server).exec().into())
}

/// Cargo: the one that runs this program, if any.
pub(crate) fn cargo() -> Command {
    binary::command(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Builds the component that sends no request.
pub(crate) fn quiet_plugin() -> Result<Vec<u8>, Box<dyn Error>> {
    let out = binary::target().join("bench-plugins");
    plugins::build("../bench/quiet", &out);
    let file = out.join("quiet.wasm");
    Ok(std::fs::read(&file).map_err(|error| format!("read {}: {error}", file.display()))?)
}

/// Raises the limit of open files as far as the system allows, for this process and those that it starts.
pub(crate) fn raise_open_files() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // If the limit stays, opening more connections fails with its own error.
    let _best_effort = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}
