//! Tools in other languages, installed once into the target folder: toolchains of plugins, a verifier of signatures,
//! a mock AWS KMS, third-party clients, a browser.

use std::env;
use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::binary;
use crate::or_fail::{OrFail as _, fail};
use crate::plugins::shipped;

/// Prints why a test does not run here. In CI, where every tool is required, it fails.
pub fn skip(why: impl Display) {
    if env::var_os("CI").is_some() {
        fail(format_args!("{why}, and CI has to run everything"));
    }
    println!("skipped: {why}");
}

/// A folder in which JavaScript plugins can be built, with the componentize-js of the example's lock file. `None`
/// where there is no Node.js, after printing so; in CI that is a failure.
pub fn javascript() -> Option<PathBuf> {
    node_modules("javascript", &shipped("examples/javascript"))
}

/// A folder with the documented product's SDK for browsers. `None` as above.
pub fn cobalt() -> Option<PathBuf> {
    node_modules("cobalt", &cobalt_folder())
}

/// The folder of the script that drives it.
pub fn cobalt_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("cobalt")
}

/// A folder with the renderer of the page at `/docs`, from npm. `None` as above.
pub fn docs_page() -> Option<PathBuf> {
    node_modules("docs-page", &docs_page_folder())
}

/// The path of the copy that is compiled into the binary.
pub fn docs_page_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../host/crates/api/src/docs/assets")
}

/// A browser: the program, and a folder with its driver for Node.js. `None` as above.
pub fn browser() -> Option<(PathBuf, PathBuf)> {
    let path = env::var_os("PATH").unwrap_or_default();
    let Some(program) = env::split_paths(&path).map(|folder| folder.join("chromium")).find(|file| file.is_file())
    else {
        skip("chromium is not installed");
        return None;
    };
    Some((program, node_modules("browser", &browser_folder())?))
}

/// The folder of the script that drives it.
pub fn browser_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("browser")
}

/// A folder with the generator of TypeScript clients and the compiler. `None` as above.
pub fn typescript() -> Option<PathBuf> {
    node_modules("typescript-client", &generated_folder())
}

/// A folder with the programs that generate a Python client and check its types. `None` as above.
pub fn python_client() -> Option<PathBuf> {
    let folder = binary::target().join("test-tools/python-client");
    virtual_environment(&folder, &generated_folder().join("requirements.txt"))
}

/// The folder of the programs that use generated clients.
pub fn generated_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("generated")
}

/// A folder with the packages of a lock file.
fn node_modules(name: &str, locked: &Path) -> Option<PathBuf> {
    let folder = binary::target().join("test-tools").join(name);
    let install = |folder: &Path| {
        for file in ["package.json", "package-lock.json"] {
            fs::copy(locked.join(file), folder.join(file)).or_fail("copy the lock file");
        }
        let quietly = ["--ignore-scripts", "--no-audit", "--no-fund"];
        run(Command::new("npm").arg("ci").args(quietly).current_dir(folder));
    };
    installed("npm", &folder, &locked.join("package-lock.json"), install)
}

/// A folder for PATH that has the componentize-py of the example's requirements. `None` as above.
pub fn python() -> Option<PathBuf> {
    let folder = binary::target().join("test-tools/python");
    virtual_environment(&folder, &shipped("examples/python").join("requirements.txt"))
}

/// A folder with the `python` that has oauthlib, botocore and PyJWT. `None` as above.
pub fn signing() -> Option<PathBuf> {
    let folder = binary::target().join("test-tools/signing");
    virtual_environment(&folder, &signing_folder().join("requirements.txt"))
}

/// A folder with the programs of Schemathesis and of the validator of OpenAPI documents. `None` as above.
pub fn openapi() -> Option<PathBuf> {
    let folder = binary::target().join("test-tools/openapi");
    virtual_environment(&folder, &openapi_folder().join("requirements.txt"))
}

/// The folder of their configuration.
pub fn openapi_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi")
}

/// A folder with the `python` that has moto, the mock AWS KMS. `None` as above.
pub fn moto() -> Option<PathBuf> {
    let folder = binary::target().join("test-tools/kms");
    virtual_environment(&folder, &moto_folder().join("requirements.txt"))
}

/// The folder of the script that starts moto.
pub fn moto_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("kms")
}

/// The folder of the verifier of signatures.
pub fn signing_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("signing")
}

/// The folder of programs of a virtual environment with these requirements.
fn virtual_environment(folder: &Path, requirements: &Path) -> Option<PathBuf> {
    let install = |folder: &Path| {
        run(Command::new("python3").args(["-m", "venv", "venv"]).current_dir(folder));
        let exactly = ["install", "--quiet", "--require-hashes", "-r"];
        run(Command::new(folder.join("venv/bin/pip")).args(exactly).arg(requirements));
    };
    Some(installed("python3", folder, requirements, install)?.join("venv/bin"))
}

/// Installs into the folder, once for each content of `lock`, which pins the versions.
fn installed(program: &str, folder: &Path, lock: &Path, install: impl FnOnce(&Path)) -> Option<PathBuf> {
    if Command::new(program).arg("--version").output().is_err() {
        skip(format_args!("{program} is not installed"));
        return None;
    }
    // One for each tool: installing mostly waits for the network.
    let name = folder.file_name().or_fail("name the tool").to_string_lossy();
    let _lock = binary::lock(&format!("test-tools-{name}.lock"));
    let wanted = fs::read(lock).or_fail("read the versions");
    // Written last, so that an interrupted installation does not have it.
    let stamp = folder.join("installed-from");
    if fs::read(&stamp).ok().as_ref() != Some(&wanted) {
        let _ = fs::remove_dir_all(folder);
        fs::create_dir_all(folder).or_fail("make the folder of tools");
        install(folder);
        fs::write(&stamp, wanted).or_fail("write the installed versions");
    }
    Some(folder.to_owned())
}

fn run(command: &mut Command) {
    let output = command.output().or_fail(format_args!("start {command:?}"));
    if !output.status.success() {
        fail(format_args!("{command:?} ended with {}\n{}", output.status, String::from_utf8_lossy(&output.stderr)));
    }
}
