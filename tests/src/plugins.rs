//! Plugin files for tests: other versions of a plugin, and plugins that only tests have.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::binary;
use crate::or_fail::{OrFail as _, fail};

/// A different component with the same behaviour: a custom section with this content is appended.
pub fn variant(component: &[u8], content: &str) -> Vec<u8> {
    let name = b"keyferry-test";
    let length = 1 + name.len() + content.len();
    let mut section = vec![0];
    // LEB128, as all lengths in WebAssembly.
    let mut rest = length;
    while rest >= 0x80 {
        section.push(u8::try_from(rest & 0x7F).unwrap_or_default() | 0x80);
        rest >>= 7;
    }
    section.push(u8::try_from(rest).unwrap_or_default());
    section.push(u8::try_from(name.len()).unwrap_or_default());
    [component, &section, name, content.as_bytes()].concat()
}

/// The folder of a shipped plugin.
pub fn shipped(slug: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins").join(slug)
}

/// Runs `keyferry plugin ...` in a folder to its end.
pub fn plugin(folder: &Path, arguments: &[&str]) -> Output {
    command(folder, arguments).output().or_fail("run keyferry plugin")
}

/// A command `keyferry plugin ...` in a folder, not started.
pub fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = binary::command(binary::keyferry());
    command.arg("plugin").args(arguments).current_dir(folder).stdin(Stdio::null());
    command
}

/// The command's stdout, if it exited with this code.
pub fn printed(output: &Output, code: i32) -> String {
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if output.status.code() != Some(code) {
        fail(format_args!("it ended with {}, not {code}:\n{stdout}\n{stderr}", output.status));
    }
    stdout.into_owned()
}

/// The command's stderr, if it exited with 2: its input was invalid.
pub fn refused(output: &Output) -> String {
    printed(output, 2);
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Builds the plugin in a folder beside this crate into another folder.
pub fn build(crate_folder: &str, out: &Path) {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(crate_folder);
    let mut command = binary::command(binary::keyferry());
    let built = command.args(["plugin", "build"]).arg(source).arg("--out").arg(out).output();
    let built = built.or_fail("run plugin build");
    if !built.status.success() {
        fail(format_args!("{crate_folder} was not built: {}", String::from_utf8_lossy(&built.stderr)));
    }
}
