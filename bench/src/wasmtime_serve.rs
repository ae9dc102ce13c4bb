//! `wasmtime serve` with a component that responds to every request with the same bytes: the usual way to serve HTTP
//! from components.

use std::error::Error;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use keyferry_tests::binary;
use wit_component::ComponentEncoder;

use crate::prepare::cargo;
use crate::server_process::ServerProcess;

/// The same version as the server's own runtime.
pub(crate) const VERSION: &str = "48.0.8";
/// Of the program's default features, those that serving and its speed depend on: without tools for components, other
/// compilers, and interfaces that no component here imports.
const FEATURES: &str =
    "run,compile,cranelift,serve,pooling-allocator,parallel-compilation,component-model-async,clap/default";
const TARGET: &str = "wasm32-unknown-unknown";
/// The timeout of a start, compilation included.
const PATIENCE: Duration = Duration::from_secs(60);
/// The interval of polling.
const POLL: Duration = Duration::from_millis(20);

/// Starts one with default settings, with a component that is written into the folder.
pub(crate) fn start(folder: &Path) -> Result<ServerProcess, Box<dyn Error>> {
    let program = installed()?;
    let component = folder.join("hello.wasm");
    fs::write(&component, hello()?)?;
    // Its output goes into a file: a full pipe without a reader would block it.
    let log = folder.join("wasmtime-serve.log");
    let child = Command::new(&program)
        .args(["serve", "--addr", "127.0.0.1:0"])
        .arg(&component)
        .stdin(Stdio::null())
        .stderr(fs::File::create(&log)?)
        .spawn()
        .map_err(|error| format!("start {}: {error}", program.display()))?;
    let began = Instant::now();
    loop {
        let said = fs::read_to_string(&log)?;
        if let Some(address) = listening(&said) {
            return Ok(ServerProcess::new(child, address));
        }
        if began.elapsed() > PATIENCE {
            drop(ServerProcess::new(child, SocketAddr::from(([127, 0, 0, 1], 0))));
            return Err(format!("wasmtime serve did not come up: {said:?}").into());
        }
        thread::sleep(POLL);
    }
}

/// The address from its output.
fn listening(said: &str) -> Option<SocketAddr> {
    let line = said.lines().find_map(|line| line.strip_prefix("Serving HTTP on http://"))?;
    line.strip_suffix('/')?.parse().ok()
}

/// The program, installed once for each version.
pub(crate) fn installed() -> Result<PathBuf, Box<dyn Error>> {
    let root = binary::target().join("bench-tools").join(format!("wasmtime-{VERSION}"));
    let program = root.join("bin/wasmtime");
    if program.is_file() {
        return Ok(program);
    }
    println!("installing wasmtime {VERSION}, which takes ten minutes or so");
    let mut install = cargo();
    install.args(["install", "wasmtime-cli", "--locked", "--version", VERSION, "--no-default-features", "--root"]);
    install.arg(&root).args(["--features", FEATURES]);
    run(install, "wasmtime was not installed")?;
    Ok(program)
}

/// Builds the component `bench/hello`.
fn hello() -> Result<Vec<u8>, Box<dyn Error>> {
    let target = binary::target().join("bench-tools/hello");
    let mut build = cargo();
    build.args(["build", "--release", "--locked", "--target", TARGET, "--target-dir"]).arg(&target);
    build.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("hello"));
    run(build, "bench/hello was not built")?;
    let file = target.join(TARGET).join("release/keyferry_bench_hello.wasm");
    let module = fs::read(&file).map_err(|error| format!("read {}: {error}", file.display()))?;
    let encoded = ComponentEncoder::default().validate(true).module(&module).and_then(|mut encoder| encoder.encode());
    Ok(encoded.map_err(|error| format!("make a component of bench/hello: {error:#}"))?)
}

fn run(mut command: Command, what: &str) -> Result<(), Box<dyn Error>> {
    let status = command.status().map_err(|error| format!("run cargo: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{what}: cargo ended with {status}").into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_it_listens_is_known_when_it_has_said_all_of_it() {
        assert_eq!(listening(""), None);
        assert_eq!(listening("Serving HTTP on http://127.0.0.1:80"), None);
        let whole = "a warning\nServing HTTP on http://127.0.0.1:8080/\n";
        assert_eq!(listening(whole), Some(SocketAddr::from(([127, 0, 0, 1], 8080))));
    }
}
