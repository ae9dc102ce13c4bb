//! The rules of the house that a compiler does not hold.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn each_heavy_dependency_is_named_in_one_module_only() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../host/src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    assert!(files.len() > 50, "the sources were found");
    let rules = [
        ("reqwest::", "egress/"),
        ("wasmtime::", "plugins/"),
        ("wasmtime_wasi::", "plugins/"),
        ("sled::Db", "store/sled/"),
        ("aes_gcm::", "vault/"),
        ("hkdf::", "vault/"),
    ];
    for (name, home) in rules {
        for file in &files {
            let inside = file.strip_prefix(&root).unwrap().starts_with(home);
            let text = std::fs::read_to_string(file).unwrap();
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            let named = code.into_iter().any(|line| line.contains(name));
            assert!(inside || !named, "{} names {name}, which only {home} may", file.display());
        }
    }
}

#[test]
fn modules_below_do_not_know_those_above() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../host/src");
    let rules: [(&str, &[&str]); 5] = [
        ("egress", &["plugins", "migrate", "http", "cli", "store", "vault"]),
        ("vault", &["plugins", "migrate", "http", "cli", "store", "egress"]),
        ("store", &["plugins", "migrate", "http", "cli", "vault", "egress"]),
        ("schema", &["plugins", "migrate", "http", "cli", "store", "vault", "egress"]),
        ("plugins", &["migrate", "http", "cli", "store", "vault"]),
    ];
    for (module, forbidden) in rules {
        let mut files = Vec::new();
        sources(&root.join(module), &mut files);
        for file in files {
            let text = std::fs::read_to_string(&file).unwrap();
            for above in forbidden {
                assert!(!text.contains(&format!("crate::{above}::")), "{} knows {above}", file.display());
            }
        }
    }
}
