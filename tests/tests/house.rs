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
        ("aws_sdk_kms::", "vault/remote/"),
        ("aws_config::", "vault/remote/"),
        ("psl::", "egress/"),
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
    let rules: [(&str, &[&str]); 8] = [
        ("egress", &["plugins", "migrate", "jobs", "webhooks", "http", "cli", "store", "vault"]),
        ("vault", &["plugins", "migrate", "jobs", "webhooks", "http", "cli", "store", "egress"]),
        ("store", &["plugins", "migrate", "jobs", "webhooks", "http", "cli", "vault", "egress"]),
        ("schema", &["plugins", "migrate", "jobs", "webhooks", "http", "cli", "store", "vault", "egress"]),
        ("plugins", &["migrate", "jobs", "webhooks", "http", "cli", "store", "vault"]),
        ("migrate", &["jobs", "webhooks", "http", "cli"]),
        ("jobs", &["webhooks", "http", "cli", "egress"]),
        ("webhooks", &["plugins", "http", "cli"]),
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

/// The router and the API's description are made of one list. What goes round it is the page for people, whose files are no part of
/// the API: `docs_page.rs` tries each of them.
#[test]
fn only_the_page_for_people_adds_routes_that_the_apis_description_does_not_see() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../host/src/http");
    let ways = [".route(", ".route_service(", ".nest(", ".nest_service(", ".merge(", ".fallback_service("];
    let mut files = Vec::new();
    sources(&root, &mut files);
    files.retain(|file| {
        let text = std::fs::read_to_string(file).unwrap();
        ways.iter().any(|way| text.contains(way))
    });
    assert_eq!(files, [root.join("docs/mod.rs")]);
}

/// What the guide says of the size of a plugin: a check is a page of code, and a component a blink of a download.
#[test]
fn half_of_the_plugins_have_at_most_130_lines_and_half_of_the_components_70_kib() {
    let (mut lines, mut bytes) = (Vec::new(), Vec::new());
    for slug in keyferry_tests::binary::slugs() {
        let source = keyferry_tests::plugins::shipped(&slug).join("src/lib.rs");
        lines.push(std::fs::read_to_string(source).unwrap().lines().count());
        bytes.push(std::fs::metadata(keyferry_tests::binary::plugins().join(format!("{slug}.wasm"))).unwrap().len());
    }
    assert!(lines.len() >= 16, "{} plugins", lines.len());
    lines.sort_unstable();
    bytes.sort_unstable();
    let (below, above) = (lines.len() / 2 - 1, lines.len() / 2);
    assert!(lines[below] + lines[above] <= 2 * 130, "{lines:?}");
    assert!(bytes[below] + bytes[above] <= 2 * 70 * 1024, "{bytes:?}");
}
