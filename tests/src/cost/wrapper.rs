//! A program that starts another one under a tool, for callers that accept a program but no arguments.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::or_fail::OrFail as _;
use crate::{ServerOptions, binary};

/// Checks that a tool is installed; its Debian package has the same name. The error says what to install.
pub(super) fn installed(tool: &str) -> Result<(), String> {
    if is_installed(tool) { Ok(()) } else { Err(format!("{tool} is not installed; install Debian's package {tool}")) }
}

fn is_installed(tool: &str) -> bool {
    let mut command = Command::new(tool);
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Has a server started under a tool, with Stripe's plugin alone: any other would be compiled under the tool, too.
/// Without a command the server is started as it is.
pub fn start_under(server: &mut ServerOptions, tool: &[String]) {
    fs::remove_dir_all(&server.plugins).or_fail("remove the plugins");
    binary::copy(["stripe"], &server.plugins);
    if !tool.is_empty() {
        server.binary = Some(run_under(&server.data.with_file_name("under-a-tool"), tool, binary::keyferry()));
    }
}

/// Writes a script that runs `program` with its own arguments, after those of the tool. The process stays the same one.
fn run_under(script: &Path, tool: &[String], program: &Path) -> PathBuf {
    let words = tool.iter().map(String::as_str).chain([program.to_str().or_fail("a path in UTF-8")]);
    let quoted = shlex::try_join(words).or_fail("a command for a shell");
    fs::write(script, format!("#!/bin/sh\nexec {quoted} \"$@\"\n")).or_fail("write the script that starts a tool");
    fs::set_permissions(script, fs::Permissions::from_mode(0o755)).or_fail("let the script be run");
    script.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_runs_the_tool_with_the_program_and_its_arguments() {
        let folder = tempfile::tempdir().unwrap();
        let tool = ["echo".to_owned(), "two words".to_owned()];
        let script = run_under(&folder.path().join("under"), &tool, Path::new("/bin/a program"));
        let output = Command::new(script).args(["x  y", "z"]).output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), "two words /bin/a program x  y z\n");
    }

    #[test]
    fn a_tool_that_is_not_there_is_not_installed() {
        assert!(is_installed("cargo") && !is_installed("no-such-tool-of-keyferry"));
    }
}
