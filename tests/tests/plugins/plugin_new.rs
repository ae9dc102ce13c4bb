//! From an empty folder to a tested plugin, in each language.

use std::path::Path;
use std::time::Instant;

use keyferry_tests::form::Form;
use keyferry_tests::plugins::{command, plugin, printed, refused};
use keyferry_tests::{binary, tools};

/// new -> build -> check -> test, in a folder. Artefacts that another test has compiled from the same sources, such as
/// that of the guide's commands, are reused.
fn from_nothing(folder: &Path, language: &str, slug: &str, auth: &str, path: Option<&Path>) {
    let began = Instant::now();
    let dir = folder.join(format!("{language}-{auth}"));
    let dir = dir.to_str().unwrap();
    if Path::new(dir).exists() {
        std::fs::remove_dir_all(dir).unwrap();
    }
    let run = |arguments: &[&str]| {
        let mut command = command(folder, arguments);
        // wit-bindgen is compiled once for all of these.
        command.env("CARGO_TARGET_DIR", binary::target().join("test-plugin-new"));
        if let Some(path) = path {
            command.env("PATH", format!("{}:{}", path.display(), std::env::var("PATH").unwrap_or_default()));
        }
        printed(&command.output().unwrap(), 0)
    };
    let made = run(&["new", slug, "--lang", language, "--auth", auth, "--dir", dir]);
    assert!(made.contains("Next:") && made.contains(&format!("keyferry plugin test {dir}")), "{made}");
    let build = format!("{dir}/build");
    run(&["build", dir, "--out", &build]);
    let wasm = format!("{build}/{slug}.wasm");
    assert!(run(&["check", &wasm, "--deny-warnings"]).contains("0 errors, 0 warnings"));
    let tested = run(&["test", dir]);
    // The suite has one test for each secret; `oauth2` has two, the access token and the refresh token.
    let passed = if auth == "oauth2" { 27 } else { 26 };
    assert!(tested.contains(&format!("{passed} passed, 0 failed")), "{tested}");
    let readme = std::fs::read_to_string(format!("{dir}/README.md")).unwrap();
    assert!(readme.lines().count() < 80, "a page");
    println!("{language}, {auth}: from `plugin new` to a passing `plugin test` in {:.1?}", began.elapsed());
}

#[test]
fn a_new_rust_plugin_builds_and_passes_as_it_stands() {
    let folder = tempfile::tempdir().unwrap();
    for auth in ["keybased", "oauth2"] {
        from_nothing(folder.path(), "rust", &format!("acme-{auth}"), auth, None);
    }
}

/// An engine of a language is megabytes of code to compile. In the short form, the other project is built with a defect
/// only: [`a_defect_is_logged_with_its_place_and_fails_nothing_else`].
fn script_auth_types() -> &'static [&'static str] {
    Form::current().of(&["keybased"], &["keybased", "oauth2"])
}

#[test]
fn a_new_javascript_plugin_builds_and_passes_as_it_stands() {
    let Some(tools) = tools::javascript() else { return };
    for auth in script_auth_types() {
        from_nothing(&tools, "javascript", "acme-js", auth, None);
    }
}

#[test]
fn a_new_python_plugin_builds_and_passes_as_it_stands() {
    let Some(tools) = tools::python() else { return };
    let folder = tempfile::tempdir().unwrap();
    for auth in script_auth_types() {
        from_nothing(folder.path(), "python", "acme-py", auth, Some(&tools));
    }
}

#[test]
fn a_defect_is_logged_with_its_place_and_fails_nothing_else() {
    let (javascript, python) = (tools::javascript(), tools::python());
    let folder = tempfile::tempdir().unwrap();
    for (language, tools, file, from, to, logged) in [
        (
            "javascript",
            &javascript,
            "plugin.js",
            "case 401:",
            "case 401: undefined.nothing();",
            ["TypeError", "plugin.js:"],
        ),
        (
            "python",
            &python,
            "app.py",
            "if response.status == 401:",
            "if response.status == 401:\n            {}[\"nothing\"]",
            ["KeyError: 'nothing'", "File \"app.py\", line 43, in verify"],
        ),
    ] {
        let Some(tools) = tools else { continue };
        // Node.js looks for its packages in the folders above.
        let parent = if language == "javascript" { tools.as_path() } else { folder.path() };
        let dir = parent.join(format!("defect-{language}"));
        let _ = std::fs::remove_dir_all(&dir);
        let run = |arguments: &[&str], code| {
            let mut command = command(parent, arguments);
            command.env("PATH", format!("{}:{}", tools.display(), std::env::var("PATH").unwrap_or_default()));
            printed(&command.output().unwrap(), code)
        };
        let path = dir.to_str().unwrap();
        run(&["new", "acme", "--lang", language, "--auth", "oauth2", "--dir", path], 0);
        let text = std::fs::read_to_string(dir.join(file)).unwrap();
        assert!(text.contains(from), "{text}");
        std::fs::write(dir.join(file), text.replace(from, to)).unwrap();
        let tested = run(&["test", path], 1);
        assert!(tested.contains("25 passed, 2 failed"), "{tested}");
        for part in logged {
            assert!(tested.lines().any(|line| line.contains("log ") && line.contains(part)), "{part}: {tested}");
        }
    }
}

#[test]
fn a_tool_that_is_missing_is_named_with_the_command_that_installs_it() {
    let folder = tempfile::tempdir().unwrap();
    let nothing = folder.path().join("nothing");
    std::fs::create_dir(&nothing).unwrap();
    for (language, install) in [
        (
            "javascript",
            "@bytecodealliance/componentize-js is not there, and a plugin in JavaScript is built with it. Install it by: npm install --prefix acme-javascript",
        ),
        (
            "python",
            "componentize-py is not there, and a plugin in Python is built with it. Install it by: python3 -m venv acme-python/.venv && acme-python/.venv/bin/pip install -r acme-python/requirements.txt",
        ),
        ("rust", "cannot be started. Install Rust from https://rustup.rs"),
    ] {
        let slug = format!("acme-{language}");
        let made = printed(&plugin(folder.path(), &["new", &slug, "--lang", language]), 0);
        // The first of the next steps is the same command.
        if let Some((_, command)) = install.split_once("Install it by: ") {
            assert!(made.contains(&format!("Next:\n  {command}\n  keyferry plugin build")), "{made}");
        }
        let mut command = command(folder.path(), &["build", &slug, "--out", "out"]);
        let said = refused(&command.env("PATH", &nothing).output().unwrap());
        assert!(said.contains(install), "{said}");
    }
}

#[test]
fn wrong_input_makes_nothing_and_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("full")).unwrap();
    std::fs::write(folder.path().join("full/notes.txt"), "mine").unwrap();
    for (arguments, expected) in [
        (vec!["new", "Acme Inc."], "Try `keyferry plugin new acme-inc`"),
        (vec!["new", "acme", "--dir", "full"], "full is not empty. Name another folder with --dir"),
        (vec!["new", "acme", "--lang", "cobol"], "[possible values: rust, javascript, python]"),
    ] {
        let said = refused(&plugin(folder.path(), &arguments));
        assert!(said.contains(expected), "{said}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}
