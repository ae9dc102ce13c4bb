//! `keyferry plugin check` and `inspect`: defects are reported by their codes, and no file makes either panic.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::LazyLock;

use keyferry_devkit::check::{Code, lint};
use keyferry_devkit::workbench;
use keyferry_tests::binary;
use keyferry_tests::plugins::{build, plugin, printed, refused};
use proptest::prelude::*;
use serde_json::Value;

fn codes(folder: &Path, file: &str) -> (BTreeSet<String>, Value) {
    let output = plugin(folder, &["check", file, "--json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let findings = report["plugins"][0]["findings"].as_array().unwrap();
    (findings.iter().map(|finding| finding["code"].as_str().unwrap().to_owned()).collect(), report)
}

#[test]
fn the_shipped_plugins_are_clean() {
    let files: Vec<String> = binary::slugs().iter().map(|slug| format!("{slug}.wasm")).collect();
    let mut arguments = vec!["check", "--deny-warnings"];
    arguments.extend(files.iter().map(String::as_str));
    assert_eq!(
        printed(&plugin(binary::plugins(), &arguments), 0),
        format!("{} plugins: 0 errors, 0 warnings\n", files.len())
    );
}

#[test]
fn each_slip_of_a_careless_plugin_has_its_code_its_place_and_what_to_do_next() {
    let out = tempfile::tempdir().unwrap();
    build("careless", out.path());
    let (found, report) = codes(out.path(), "careless.wasm");
    let expected = [
        "KF009", "KF010", "KF012", "KF013", "KF014", "KF015", "KF016", "KF017", "KF018", "KF019", "KF020", "KF023",
        "KF024", "KF025", "KF028",
    ];
    assert_eq!(found, expected.map(str::to_owned).into(), "{report:#}");
    let places = [
        ("KF012", "loose-host.site"),
        ("KF014", "words.password"),
        ("KF015", "words.code"),
        ("KF016", "words.code"),
        ("KF018", "ungranted"),
        ("KF018", "choices"),
        ("KF019", "no-proof"),
        ("KF020", "blames"),
        ("KF023", "breaks"),
        ("KF025", "steers"),
        ("KF028", "breaks"),
    ];
    let findings = report["plugins"][0]["findings"].as_array().unwrap();
    for (code, place) in places {
        let at = findings.iter().any(|finding| finding["code"] == code && finding["place"] == place);
        assert!(at, "{code} at {place}: {report:#}");
    }
    let text = printed(&plugin(out.path(), &["check", "careless.wasm"]), 2);
    assert!(
        text.contains("error[KF018] careless.wasm: ungranted: it asks for `GET https://elsewhere.example.com/v1/me"),
        "{text}"
    );
    assert!(
        text.contains("choices: it asks for `GET https://us.elsewhere.example.com/v1/me")
            && text.contains("(where `region` is `us`)"),
        "every choice is tried: {text}"
    );
    for place in ["choices", "blames", "no-proof"] {
        let at = findings.iter().any(|finding| finding["code"] == "KF028" && finding["place"] == place);
        assert!(!at, "{place} does not say `verified` on 401: {report:#}");
    }
    assert!(text.contains("nobody thought of this"), "the panic's message is shown: {text}");
    assert_eq!(text.matches("  next: ").count(), findings.len());
}

#[test]
fn a_file_that_cannot_run_is_told_apart_by_its_code() {
    let folder = tempfile::tempdir().unwrap();
    let hubspot = std::fs::read(binary::plugins().join("hubspot.wasm")).unwrap();
    let app = r#"(instance $i) (export "keyferry:plugin/app@1.0.0" (instance $i))"#;
    let wat = |body: String| wat::parse_str(format!("(component {body})")).unwrap();
    let imports = r#"(import "wasi:http/types@0.2.6" (instance)) (import "env" (func))"#;
    let other = r#"(import "keyferry:plugin/http@2.0.0" (instance)) (instance $i) (export "keyferry:plugin/app@2.0.0" (instance $i))"#;
    let mut large = hubspot.clone();
    large.resize(25 * 1024 * 1024, 0);
    let cases: [(&str, Vec<u8>, &[&str]); 9] = [
        ("empty.wasm", Vec::new(), &["KF001"]),
        ("random.wasm", vec![0xA5; 4096], &["KF001"]),
        ("cut.wasm", hubspot[..hubspot.len() / 2].to_vec(), &["KF001"]),
        ("module.wasm", wat::parse_str("(module)").unwrap(), &["KF001"]),
        ("imports.wasm", wat(format!("{imports} {app}")), &["KF002"]),
        ("other.wasm", wat(other.to_owned()), &["KF003"]),
        ("wasi.wasm", wat(format!(r#"(import "wasi:io/poll@0.2.6" (instance)) {app}"#)), &["KF004", "KF006"]),
        ("types.wasm", wat(app.to_owned()), &["KF006"]),
        ("bomb.wasm", wat(format!("(core module {}) {app}", "(func)".repeat(100_001))), &["KF006"]),
    ];
    for (file, bytes, expected) in cases {
        std::fs::write(folder.path().join(file), bytes).unwrap();
        let (found, report) = codes(folder.path(), file);
        assert_eq!(found, expected.iter().map(|code| (*code).to_owned()).collect(), "{file}: {report:#}");
        let text = printed(&plugin(folder.path(), &["check", file]), 2);
        assert!(text.lines().all(|line| line.len() < 600), "short lines: {text}");
    }
    let (_, report) = codes(folder.path(), "imports.wasm");
    let text = report.to_string();
    assert!(text.contains("wasi:http/types@0.2.6") && text.contains("`env`"), "every import is named: {text}");
    let missing = refused(&plugin(folder.path(), &["check", "nowhere.wasm"]));
    assert!(missing.contains("nowhere.wasm: there is no such file"), "{missing}");
}

#[test]
fn warnings_fail_a_check_only_where_they_are_denied() {
    let folder = tempfile::tempdir().unwrap();
    build("sealed", folder.path());
    let text = printed(&plugin(folder.path(), &["check", "sealed.wasm"]), 0);
    assert!(text.contains("warning[KF004]") && text.contains("wasi:cli/environment@0.2.0"), "{text}");
    printed(&plugin(folder.path(), &["check", "sealed.wasm", "--deny-warnings"]), 1);
}

#[test]
fn a_plugin_file_tells_what_it_is() {
    let folder = binary::plugins();
    let text = printed(&plugin(folder, &["inspect", "stripe.wasm"]), 0);
    for word in [
        "Stripe (stripe)",
        "contract  1.1.0",
        "asks for  GET https://api.stripe.com/v1/account/*",
        "secret, required",
        "^acct_",
    ] {
        assert!(text.contains(word), "{word} in {text}");
    }
    let json: Value =
        serde_json::from_str(&printed(&plugin(folder, &["inspect", "stripe.wasm", "--json"]), 0)).unwrap();
    assert_eq!(
        (&json["slug"], &json["contract"], &json["needs_wasi"]),
        (&"stripe".into(), &"1.1.0".into(), &false.into())
    );
    let schemas = printed(&plugin(folder, &["inspect", "stripe.wasm", "--json-schema"]), 0);
    let schemas: Value = serde_json::from_str(&schemas).unwrap();
    let key = &schemas["keybased"];
    assert_eq!(key["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert_eq!(
        (&key["properties"]["api_key"]["writeOnly"], &key["required"]),
        (&true.into(), &serde_json::json!(["api_key"]))
    );
    assert_eq!(key["properties"]["stripe_account"].get("writeOnly"), None);
    let other = refused(&plugin(folder, &["inspect", "/dev/null"]));
    assert!(other.contains("it is not a file"), "{other}");
}

#[test]
fn codes_are_stable_and_each_says_what_to_do() {
    for (index, code) in Code::ALL.iter().enumerate() {
        assert_eq!(code.as_str(), format!("KF{:03}", index + 1));
        assert!(!code.title().is_empty() && !code.next().is_empty());
    }
}

static HUBSPOT: LazyLock<Vec<u8>> = LazyLock::new(|| std::fs::read(binary::plugins().join("hubspot.wasm")).unwrap());

/// Mutations of a file.
#[derive(Debug, Clone)]
enum Mutation {
    Flip(usize, u8),
    Cut(usize),
    Insert(usize, Vec<u8>),
    Splice(usize, usize, usize),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    prop_oneof![
        (any::<usize>(), 0..8_u8).prop_map(|(at, bit)| Mutation::Flip(at, bit)),
        any::<usize>().prop_map(Mutation::Cut),
        (any::<usize>(), proptest::collection::vec(any::<u8>(), 1..9))
            .prop_map(|(at, bytes)| Mutation::Insert(at, bytes)),
        (any::<usize>(), any::<usize>(), 1..64_usize).prop_map(|(from, to, length)| Mutation::Splice(from, to, length)),
    ]
}

fn mutated(mut bytes: Vec<u8>, mutations: &[Mutation]) -> Vec<u8> {
    for mutation in mutations {
        let length = bytes.len().max(1);
        match mutation {
            Mutation::Flip(at, bit) => {
                if let Some(byte) = bytes.get_mut(at % length) {
                    *byte ^= 1 << bit;
                }
            }
            Mutation::Cut(at) => bytes.truncate(at % length),
            Mutation::Insert(at, inserted) => {
                let at = at % length;
                bytes.splice(at..at, inserted.iter().copied());
            }
            Mutation::Splice(from, to, count) => {
                let (from, to) = (from % length, to % length);
                let piece: Vec<u8> = bytes.iter().skip(from).take(*count).copied().collect();
                bytes.splice(to..to, piece);
            }
        }
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 160, max_shrink_iters: 64, ..ProptestConfig::default() })]

    #[test]
    fn no_mutation_of_a_component_makes_check_panic(mutations in proptest::collection::vec(mutation(), 1..4)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let bench = BENCH.as_ref().unwrap();
        // Any result is good: a panic or an endless run would fail here.
        runtime.block_on(lint(bench, mutated(HUBSPOT.clone(), &mutations)));
    }
}

static BENCH: LazyLock<Result<keyferry_sandbox::Workbench, keyferry_sandbox::SandboxError>> = LazyLock::new(workbench);
