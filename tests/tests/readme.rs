//! The README's commands do what it says.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use keyferry_tests::binary;

#[test]
fn every_keyferry_command_of_the_readme_works() {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md")).unwrap();
    let commands: Vec<&str> = readme.lines().filter_map(|line| line.strip_prefix("keyferry ")).collect();
    let folder = tempfile::tempdir().unwrap();
    let mut ran = Vec::new();
    for command in commands {
        let arguments: Vec<&str> = command.split_whitespace().collect();
        let mut process = binary::command(binary::keyferry());
        match arguments.as_slice() {
            // Built once for all tests, by the same command; the demo and the hostile plugin's test build too.
            ["plugin", "build", "--all", "--out", out] => {
                binary::copy_plugins(&folder.path().join(out));
                continue;
            }
            // It would not end. Every other test runs it.
            ["serve", "--listen", _] => process.args(["serve", "--help"]),
            other => process.args(other),
        };
        let output = process.current_dir(folder.path()).output().unwrap();
        assert!(output.status.success(), "keyferry {command}: {}", String::from_utf8_lossy(&output.stderr));
        ran.push(command);
    }
    assert_eq!(ran.len(), 4, "{ran:?}");
}
