//! `keyferry plugin call` and `record`: a real exchange, printed and recorded without its secrets.

use std::path::Path;
use std::process::Output;

use keyferry_mock_providers::{MockProviders, Received, Reply};
use keyferry_tests::binary;
use keyferry_tests::plugins::{build, plugin, printed, refused};
use serde_json::json;

const TOKEN: &str = "pat-na1-3f0c5a7e-1b2d-4c6f-8a90-1e2d3c4b5a69";

/// Runs a subcommand while the mock providers of this test's runtime respond.
async fn live(folder: &Path, arguments: Vec<String>) -> Output {
    let folder = folder.to_owned();
    tokio::task::spawn_blocking(move || plugin(&folder, &arguments.iter().map(String::as_str).collect::<Vec<_>>()))
        .await
        .unwrap()
}

fn hubspot(request: Received) -> Reply {
    match request.header("authorization") {
        Some(token) if token == format!("Bearer {TOKEN}") => Reply::json(
            200,
            &json!({ "portalId": 4_711_123, "uiDomain": "app.hubspot.com", "you_sent": token, "owner": "jane@example.com" }),
        )
        .with_header("x-request-id", "abc"),
        _ => Reply::json(401, &json!({ "category": "INVALID_AUTHENTICATION", "message": "no" })),
    }
}

/// A folder with a credential and the certificate authority of a mock provider, and the arguments of `call` and
/// `record`.
async fn stage(
    host: &str,
    handler: fn(Received) -> Reply,
    credential: &str,
) -> (tempfile::TempDir, MockProviders, Vec<String>) {
    let mut providers = MockProviders::start().await.unwrap();
    let address = providers.add(host, handler).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    providers.write_ca_pem(&folder.path().join("ca.pem")).unwrap();
    std::fs::write(folder.path().join("auth.json"), credential).unwrap();
    let provider = format!("https://{address}");
    let arguments = ["--auth-object", "auth.json", "--provider", &provider, "--egress-ca", "ca.pem"];
    (folder, providers, arguments.map(str::to_owned).to_vec())
}

fn arguments(command: &str, wasm: &Path, rest: &[&str], common: &[String]) -> Vec<String> {
    let first = [command.to_owned(), wasm.display().to_string()];
    first.into_iter().chain(rest.iter().map(|word| (*word).to_owned())).chain(common.iter().cloned()).collect()
}

#[tokio::test]
async fn a_call_shows_what_went_over_the_wire_and_no_secret() {
    let credential = json!({ "keybased": { "access_token": TOKEN } }).to_string();
    let (folder, _providers, common) = stage("api.hubapi.com", hubspot, &credential).await;
    let wasm = binary::plugins().join("hubspot.wasm");
    let text = printed(&live(folder.path(), arguments("call", &wasm, &[], &common)).await, 0);
    for word in [
        "> GET https://api.hubapi.com/account-info/v3/details",
        "> bearer: {{access_token}}",
        "< 200",
        "Bearer ***",
        "verified",
        "account-id: 4711123",
    ] {
        assert!(text.contains(word), "{word} in {text}");
    }
    assert!(!text.contains("3f0c5a7e"), "{text}");
    std::fs::write(folder.path().join("auth.json"), r#"{"keybased":{"access_token":"pat-na1-another"}}"#).unwrap();
    let text = printed(&live(folder.path(), arguments("call", &wasm, &[], &common)).await, 1);
    assert!(text.contains("rejected") && text.contains("INVALID_AUTHENTICATION"), "{text}");
    // Errors in the credential's file are reported without quoting it.
    for (content, expected) in [
        (format!("{{\"keybased\": {TOKEN}}}"), "is not JSON (line 1, column"),
        (json!({ "keybased": { "acces_token": TOKEN } }).to_string(), "auth_object.keybased.access_token is required"),
    ] {
        std::fs::write(folder.path().join("auth.json"), content).unwrap();
        let said = refused(&live(folder.path(), arguments("call", &wasm, &[], &common)).await);
        assert!(said.contains(expected) && !said.contains("3f0c5a7e"), "{said}");
    }
}

#[tokio::test]
async fn a_recorded_case_passes_and_holds_no_secret_and_nobodys_name() {
    let credential = json!({ "keybased": { "access_token": TOKEN } }).to_string();
    let (folder, _providers, common) = stage("api.hubapi.com", hubspot, &credential).await;
    let wasm = binary::plugins().join("hubspot.wasm");
    for (name, mask) in [("plain", false), ("masked", true)] {
        let mut rest = vec!["--case", name, "--cases", "cases", "--about", "Recorded."];
        rest.extend(mask.then_some("--mask"));
        printed(&live(folder.path(), arguments("record", &wasm, &rest, &common)).await, 0);
        let text = std::fs::read_to_string(folder.path().join(format!("cases/{name}.toml"))).unwrap();
        assert!(text.contains("bearer = \"{{access_token}}\"") && text.contains("Bearer ***"), "{text}");
        assert!(!text.contains("3f0c5a7e") && !text.contains("x-request-id"), "{text}");
        assert_eq!(text.contains("4711123") || text.contains("jane@example.com"), !mask, "{text}");
        let again = refused(&live(folder.path(), arguments("record", &wasm, &rest, &common)).await);
        assert!(again.contains(&format!("{name}.toml exists")), "{again}");
    }
    let run = ["test".to_owned(), wasm.display().to_string(), "--cases".to_owned(), "cases".to_owned()];
    let text = printed(&live(folder.path(), run.to_vec()).await, 1);
    assert!(text.contains("ok    plain") && text.contains("ok    masked"), "{text}");
    assert!(text.contains("2 failed") && text.contains("no case expects rejected, nor rate-limited"), "{text}");
}

#[tokio::test]
async fn a_case_of_a_built_file_is_written_where_the_test_of_its_folder_finds_it() {
    let credential = json!({ "keybased": { "access_token": TOKEN } }).to_string();
    let (folder, _providers, common) = stage("api.hubapi.com", hubspot, &credential).await;
    std::fs::create_dir(folder.path().join("build")).unwrap();
    std::fs::copy(binary::plugins().join("hubspot.wasm"), folder.path().join("build/hubspot.wasm")).unwrap();
    std::fs::write(folder.path().join("Cargo.toml"), "[package]\nname = \"keyferry-hubspot\"\n").unwrap();
    let wasm = Path::new("build/hubspot.wasm");
    let said = printed(&live(folder.path(), arguments("record", wasm, &["--case", "good"], &common)).await, 0);
    assert!(said.contains("written to cases/good.toml"), "{said}");
    assert!(folder.path().join("cases/good.toml").is_file());
    // `plugin test` accepts the same cases.
    let tested = printed(&live(folder.path(), vec!["test".to_owned(), wasm.display().to_string()]).await, 1);
    assert!(tested.contains("ok    good"), "{tested}");
}

#[tokio::test]
async fn a_case_in_which_a_secret_would_stand_is_not_written() {
    // This plugin reads secrets, and its provider responds with the reversed secret, which no search for secrets
    // recognises.
    let backwards = |request: Received| {
        let sent = request.header("authorization").unwrap_or_default().trim_start_matches("Bearer ").to_owned();
        Reply::json(200, &json!({ "echo": sent.chars().rev().collect::<String>() }))
    };
    let credential = json!({ "leaks": { "api_key": "ak_Zq81LmX0cv73Trb2" } }).to_string();
    let (folder, _providers, common) = stage("api.careless.example.com", backwards, &credential).await;
    build("careless", folder.path());
    let wasm = folder.path().join("careless.wasm");
    let said = refused(&live(folder.path(), arguments("record", &wasm, &["--case", "leak"], &common)).await);
    assert!(said.contains("the case was not written") && said.contains("`api_key`"), "{said}");
    assert!(!folder.path().join("cases").exists());
    // Secrets that the plugin puts into a request are not printed either.
    let called = live(folder.path(), arguments("call", &wasm, &[], &common)).await;
    let text = String::from_utf8_lossy(&called.stdout);
    assert!(text.contains("> bearer: ***") && !text.contains("Zq81LmX0"), "{text}");
}
