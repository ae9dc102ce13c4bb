//! The demo, as README's first command runs it.

use std::process::Stdio;

use keyferry_mock_providers::apps::sample;
use keyferry_tests::{binary, run, run_in};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};

#[tokio::test]
async fn the_demo_runs_and_every_step_is_as_expected() {
    let plugins = binary::plugins().display().to_string();
    let output = run(["demo", "--once", "--plugins", &plugins]).await;
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{shown}\n{}", String::from_utf8_lossy(&output.stderr));
    for expected in [
        r#"{"success":true,"message":"Token migrated successfully"}"#,
        "getaddrinfo ENOTFOUND your-account.suitetalk.api.netsuite.com",
        "token_revoked",
        "no credential lies there in plain",
    ] {
        assert!(shown.contains(expected), "{expected} in {shown}");
    }
}

/// The commands after the demo, word by word as it prints them.
#[tokio::test]
async fn the_commands_that_the_demo_prints_work() {
    let mut command = tokio::process::Command::from(binary::command(binary::keyferry()));
    // Those of its apps, which it compiles.
    let plugins = tempfile::tempdir().unwrap();
    binary::copy_plugins(plugins.path());
    command.args(["demo", "--plugins"]).arg(plugins.path()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut demo = command.spawn().unwrap();
    let mut lines = BufReader::new(demo.stdout.take().unwrap()).lines();
    let (mut shown, last) = (Vec::new(), sample::CREDENTIALS.last().unwrap().fields[0].1);
    while let Some(line) = lines.next_line().await.unwrap() {
        let is_last = line.contains(last);
        shown.push(line);
        if is_last {
            break;
        }
    }
    let exported: Vec<(String, String)> = shown
        .iter()
        .filter_map(|line| line.strip_prefix("export ")?.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    assert_eq!(exported.len(), 3, "{shown:#?}");
    for credential in &sample::CREDENTIALS {
        let value = credential.fields[0].1;
        assert!(shown.iter().any(|line| line.contains(value) && line.contains(credential.outcome)), "{value}");
    }
    let works = sample::CREDENTIALS.iter().filter(|one| one.outcome.ends_with("works")).count();
    let program = binary::keyferry().display().to_string();
    let mut ran = 0;
    for line in shown.iter().filter_map(|line| line.strip_prefix(&program)) {
        let words = shlex::split(line).unwrap();
        let output = run_in(&exported, &words).await;
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        // The sample has rows that fail.
        let code = if words[0] == "import" { 3 } else { 0 };
        assert_eq!(output.status.code(), Some(code), "{line}\n{out}\n{err}");
        ran += 1;
    }
    assert_eq!(ran, 6, "{shown:#?}");
    let listed = run_in(&exported, ["imports", "list", "--json"]).await;
    let listed: Vec<Value> = serde_json::from_slice(&listed.stdout).unwrap();
    for import in &listed {
        let shown = run_in(&exported, ["imports", "show", import["id"].as_str().unwrap(), "--json"]).await;
        let import: Value = serde_json::from_slice(&shown.stdout).unwrap();
        assert_eq!(import["counts"]["done"], works, "{import}");
        assert_eq!(import["counts"]["failed"], sample::CREDENTIALS.len() - works, "{import}");
    }
    assert_eq!(listed.len(), 2);
    // The key that reads credentials.
    let reads = shown.iter().rfind(|line| line.contains("/credentials -H")).unwrap();
    let words = shlex::split(reads).unwrap();
    let (address, path) = words[1].strip_prefix("http://").unwrap().split_once('/').unwrap();
    let key = words[3].strip_prefix("x-api-key: ").unwrap();
    let request = keyferry_tests::http::Request::new("GET", &format!("/{path}")).header("x-api-key", key);
    let answer = request.send(address.parse().unwrap()).await;
    assert!(answer.status == 200 && answer.text().contains("demo-hubspot-access-token-works"), "{}", answer.text());

    let folder = exported.iter().find(|(name, _)| name == "KEYFERRY_DATA").unwrap().1.clone();
    let pid = rustix::process::Pid::from_raw(i32::try_from(demo.id().unwrap()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert!(demo.wait().await.unwrap().success());
    assert!(!std::path::Path::new(&folder).exists(), "{folder}");
}

#[test]
fn without_a_checkout_the_demo_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let output = binary::command(binary::keyferry()).arg("demo").current_dir(folder.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for part in ["is not in a checkout of them", "git clone https://", "keyferry demo --plugins DIR"] {
        assert!(said.contains(part), "{part}: {said}");
    }
}
