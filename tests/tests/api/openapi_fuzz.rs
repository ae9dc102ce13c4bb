//! Schemathesis, which is not ours, reads `GET /openapi.json` and sends what it makes of it: requests that fit the document and
//! ones that do not, thousands of them, and holds each answer against the document.
//!
//! `KEYFERRY_FUZZ_EXAMPLES` is how many requests it makes up for each operation (the ordinary suite has 25, a long run 1000),
//! `KEYFERRY_FUZZ_SEED` what it makes them up from. Exceptions to its checks are in `tests/openapi/checks.py`, with reasons.

use std::env;
use std::process::Command;

use keyferry_tests::http::Request;
use keyferry_tests::{ServerOptions, World, WorldOptions, binary, tools};
use serde_json::json;

/// The account that made-up requests which fit the document are about.
const ACCOUNT: &str = "made-up";
/// Checks of Schemathesis as they are, and the names of those that `checks.py` adds exceptions to.
const CHECKS: &str = "status_code_conformance,content_type_conformance,response_headers_conformance,\
                      response_schema_conformance,unsupported_method,ignored_auth,\
                      use_after_free,ensure_resource_availability,no_server_error,invalid_requests_are_refused,\
                      valid_requests_are_accepted,missing_headers_are_noticed,allowed_methods_are_described";

fn number(name: &str, default: &str) -> String {
    env::var(name).unwrap_or_else(|_| default.to_owned())
}

async fn finds_nothing(accept: &str) {
    let Some(programs) = tools::openapi() else { return };
    // Made-up credentials are turned away by the thousand; that this has a limit is tested elsewhere.
    let server = Box::new(|options: &mut ServerOptions| {
        options.arguments.extend(["--failed-verifications", "1000000"].map(str::to_owned));
    });
    let world = World::start_with(WorldOptions { server: Some(server), ..WorldOptions::default() }).await;
    world.create_account(ACCOUNT).await;
    let (examples, seed) = (number("KEYFERRY_FUZZ_EXAMPLES", "25"), number("KEYFERRY_FUZZ_SEED", "20260101"));
    println!("schemathesis with Accept: {accept}, KEYFERRY_FUZZ_EXAMPLES={examples} KEYFERRY_FUZZ_SEED={seed}");
    let folder = tools::openapi_folder();
    let mut command = Command::new(programs.join("st"));
    command
        .arg("--config-file")
        .arg(folder.join("schemathesis.toml"))
        .arg("run")
        .arg(format!("http://{}/openapi.json", world.server.address()))
        .args(["--checks", CHECKS, "--phases", "examples,coverage,fuzzing,stateful", "--max-examples", &examples])
        .args(["--seed", &seed, "--request-timeout", "20", "--header", &format!("Accept: {accept}")])
        // After it, no request would get further than its token.
        .args(["--exclude-operation-id", "revokeSessionToken"])
        .env("KEYFERRY_API_KEY", &world.api_key)
        .env("KEYFERRY_SESSION", world.session(ACCOUNT).await)
        .env("KEYFERRY_ACCOUNT", ACCOUNT)
        .env("KEYFERRY_CHECKS", folder.join("checks.py"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .current_dir(world.folder());
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().expect("start schemathesis");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    println!("{}", said.lines().rev().take(12).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("\n"));
    // It is still there, and well.
    assert_eq!(world.send(Request::new("GET", "/readyz").json(&json!({}))).await.status, 200);
}

#[tokio::test]
async fn schemathesis_finds_nothing_in_the_documented_shapes() {
    let _turn = binary::lock("test-fuzz.lock");
    finds_nothing("application/json").await;
}

#[tokio::test]
async fn schemathesis_finds_nothing_in_problems() {
    let _turn = binary::lock("test-fuzz.lock");
    finds_nothing("application/problem+json").await;
}
