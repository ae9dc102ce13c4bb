//! Schemathesis, a third-party tool, reads `GET /openapi.json` and sends requests derived from it: requests that fit
//! the document and requests that do not, thousands of them. It compares each response with the document.
//!
//! `KEYFERRY_FUZZ_EXAMPLES` is the number of requests for each operation (10 in the short form, 100 in the long one),
//! `KEYFERRY_FUZZ_SEED` the seed. Exceptions to its checks are in `tests/openapi/checks.py`, with reasons.

use std::env;
use std::process::Command;

use keyferry_tests::form::Form;
use keyferry_tests::http::Request;
use keyferry_tests::{ServerOptions, World, WorldOptions, tools};
use serde_json::json;

/// The account of generated requests that fit the document.
const ACCOUNT: &str = "made-up";
/// Built-in checks of Schemathesis, and those for which `checks.py` has exceptions.
const CHECKS: &str = "status_code_conformance,content_type_conformance,response_headers_conformance,\
                      response_schema_conformance,unsupported_method,ignored_auth,\
                      use_after_free,ensure_resource_availability,no_server_error,invalid_requests_are_refused,\
                      valid_requests_are_accepted,missing_headers_are_noticed,allowed_methods_are_described";

fn number(name: &str, default: &str) -> String {
    env::var(name).unwrap_or_else(|_| default.to_owned())
}

async fn finds_nothing(accept: &str, phases: &str) {
    let Some(programs) = tools::openapi() else { return };
    // Thousands of generated credentials are rejected; another test covers the limit.
    let server = Box::new(|options: &mut ServerOptions| {
        options.arguments.extend(["--failed-verifications", "1000000"].map(str::to_owned));
    });
    let world = World::start_with(WorldOptions { server: Some(server), ..WorldOptions::default() }).await;
    world.create_account(ACCOUNT).await;
    let (examples, seed) =
        (number("KEYFERRY_FUZZ_EXAMPLES", Form::current().of("10", "100")), number("KEYFERRY_FUZZ_SEED", "20260101"));
    println!("schemathesis with Accept: {accept}, KEYFERRY_FUZZ_EXAMPLES={examples} KEYFERRY_FUZZ_SEED={seed}");
    let folder = tools::openapi_folder();
    let mut command = Command::new(programs.join("st"));
    command
        .arg("--config-file")
        .arg(folder.join("schemathesis.toml"))
        .arg("run")
        .arg(format!("http://{}/openapi.json", world.server.address()))
        .args(["--checks", CHECKS, "--phases", phases, "--max-examples", &examples])
        .args(["--seed", &seed, "--request-timeout", "20", "--header", &format!("Accept: {accept}")])
        // It would end the session that the other requests use.
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
    // The server is still healthy.
    assert_eq!(world.send(Request::new("GET", "/readyz").json(&json!({}))).await.status, 200);
}

/// What Schemathesis derives from the document: its examples, each boundary of each schema, random values, and sequences of operations.
const ALL_PHASES: &str = "examples,coverage,fuzzing,stateful";

#[tokio::test]
async fn schemathesis_finds_nothing_in_the_documented_shapes() {
    finds_nothing("application/json", ALL_PHASES).await;
}

/// The same requests get the same errors in the other form. The boundaries, two thirds of all requests, are requested in the long form.
#[tokio::test]
async fn schemathesis_finds_nothing_in_problems() {
    finds_nothing("application/problem+json", Form::current().of("examples,fuzzing,stateful", ALL_PHASES)).await;
}
