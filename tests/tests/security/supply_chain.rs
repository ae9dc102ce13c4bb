//! Limits on dependencies: the most important rules of `deny.toml`, checked without cargo-deny.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use serde_json::Value;
use spdx::{Expression, Licensee, ParseMode};
use toml::Table;

const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn toml(file: &str) -> Table {
    fs::read_to_string(root().join(file)).unwrap().parse().unwrap()
}

/// The entries of a list below `section`: at least one, and each a table, since a string has no room for a reason.
fn list(deny: &Table, section: &str, list: &str) -> Vec<Table> {
    let entries = deny[section][list].as_array().unwrap();
    assert!(!entries.is_empty(), "{section}.{list}");
    entries.iter().map(|entry| entry.as_table().unwrap_or_else(|| panic!("{entry} has no reason")).clone()).collect()
}

fn text<'a>(entry: &'a Table, key: &str) -> &'a str {
    entry.get(key).unwrap_or_else(|| panic!("{entry} has no {key}")).as_str().unwrap()
}

fn texts(entry: &Table, key: &str) -> Vec<String> {
    let values = entry.get(key).and_then(toml::Value::as_array).cloned().unwrap_or_default();
    values.iter().map(|value| value.as_str().unwrap().to_owned()).collect()
}

/// A package of `Cargo.lock`, for any platform.
struct Locked {
    name: String,
    version: String,
    source: Option<String>,
    has_checksum: bool,
    needs: BTreeSet<String>,
}

fn locked() -> Vec<Locked> {
    locked_by("Cargo.lock")
}

fn locked_by(file: &str) -> Vec<Locked> {
    let packages = toml(file)["package"].as_array().unwrap().clone();
    assert!(packages.len() > 300, "{} packages", packages.len());
    let package = |package: &toml::Value| {
        let package = package.as_table().unwrap();
        // "NAME", "NAME VERSION", or "NAME VERSION (SOURCE)".
        let name = |need: String| need.split(' ').next().unwrap().to_owned();
        Locked {
            name: text(package, "name").to_owned(),
            version: text(package, "version").to_owned(),
            source: package.get("source").map(|source| source.as_str().unwrap().to_owned()),
            has_checksum: package.contains_key("checksum"),
            needs: texts(package, "dependencies").into_iter().map(name).collect(),
        }
    };
    packages.iter().map(package).collect()
}

/// Cargo's metadata of the workspace and of all packages that are built on this machine.
static METADATA: LazyLock<Value> = LazyLock::new(|| {
    let rustc = Command::new(env::var_os("RUSTC").unwrap_or("rustc".into())).arg("-vV").output().unwrap();
    let rustc = String::from_utf8(rustc.stdout).unwrap();
    let host = rustc.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or("cargo".into()));
    cargo.args(["metadata", "--format-version", "1", "--locked", "--filter-platform", host]).current_dir(root());
    let output = cargo.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
});

#[test]
fn every_crate_is_of_this_workspace_or_from_crates_io_with_its_checksum() {
    let members: BTreeSet<&str> =
        METADATA["workspace_members"].as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect();
    let packages = METADATA["packages"].as_array().unwrap();
    let member = |name: &str| {
        packages.iter().any(|package| package["name"] == name && members.contains(package["id"].as_str().unwrap()))
    };
    for package in locked().into_iter().chain(locked_by("fuzz/Cargo.lock")) {
        let Locked { name, version, .. } = &package;
        match package.source.as_deref() {
            None => assert!(
                member(name) || name == "keyferry-fuzz",
                "{name} {version} is from a folder outside of the workspace"
            ),
            Some(CRATES_IO) => assert!(package.has_checksum, "{name} {version} has no checksum"),
            Some(other) => panic!("{name} {version} is from {other}"),
        }
    }
    let deny = toml("deny.toml");
    for rule in ["unknown-registry", "unknown-git"] {
        assert_eq!(deny["sources"][rule].as_str(), Some("deny"), "sources.{rule}");
    }
}

#[test]
fn no_banned_crate_is_locked_but_by_those_that_may_have_it() {
    let packages = locked();
    for ban in list(&toml("deny.toml"), "bans", "deny") {
        let (banned, allowed) = (text(&ban, "crate"), texts(&ban, "wrappers"));
        assert!(!text(&ban, "reason").is_empty());
        let users = packages.iter().filter(|package| package.needs.contains(banned));
        for user in users {
            assert!(allowed.contains(&user.name), "{} needs {banned}: {}", user.name, text(&ban, "reason"));
        }
        let is_there = packages.iter().any(|package| package.name == banned);
        assert_eq!(is_there, !allowed.is_empty(), "{banned} is banned, and allowed to {allowed:?}");
    }
}

#[test]
fn every_licence_is_one_of_those_allowed() {
    let deny = toml("deny.toml");
    let allowed = texts(deny["licenses"].as_table().unwrap(), "allow");
    let allowed: Vec<_> = allowed.iter().map(|licence| Licensee::parse(licence).unwrap()).collect();
    let mut judged = 0;
    for package in METADATA["packages"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap();
        let licence = package["license"].as_str().unwrap_or_else(|| panic!("{name} names no licence"));
        let licence = Expression::parse_mode(licence, ParseMode::LAX).unwrap();
        let fits = licence.evaluate(|need| allowed.iter().any(|one| one.satisfies(need)));
        assert!(fits, "{name} is under {licence}");
        judged += 1;
    }
    assert!(judged > 250, "{judged} packages");
}

#[test]
fn no_requirement_is_a_wildcard_and_no_denied_feature_is_on() {
    for package in METADATA["packages"].as_array().unwrap().iter().filter(|package| package["source"].is_null()) {
        for need in package["dependencies"].as_array().unwrap() {
            let ours = need["path"].is_string();
            assert!(ours || need["req"] != "*", "{} takes any version of {}", package["name"], need["name"]);
        }
    }
    for rule in list(&toml("deny.toml"), "bans", "features") {
        let (name, denied) = (text(&rule, "crate"), texts(&rule, "deny"));
        let package = METADATA["packages"].as_array().unwrap().iter().find(|package| package["name"] == name);
        let id = &package.unwrap_or_else(|| panic!("{name} has a rule, and is not used"))["id"];
        let nodes = METADATA["resolve"]["nodes"].as_array().unwrap();
        let features = &nodes.iter().find(|node| node["id"] == *id).unwrap()["features"];
        for feature in features.as_array().unwrap() {
            let on = denied.iter().any(|denied| feature == denied);
            assert!(!on, "{name} has its feature {feature}: {}", text(&rule, "reason"));
        }
    }
}

/// The reason of an exception begins with the name of the crate, explains it, and names the condition of its end.
#[test]
fn every_exception_says_why_and_is_still_of_use() {
    let (deny, packages) = (toml("deny.toml"), locked());
    let is_locked = |name: &str, version: &str| {
        packages.iter().any(|package| package.name == name && package.version.starts_with(version))
    };
    for exception in list(&deny, "advisories", "ignore") {
        let (id, reason) = (text(&exception, "id"), text(&exception, "reason"));
        assert!(id.starts_with("RUSTSEC-20"), "{id}");
        let name = reason.split(' ').next().unwrap();
        assert!(is_locked(name, ""), "{id} is about {name}, which is not used any more");
        assert!(reason.len() > 120 && reason.contains("Ends when"), "{id}: {reason}");
    }
    for kind in ["skip", "skip-tree"] {
        for exception in list(&deny, "bans", kind) {
            let (name, version) = text(&exception, "crate").split_once('@').unwrap();
            assert!(is_locked(name, version), "there is no {name} {version} any more");
            assert!(text(&exception, "reason").len() > 20, "{name}");
        }
    }
    for exception in deny["bans"]["build"]["bypass"].as_array().unwrap() {
        let (name, version) = text(exception.as_table().unwrap(), "crate").split_once('@').unwrap();
        assert!(is_locked(name, version), "there is no {name} {version} any more");
    }
}

fn files(folder: &Path, name: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let of_others = ["target", "node_modules", ".venv", ".git"].iter().any(|other| path.ends_with(other));
        if path.is_dir() && !of_others {
            files(&path, name, found);
        } else if path.ends_with(name) {
            found.push(path);
        }
    }
}

#[test]
fn what_comes_from_pypi_and_npm_has_an_exact_version_and_a_hash() {
    let (mut python, mut javascript) = (Vec::new(), Vec::new());
    files(&root(), "requirements.txt", &mut python);
    files(&root(), "package-lock.json", &mut javascript);
    assert!(python.len() >= 3 && !javascript.is_empty(), "{python:?} {javascript:?}");

    for file in python {
        let text = fs::read_to_string(&file).unwrap().replace("\\\n", " ");
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        for line in lines {
            let exact = line.split(' ').next().unwrap().contains("==") && line.contains(" --hash=sha256:");
            assert!(exact, "{}: {line}", file.display());
        }
    }
    for file in javascript {
        let lock: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        for (path, package) in lock["packages"].as_object().unwrap().iter().filter(|(path, _)| !path.is_empty()) {
            let hash = package["integrity"].as_str().unwrap_or_default();
            assert!(hash.starts_with("sha512-"), "{}: {path} has no hash", file.display());
            let from = package["resolved"].as_str().unwrap_or("https://registry.npmjs.org/");
            assert!(from.starts_with("https://registry.npmjs.org/"), "{}: {path} is from {from}", file.display());
            assert!(package["hasInstallScript"].is_null(), "{}: {path} runs a script", file.display());
        }
    }
}
