//! Clients that third-party generators make from `GET /openapi.json`: they compile, their types are the expected ones,
//! and they can store and read a credential.

use std::fs;
use std::path::Path;
use std::process::Command;

use keyferry_mock_providers::apps::demo;
use keyferry_tests::http::get;
use keyferry_tests::{World, tools};
use serde_json::{Value, json};

/// A server, and a folder with its description and these files beside it.
async fn workshop(files: &[&str]) -> (World, tempfile::TempDir) {
    let (world, folder) = (World::start().await, tempfile::tempdir().unwrap());
    let description = get(world.server.address(), "/openapi.json").await;
    fs::write(folder.path().join("openapi.json"), &description.body).unwrap();
    for file in files {
        fs::copy(tools::generated_folder().join(file), folder.path().join(file)).unwrap();
    }
    (world, folder)
}

/// Runs a program there, and returns its output. The mock providers run in this runtime meanwhile.
async fn run(world: &World, folder: &Path, program: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(folder)
        .env("KEYFERRY_URL", world.server.url())
        .env("KEYFERRY_API_KEY", &world.api_key)
        .env("KEYFERRY_TOKEN", demo::HUBSPOT_ACCESS_TOKEN);
    // The generator formats its code with a program beside it.
    let beside = program.parent().map(Path::to_owned).into_iter();
    let path = std::env::var_os("PATH").unwrap_or_default();
    command.env("PATH", std::env::join_paths(beside.chain(std::env::split_paths(&path))).unwrap());
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().expect("start a program");
    let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{} {arguments:?}\n{said}\n{complained}", program.display());
    said.into_owned()
}

/// The generator for Python supports neither NDJSON nor event streams, nor files of several types: it treats them
/// as bytes.
fn as_bytes(document: &Path) {
    let mut known: Value = serde_json::from_str(&fs::read_to_string(document).unwrap()).unwrap();
    let strange = ["application/x-ndjson", "text/event-stream"];
    let mut changed = 0;
    for operation in
        known["paths"].as_object_mut().unwrap().values_mut().flat_map(|path| path.as_object_mut().unwrap().values_mut())
    {
        let mut make_bytes = |content: &mut Value| {
            if strange.iter().any(|strange| content.get(strange).is_some()) {
                *content =
                    json!({ "application/octet-stream": { "schema": { "type": "string", "format": "binary" } } });
                changed += 1;
            }
        };
        if let Some(content) = operation.get_mut("requestBody").and_then(|body| body.get_mut("content")) {
            make_bytes(content);
        }
        let responses = operation.get_mut("responses").and_then(Value::as_object_mut);
        for response in responses.into_iter().flat_map(|all| all.values_mut()) {
            if let Some(content) = response.get_mut("content") {
                make_bytes(content);
            }
        }
    }
    assert!(changed > 0);
    fs::write(document, known.to_string()).unwrap();
}

/// The results of the successful part, from either client.
fn went_well(seen: &Value, account: &str) {
    assert_eq!(seen["made"], account);
    assert_eq!(seen["migrated"], true);
    assert_eq!(seen["integration"], "hubspot");
    assert_eq!(seen["plan"], "gold");
    assert_eq!(seen["listed"], json!([account]));
    assert_eq!(seen["deleted"], "User deleted successfully");
}

#[tokio::test]
async fn a_typescript_client_compiles_strictly_and_takes_a_credential_all_the_way() {
    let Some(installed) = tools::typescript() else { return };
    let (world, folder) = workshop(&["package.json", "tsconfig.json", "roundtrip.ts"]).await;
    let (folder, modules) = (folder.path(), folder.path().join("node_modules"));
    std::os::unix::fs::symlink(installed.join("node_modules"), &modules).unwrap();
    let programs = modules.join(".bin");
    run(&world, folder, &programs.join("openapi-typescript"), &["openapi.json", "-o", "schema.d.ts"]).await;
    run(&world, folder, &programs.join("tsc"), &["-p", "."]).await;
    let seen = run(&world, folder, Path::new("node"), &["out/roundtrip.js"]).await;
    let seen: Value = serde_json::from_str(&seen).unwrap();
    went_well(&seen, "typescript/1");
    assert_eq!(seen["refused"], json!([422, "credentials_rejected"]), "a problem, by its code");
    assert_eq!(seen["documented"][0], 404);
    assert!(seen["documented"][1].as_str().unwrap().contains("nobody"), "{seen}");
}

#[tokio::test]
async fn a_python_client_is_made_without_a_warning_passes_mypy_and_takes_a_credential_all_the_way() {
    let Some(programs) = tools::python_client() else { return };
    let (world, folder) = workshop(&["mypy.ini", "roundtrip.py"]).await;
    let folder = folder.path();
    as_bytes(&folder.join("openapi.json"));
    let generate = ["generate", "--path", "openapi.json", "--output-path", "keyferry_client", "--meta", "none"];
    let generate = [&generate[..], &["--fail-on-warning"]].concat();
    run(&world, folder, &programs.join("openapi-python-client"), &generate).await;
    let python = programs.join("python");
    run(&world, folder, &python, &["-m", "compileall", "-q", "keyferry_client", "roundtrip.py"]).await;
    run(&world, folder, &programs.join("mypy"), &["keyferry_client", "roundtrip.py"]).await;
    let seen: Value = serde_json::from_str(&run(&world, folder, &python, &["roundtrip.py"]).await).unwrap();
    went_well(&seen, "python/1");
    assert_eq!(seen["refused"][0], 500, "as documented");
    assert!(seen["refused"][1].as_str().unwrap().starts_with("Failed to verify credentials"), "{seen}");
    assert_eq!(seen["missing"], json!([404, "unknown_linked_account"]), "a problem, by its code");
}
