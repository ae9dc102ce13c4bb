//! Each proof that `docs/security.md` and `docs/assurance.md` name exists, so that none can be renamed or dropped
//! unnoticed.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// `hostile::name` is in a file `hostile.rs` below `tests/tests`, `vault/seal::name` in
/// `host/crates/vault/src/seal.rs`, and
/// `cli/config/file::name` in `host/src`.
fn sources(file: &str) -> Vec<String> {
    let mut places = vec![root().join("tests/tests").join(file), root().join("host/src").join(file)];
    for group in ["api", "plugins", "security", "reliability"] {
        places.push(root().join("tests/tests").join(group).join(file));
    }
    if let Some((name, inner)) = file.split_once('/') {
        places.push(root().join("host/crates").join(name).join("src").join(inner));
    }
    places.iter().filter_map(|place| fs::read_to_string(place.with_extension("rs")).ok()).collect()
}

/// Whether the function follows an attribute that makes a test of it. `proptest!` takes the same attribute.
fn is_a_test(source: &str, name: &str) -> bool {
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let place = lines.iter().position(|line| {
        let line = line.strip_prefix("async ").unwrap_or(line);
        line.strip_prefix("fn ").and_then(|rest| rest.strip_prefix(name)).is_some_and(|rest| rest.starts_with('('))
    });
    place.is_some_and(|place| {
        let above: Vec<_> = lines.iter().take(place).rev().take_while(|line| line.starts_with("#[")).collect();
        let runs = !above.iter().any(|line| line.starts_with("#[ignore"));
        runs && above.iter().any(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test"))
    })
}

/// The rows of a page's tables whose last column has that heading.
fn rows(page: &str, heading: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join(page)).unwrap();
    let (mut rows, mut within) = (Vec::new(), false);
    for row in text.lines() {
        if row.ends_with(&format!("| {heading} |")) {
            within = true;
        } else if !row.starts_with('|') {
            within = false;
        } else if within && !row.starts_with("|-") {
            rows.push(row.to_owned());
        }
    }
    rows
}

/// The texts between backticks in the last cell of a row.
fn proofs(row: &str) -> Vec<&str> {
    let cell = row.trim_end_matches('|').rsplit('|').next().unwrap_or_default();
    cell.split('`').skip(1).step_by(2).collect()
}

fn is_there(proof: &str) -> bool {
    let (file, name) = proof.split_once("::").unwrap_or((proof, ""));
    sources(file).iter().any(|source| is_a_test(source, name))
}

#[test]
fn every_test_that_the_threat_model_names_is_there() {
    let rows = rows("docs/security.md", "proven by");
    assert!(rows.len() > 90, "{} rows", rows.len());
    for row in rows {
        let proofs = proofs(&row);
        assert!(!proofs.is_empty(), "docs/security.md proves nothing in:\n{row}");
        for proof in proofs {
            assert!(is_there(proof), "docs/security.md names `{proof}`, which is no test that runs, in:\n{row}");
        }
    }
}

#[test]
fn every_proof_that_the_assurance_names_is_there() {
    let rows = rows("docs/assurance.md", "proof");
    assert!(rows.len() > 40, "{} rows", rows.len());
    for row in rows {
        let proofs = proofs(&row);
        // A file, a folder, or a test; the rest are commands and tools.
        let found = proofs.iter().filter(|proof| {
            let is_path = proof.contains('/') && !proof.contains([' ', '*', '@']);
            let there = if proof.contains("::") { is_there(proof) } else { root().join(proof).exists() };
            assert!(!is_path || there, "docs/assurance.md names `{proof}`, which is not there, in:\n{row}");
            is_path
        });
        assert!(found.count() > 0, "docs/assurance.md proves nothing in:\n{row}");
    }
}

#[test]
fn what_is_no_test_or_does_not_run_does_not_count() {
    let source = "#[test]\n#[should_panic]\nfn one() {}\n\nfn two() {}\n\n#[tokio::test(flavor = \"x\")]\nasync fn three() {}\n\n\
                  #[test]\n#[ignore = \"slow\"]\nfn four() {}\n";
    let found = ["one", "two", "three", "thre", "four", "five"].map(|name| is_a_test(source, name));
    assert_eq!(found, [true, false, true, false, false, false]);
}
