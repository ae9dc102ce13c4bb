//! Builds from the same source: the same bytes in every folder, and no imports other than the contract.

use std::fs;
use std::path::{Path, PathBuf};

use keyferry_tests::form::Form;
use keyferry_tests::plugins::{command, plugin, printed};
use keyferry_tests::{binary, plugins};
use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// A copy of the sources of the plugins, in a folder of its own.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (name, target) = (entry.file_name(), to.join(entry.file_name()));
        if name.to_string_lossy().starts_with('.') || name == "target" {
            continue;
        }
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn plugins_come_out_the_same_in_any_folder() {
    let folder = tempfile::tempdir().unwrap();
    let elsewhere = folder.path().join("some/where else");
    copy(&root(), &elsewhere);
    // A key in a header, a signature, a hash and a minted token.
    let some = ["aws", "bigquery", "netsuite", "stripe"].map(str::to_owned).to_vec();
    let slugs = Form::current().of(some, binary::slugs());
    let folders: Vec<String> = slugs.iter().map(|slug| format!("plugins/{slug}")).collect();
    let mut arguments = vec!["build", "--out", "out"];
    arguments.extend(folders.iter().map(String::as_str));
    let mut build = command(&elsewhere, &arguments);
    // The dependencies of plugins are compiled once for all tests that build elsewhere.
    build.env("CARGO_TARGET_DIR", binary::target().join("test-plugin-new"));
    printed(&build.output().unwrap(), 0);
    for slug in slugs {
        let file = format!("{slug}.wasm");
        let [here, there] =
            [binary::plugins().join(&file), elsewhere.join("out").join(&file)].map(|path| fs::read(path).unwrap());
        assert!(here == there, "{slug}");
    }
}

#[test]
fn plugins_import_the_contract_alone() {
    let contract = ["clock", "http", "log", "random", "secrets"].map(|name| format!("keyferry:plugin/{name}@1.1.0"));
    for slug in binary::slugs() {
        let file = binary::plugins().join(format!("{slug}.wasm"));
        let inspected = printed(&plugin(&root(), &["inspect", "--json", file.to_str().unwrap()]), 0);
        let inspected: Value = serde_json::from_str(&inspected).unwrap();
        // A plugin that uses no random bytes does not import `random`.
        for import in inspected["imports"].as_array().unwrap() {
            assert!(contract.iter().any(|name| import == name), "{slug} imports {import}");
        }
    }
}

#[test]
fn a_file_whose_source_has_not_changed_is_not_written_again() {
    let out = tempfile::tempdir().unwrap();
    let build =
        || printed(&plugin(&plugins::shipped("stripe"), &["build", ".", "--out", out.path().to_str().unwrap()]), 0);
    let file = out.path().join("stripe.wasm");
    let first = build();
    let written = fs::metadata(&file).unwrap().modified().unwrap();
    assert_eq!(build(), first);
    assert_eq!(fs::metadata(&file).unwrap().modified().unwrap(), written);
}
