//! `keyferry plugin test`: strict about requests and verdicts, and the same conformance suite for every plugin.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;

use keyferry_tests::binary;
use keyferry_tests::plugins::{build, command, plugin, printed, refused, shipped};
use serde_json::Value;

const SLACK: &str = r#"about = "Slack knows both tokens."
[credential]
auth-type = "keybased"
fields = { bot_token = "xoxb-000000000000-example", user_token = "xoxp-000000000000-example" }
[[exchange]]
method = "POST"
url = "https://slack.com/api/auth.test"
bearer = "{{bot_token}}"
answer = { status = 200, headers = { x-oauth-scopes = "chat:write" }, json = '{"ok":true,"team":"Example","team_id":"T1","user_id":"U1","bot_id":"B1"}' }
[[exchange]]
method = "POST"
url = "https://slack.com/api/auth.test"
bearer = "{{user_token}}"
answer = { status = 200, json = '{"ok":true,"team":"Example","team_id":"T1","user_id":"U2"}' }
[expect]
verdict = "verified"
account-id = "T1"
display-name = "Example"
scopes = ["chat:write"]
config = { bot_id = "B1", bot_user_id = "U1", user_id = "U2" }
"#;

/// A folder with one case.
pub(super) fn cases(text: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("case.toml"), text).unwrap();
    folder
}

/// The one case of a folder, from `--format json`.
pub(super) fn outcome(wasm: &Path, cases: &Path) -> Value {
    let output = plugin(cases, &["test", wasm.to_str().unwrap(), "--cases", ".", "--format", "json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let tests = report["suites"][0]["tests"].as_array().unwrap();
    tests.iter().find(|test| test["group"] == "case").unwrap()["outcome"].clone()
}

#[test]
fn the_shipped_plugins_pass_their_cases_and_the_conformance_suite() {
    let mut failed = Vec::new();
    for slug in &binary::slugs() {
        let wasm = binary::plugins().join(format!("{slug}.wasm"));
        let cases = shipped(slug).join("cases");
        let output = plugin(&cases, &["test", wasm.to_str().unwrap(), "--cases", "."]);
        let text = String::from_utf8_lossy(&output.stdout);
        if output.status.success() {
            assert!(text.contains("0 failed") && text.contains("17 faults"), "{text}");
            let renews = cases.join("renewed.toml").exists();
            assert_eq!(text.contains("renewed, exchange 1: 20 faults"), renews, "{text}");
            assert!(text.contains("at most: fuel ") && text.contains(" of 32.0 MiB"), "budgets are printed: {text}");
            assert!(!text.contains('\u{1b}'), "no colour where there is no terminal");
        } else {
            let bad: Vec<_> = text.lines().filter(|line| !line.trim_start().starts_with("ok ")).collect();
            failed.push(format!("{slug}:\n{}\n{}", bad.join("\n"), String::from_utf8_lossy(&output.stderr)));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// The number of instructions that fuel counts is the same on every machine and in every run: the cost of a
/// change of the SDK or of the compiler is visible here.
#[test]
fn what_shipped_plugins_compute_stays_within_a_tenth_of_what_is_written_down() {
    const PAGE: u64 = 64 * 1024;
    let written = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuel.json");
    let mut counted: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
    for slug in binary::slugs() {
        let wasm = binary::plugins().join(format!("{slug}.wasm"));
        let cases = shipped(&slug).join("cases");
        let output = plugin(&cases, &["test", wasm.to_str().unwrap(), "--cases", ".", "--format", "json"]);
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let suite = &report["suites"][0];
        let cases = suite["tests"].as_array().unwrap().iter().filter(|test| test["group"] == "case");
        let mut fuel: BTreeMap<String, u64> =
            cases.map(|test| (test["name"].as_str().unwrap().to_owned(), test["fuel"].as_u64().unwrap())).collect();
        fuel.insert("describe".to_owned(), suite["describe_fuel"].as_u64().unwrap());
        counted.insert(slug.clone(), fuel);
        // A stack of 1 MiB, data, and the initial heap.
        let memory = suite["budget"]["memory_bytes"][0].as_u64().unwrap();
        assert!(memory <= 18 * PAGE, "{slug} has grown its memory to {} pages: each call pays for that", memory / PAGE);
    }
    if std::env::var_os("KEYFERRY_WRITE_EXAMPLES").is_some() {
        std::fs::write(&written, serde_json::to_string_pretty(&counted).unwrap() + "\n").unwrap();
    }
    let known: BTreeMap<String, BTreeMap<String, u64>> =
        serde_json::from_slice(&std::fs::read(&written).unwrap()).unwrap();
    let mut off = Vec::new();
    for (slug, cases) in &counted {
        for (case, fuel) in cases {
            let known = known.get(slug).and_then(|cases| cases.get(case)).copied().unwrap_or_default();
            if fuel.abs_diff(known) > known / 10 {
                off.push(format!("{slug}, {case}: {fuel}, and {known} is written down"));
            }
        }
    }
    for (slug, cases) in &known {
        let is_there = |case: &&String| counted.get(slug).is_some_and(|cases| cases.contains_key(*case));
        off.extend(
            cases.keys().filter(|case| !is_there(case)).map(|case| format!("{slug}, {case}: there is no such case")),
        );
    }
    let written = written.display();
    assert!(off.is_empty(), "{}\n\nwith KEYFERRY_WRITE_EXAMPLES=1 {written} is written anew", off.join("\n"));
}

#[test]
fn a_case_that_fails_is_not_failed_again_by_each_fault() {
    let folder = cases(&SLACK.replace("\"T1\"\ndisplay-name", "\"T2\"\ndisplay-name"));
    let slack = binary::plugins().join("slack.wasm");
    let text = printed(&plugin(folder.path(), &["test", slack.to_str().unwrap(), "--cases", "."]), 1);
    // The other findings are that there are no cases of a rejected and of a rate-limited credential, nor of renewed tokens.
    assert!(text.contains("FAIL  case") && text.contains("3 failed"), "{text}");
    let said = refused(&plugin(folder.path(), &["test", slack.to_str().unwrap(), "--cases", "elsewhere"]));
    assert!(said.contains("elsewhere: there is no such folder"), "{said}");
}

#[test]
fn every_departure_from_a_case_fails_with_what_differs() {
    let slack = binary::plugins().join("slack.wasm");
    let first = SLACK.find("[[exchange]]").unwrap();
    let second = SLACK.rfind("[[exchange]]").unwrap();
    let expect = SLACK.find("[expect]").unwrap();
    let swapped = [&SLACK[..first], &SLACK[second..expect], &SLACK[first..second], &SLACK[expect..]].concat();
    let without_second = [&SLACK[..second], &SLACK[expect..]].concat();
    let three = [&SLACK[..expect], &SLACK[second..expect], &SLACK[expect..]].concat();
    let replaced = |from: &str, to: &str| SLACK.replacen(from, to, 1);
    let cases_and_words = [
        (SLACK.to_owned(), vec!["passed"]),
        (
            replaced("auth.test", "api.test"),
            vec!["exchange 1: the plugin asked for something else", "api.test", "auth.test"],
        ),
        (replaced("\"POST\"", "\"GET\""), vec!["GET https://slack.com", "POST https://slack.com"]),
        (
            replaced("bearer = \"{{bot_token}}\"", "bearer = \"{{user_token}}\""),
            vec!["bearer: {{user_token}}", "bearer: {{bot_token}}"],
        ),
        (
            replaced("bearer = \"{{bot_token}}\"", "headers = { x-key = \"{{bot_token}}\" }"),
            vec!["header x-key: {{bot_token}}"],
        ),
        (swapped, vec!["this is exchange 2, out of order"]),
        (without_second, vec!["asked for more than the case has", "bearer: {{user_token}}"]),
        (three, vec!["exchange 3: the plugin did not ask for it"]),
        (
            replaced("\"T1\"\ndisplay", "\"T2\"\ndisplay"),
            vec!["the verdict is another", "account-id: T2", "account-id: T1"],
        ),
        (replaced("config = { bot_id = \"B1\", ", "config = { "), vec!["config bot_id = B1"]),
        (
            replaced("verdict = \"verified\"", "verdict = \"verified\"\nwarnings = [\"careful\"]"),
            vec!["warning: careful"],
        ),
        (
            replaced("bot_token = ", "bot_tocken = ").replace("{{bot_token}}", "{{bot_tocken}}"),
            vec!["does not fit the plugin's schema", "bot_tocken"],
        ),
    ];
    for (text, words) in cases_and_words {
        let folder = cases(&text);
        let told = outcome(&slack, folder.path()).to_string();
        for word in words {
            assert!(told.contains(word), "{word} in {told}\n{text}");
        }
    }
}

#[test]
fn what_a_careless_plugin_does_wrong_is_found_by_the_conformance_suite() {
    let out = tempfile::tempdir().unwrap();
    build("careless", out.path());
    let wasm = out.path().join("careless.wasm");
    let case = |auth_type: &str, fields: &str, url: &str| {
        let exchange = if url.is_empty() {
            String::new()
        } else {
            format!(
                "[[exchange]]\nmethod = \"GET\"\nurl = \"{url}\"\nbearer = \"ak_Zq81LmX0cv73Trb2\"\nanswer = {{ status = 200, json = '{{}}' }}\n"
            )
        };
        let account = if auth_type == "no-proof" { "made up" } else { "1" };
        format!(
            "[credential]\nauth-type = \"{auth_type}\"\nfields = {{ api_key = \"ak_Zq81LmX0cv73Trb2\"{fields} }}\n{exchange}[expect]\nverdict = \"verified\"\naccount-id = \"{account}\"\n"
        )
    };
    let me = "https://api.careless.example.com/v1/me";
    let table = [
        (case("blames", "", me), "this must be unreachable (dns)"),
        (case("breaks", "", me), "the plugin failed"),
        (case("breaks", "", me), "nobody thought of this"),
        (case("leaks", "", me), "a log line holds a piece of a secret"),
        (
            case("loose-host", ", site = \"acme\"", "https://acme.careless.example.com/v1/me"),
            "a credential is `verified` only where the provider said so",
        ),
        (
            case("ungranted", "", "https://elsewhere.example.com/v1/me"),
            "`describe` has to ask for the grant `GET https://elsewhere.example.com/v1/me",
        ),
        (case("no-proof", "", ""), "no case expects rejected, nor rate-limited"),
    ];
    let renewal = r#"[credential]
auth-type = "hasty"
fields = { api_key = "ak_Zq81LmX0cv73Trb2", refresh_token = "rt_Zq81LmX0cv73Trb2" }
[renewal]
pair = "api_key"
client = { id = "client-1", secret = "client-secret-1" }
[[exchange]]
method = "POST"
url = "https://api.careless.example.com/oauth/token"
headers = { accept = "application/json" }
form = { grant_type = "refresh_token", refresh_token = "{{refresh_token}}", client_id = "{{client_id}}", client_secret = "{{client_secret}}" }
answer = { status = 200, json = '{"access_token":"ak_new"}' }
[expect]
renewed = { api_key = "ak_new" }
"#;
    let outage = "an outage must not end a connection: this must be ";
    let hasty = ["provider-error with status 503", "unreachable (timeout)", "rate-limited with retry-after 30"]
        .map(|wanted| (renewal.to_owned(), format!("{outage}{wanted}")));
    let table = table.map(|(text, expected)| (text, expected.to_owned()));
    for (text, expected) in table.into_iter().chain(hasty) {
        let folder = cases(&text);
        let output = plugin(folder.path(), &["test", wasm.to_str().unwrap(), "--cases", "."]);
        let told = printed(&output, 1);
        assert!(told.contains(&expected), "{expected} in {told}");
    }
}

#[test]
fn results_come_as_json_junit_and_tap_too() {
    let folder = cases(&SLACK.replacen("\"T1\"\ndisplay", "\"T2\"\ndisplay", 1));
    let slack = binary::plugins().join("slack.wasm");
    let run = |format: &str| {
        printed(&plugin(folder.path(), &["test", slack.to_str().unwrap(), "--cases", ".", "--format", format]), 1)
    };
    let json: Value = serde_json::from_str(&run("json")).unwrap();
    let suite = &json["suites"][0];
    let tests = suite["tests"].as_array().unwrap();
    let failed = tests.iter().filter(|test| test["outcome"] != "passed").count();
    assert_eq!(suite["slug"], "slack");
    let junit = run("junit");
    assert!(junit.starts_with("<?xml"), "{junit}");
    assert!(
        junit.contains(&format!("tests=\"{}\"", tests.len())) && junit.contains(&format!("failures=\"{failed}\"")),
        "{junit}"
    );
    let tap = run("tap");
    assert!(
        tap.starts_with(&format!("TAP version 14\n1..{}\nnot ok 1 - slack case: case\n  ---\n", tests.len())),
        "{tap}"
    );
    assert_eq!(tap.lines().filter(|line| line.starts_with("not ok ")).count(), failed);
    assert_eq!(tap.lines().filter(|line| line.starts_with("ok ")).count(), tests.len() - failed);
}

#[test]
fn input_that_is_no_use_gets_one_message_and_exit_code_2() {
    let good = cases(SLACK);
    let typo = cases(&SLACK.replacen("bearer", "baerer", 1));
    let empty = tempfile::tempdir().unwrap();
    let slack = binary::plugins().join("slack.wasm").display().to_string();
    let rubbish = good.path().join("rubbish.wasm");
    std::fs::write(&rubbish, b"\0asm rubbish").unwrap();
    let huge = good.path().join("huge.wasm");
    std::fs::File::create(&huge).unwrap().set_len(1 << 30).unwrap();
    let table = [
        (typo.path(), slack.as_str(), "./case.toml:8: `baerer` is no key here; did you mean `bearer`?"),
        (empty.path(), slack.as_str(), "there are no cases (*.toml) here"),
        (good.path(), "rubbish.wasm", "rubbish.wasm: it is not WebAssembly"),
        (good.path(), "huge.wasm", "huge.wasm: it is larger than"),
        (good.path(), "nowhere.wasm", "nowhere.wasm: there is no such file"),
        (good.path(), "/dev/null", "/dev/null: it is not a file"),
        (good.path(), ".", "is no plugin's folder"),
    ];
    for (folder, file, expected) in table {
        let said = refused(&plugin(folder, &["test", file, "--cases", "."]));
        assert!(said.contains(expected), "{expected} in {said}");
        assert_eq!(said.lines().filter(|line| line.contains("error:")).count(), 1, "{said}");
    }
}

#[test]
fn watching_runs_the_cases_again_when_one_changes() {
    let folder = cases(&SLACK.replacen("\"T1\"\ndisplay", "\"T2\"\ndisplay", 1));
    let slack = folder.path().join("slack.wasm");
    std::fs::copy(binary::plugins().join("slack.wasm"), &slack).unwrap();
    let mut child = command(folder.path(), &["test", "slack.wasm", "--cases", ".", "--watch"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let total = lines.find(|line| line.contains(" passed, ")).unwrap();
    assert!(!total.contains(" 0 failed"), "{total}");
    // Rewritten until the change is noticed: the watch begins before the first run, but file systems may delay events.
    std::fs::write(folder.path().join("case.toml"), SLACK).unwrap();
    let again = lines.find(|line| line.contains("  case  ")).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(again.contains("ok  "), "{again}");
}
