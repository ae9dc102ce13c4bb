//! Rules of the sources that the compiler does not check.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::file_graph::Graph;

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

/// The `[dependencies]` of each crate under `host/crates`, and of the binary.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let host = Path::new(env!("CARGO_MANIFEST_DIR")).join("../host");
    let crates = std::fs::read_dir(host.join("crates")).unwrap().map(|entry| entry.unwrap().path());
    let manifests = crates.chain([host]).map(|folder| folder.join("Cargo.toml"));
    manifests
        .map(|manifest| {
            let manifest: toml::Table = toml::from_str(&std::fs::read_to_string(manifest).unwrap()).unwrap();
            let names = manifest["dependencies"].as_table().unwrap().keys().cloned().collect();
            (manifest["package"]["name"].as_str().unwrap().to_owned(), names)
        })
        .collect()
}

#[test]
fn each_heavy_dependency_belongs_to_one_crate() {
    let rules = [
        ("hickory-resolver", "keyferry-egress"),
        ("psl", "keyferry-egress"),
        ("wasmtime", "keyferry-sandbox"),
        ("wasmtime-wasi", "keyferry-sandbox"),
        ("sled", "keyferry-store"),
        ("tokio-postgres", "keyferry-store"),
        ("aes-gcm", "keyferry-vault"),
        ("hkdf", "keyferry-vault"),
        ("aws-sdk-kms", "keyferry-vault"),
        ("aws-config", "keyferry-vault"),
    ];
    let crates = dependencies();
    for (dependency, home) in rules {
        let users: Vec<_> =
            crates.iter().filter(|(_, names)| names.contains(dependency)).map(|(name, _)| name).collect();
        assert_eq!(users, [home], "{dependency}");
    }
}

/// Cargo refuses circles; it does not know which crates must not depend on each other.
#[test]
fn crates_depend_only_on_those_below_them() {
    let rules: [(&str, &[&str]); 13] = [
        ("types", &[]),
        ("schema", &["types"]),
        ("service-client", &["types"]),
        ("telemetry", &["types", "service-client"]),
        ("vault", &["types", "service-client"]),
        ("store", &["types", "telemetry", "service-client"]),
        ("egress", &["types", "telemetry"]),
        ("sandbox", &["types", "schema", "telemetry", "egress"]),
        ("service", &["types", "schema", "telemetry", "vault", "store", "sandbox"]),
        ("webhooks", &["types", "vault", "store", "egress", "service"]),
        ("imports", &["types", "schema", "telemetry", "vault", "store", "sandbox", "service"]),
        ("devkit", &["types", "schema", "egress", "sandbox"]),
        ("mock-providers", &["types"]),
    ];
    let crates = dependencies();
    for (name, allowed) in rules {
        for dependency in crates[&format!("keyferry-{name}")].iter().filter_map(|name| name.strip_prefix("keyferry-")) {
            assert!(allowed.contains(&dependency), "keyferry-{name} depends on keyferry-{dependency}");
        }
    }
}

/// The packages of the workspace and what it depends on, each with the features that cargo resolves along these dependencies: one set,
/// or another one for build scripts and macros.
fn features(kinds: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut cargo = keyferry_tests::binary::command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["tree", "--workspace", "--locked", "--offline"]);
    cargo.args(["--prefix", "none", "--format", "{p}|{f}", "--edges", kinds]);
    let output = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in text.lines().map(|line| line.trim_end_matches(" (*)")) {
        let (package, names) = line.split_once('|').unwrap_or((line, ""));
        found.entry(package.to_owned()).or_default().insert(names.to_owned());
    }
    found
}

/// `cargo test` resolves features with dev-dependencies, and the harness builds the binary without them: a package whose features differ
/// is compiled twice, with each that depends on it.
#[test]
fn tests_and_the_binary_that_they_drive_are_built_of_the_same_packages() {
    let (tests, binary) = (features("normal,build,dev"), features("normal,build"));
    assert!(binary.len() > 400, "{} packages", binary.len());
    let differs =
        |(package, names): &(String, BTreeSet<String>)| binary.get(package).is_some_and(|others| others != names);
    let differing: Vec<_> = tests.into_iter().filter(differs).collect();
    assert!(differing.is_empty(), "tests/Cargo.toml has to ask for these features, too: {differing:?}");
}

/// No file uses another one that uses it in turn, so that each can be read without its users.
#[test]
fn no_files_of_a_crate_depend_on_each_other_in_a_circle() {
    let host = Path::new(env!("CARGO_MANIFEST_DIR")).join("../host");
    let crates = std::fs::read_dir(host.join("crates")).unwrap().map(|entry| entry.unwrap().path());
    let (mut circles, mut edges) = (Vec::new(), 0);
    for folder in crates.chain([host.clone(), host.join("../bench"), host.join("../plugins/sdk")]) {
        let graph = Graph::read(&folder.join("src"));
        edges += graph.edges().values().map(BTreeSet::len).sum::<usize>();
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        circles.extend(graph.circles().iter().map(|circle| format!("{name}: {}", circle.join(", "))));
    }
    assert!(edges > 900, "only {edges} uses of one file by another are seen");
    assert!(circles.is_empty(), "{}", circles.join("\n"));
}

/// One list produces the router and the API's description. The exception is the page for people, whose files are not
/// part of the API: `docs_page.rs` requests each of them. The admin API has a description of its own.
#[test]
fn only_the_page_for_people_adds_routes_that_the_apis_description_does_not_see() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../host/crates/api/src");
    let ways = [".route(", ".route_service(", ".nest(", ".nest_service(", ".merge(", ".fallback_service("];
    let mut files = Vec::new();
    sources(&root, &mut files);
    files.retain(|file| !file.starts_with(root.join("admin")));
    files.retain(|file| {
        let text = std::fs::read_to_string(file).unwrap();
        ways.iter().any(|way| text.contains(way))
    });
    assert_eq!(files, [root.join("docs/mod.rs")]);
}

/// The guide's claim about the size of a plugin: its check is a page of code, and its component a small file.
#[test]
fn half_of_the_plugins_have_at_most_140_lines_and_half_of_the_components_190_kib() {
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
    assert!(lines[below] + lines[above] <= 2 * 140, "{lines:?}");
    assert!(bytes[below] + bytes[above] <= 2 * 190 * 1024, "{bytes:?}");
}

/// The text of a source file in one line and in lower case: marks of comments and of continued strings are left out,
/// and so are tests.
fn words(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let lines = text.lines().map(|line| {
        let line = line.trim();
        let line = ["//!", "///", "//"].iter().find_map(|mark| line.strip_prefix(mark)).unwrap_or(line);
        line.strip_suffix('\\').unwrap_or(line)
    });
    lines.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ").to_lowercase()
}

/// Whether `text` has `phrase` between characters that are not part of a word.
fn says(text: &str, phrase: &str) -> bool {
    let is_word = |character: char| character.is_alphanumeric() || character == '_';
    text.match_indices(phrase).any(|(at, _)| {
        let (before, after) = (&text[..at], &text[at + phrase.len()..]);
        !before.ends_with(is_word) && !after.starts_with(is_word)
    })
}

/// Words that hide who does what. `docs/concepts.md` has the terms.
#[test]
fn messages_and_comments_are_written_in_plain_words() {
    let banned = ["whoever", "somebody", "is told", "are told", "so many", "stands in", "goes on", "by itself"];
    let host = Path::new(env!("CARGO_MANIFEST_DIR")).join("../host");
    let mut files = Vec::new();
    sources(&host.join("src"), &mut files);
    for folder in std::fs::read_dir(host.join("crates")).unwrap() {
        sources(&folder.unwrap().path().join("src"), &mut files);
    }
    files.retain(|file| {
        let is_test =
            |part: &std::ffi::OsStr| part.to_str().is_some_and(|part| part == "tests" || part.ends_with("tests.rs"));
        !file.strip_prefix(&host).unwrap().iter().any(is_test)
    });
    assert!(files.len() > 300, "{} files", files.len());
    let mut found = Vec::new();
    for file in files {
        let text = words(&std::fs::read_to_string(&file).unwrap());
        let said = banned.iter().filter(|phrase| says(&text, phrase));
        found.extend(said.map(|phrase| format!("{}: \"{phrase}\"", file.display())));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn plain_words_are_looked_for_across_lines_and_outside_of_tests() {
    let text = words(
        "/// A caller is\n    /// told.\nlet a = \"so \\\n    many\";\n#[cfg(test)]\nmod tests {\n// whoever\n}\n",
    );
    assert!(says(&text, "is told") && says(&text, "so many") && !says(&text, "whoever"), "{text}");
    assert!(!says("this tolde", "is told") && !says("somebody_else", "somebody"));
}
