//! The example plugins in JavaScript and Python, which a server runs like any other.

use std::path::{Path, PathBuf};

use keyferry_mock_providers::{MockProviders, Received, Reply};
use keyferry_tests::plugins::{command, printed, shipped};
use keyferry_tests::{ServerChange, World, WorldOptions, tools};
use serde_json::{Value, json};

const KEY: &str = "patCanary3f7c1e90.of-the-languages-test";

/// A copy of an example, without files of a manual build.
fn copy(example: &str, to: &Path) {
    fn walk(from: &Path, to: &Path) {
        std::fs::create_dir_all(to).unwrap();
        for entry in std::fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name();
            let text = name.to_string_lossy();
            if ["node_modules", "build", "__pycache__"].contains(&&*text) || text.starts_with('.') {
                continue;
            }
            if entry.file_type().unwrap().is_dir() {
                walk(&entry.path(), &to.join(name));
            } else {
                std::fs::copy(entry.path(), to.join(name)).unwrap();
            }
        }
    }
    let _ = std::fs::remove_dir_all(to);
    walk(&shipped("examples").join(example), to);
}

/// Builds a copy of an example twice, in two places, and tests it.
fn built(example: &str, slug: &str, places: [PathBuf; 2], path: Option<&Path>) -> PathBuf {
    let mut digests = Vec::new();
    let run = |folder: &Path, arguments: &[&str]| {
        let mut command = command(folder, arguments);
        if let Some(path) = path {
            command.env("PATH", format!("{}:{}", path.display(), std::env::var("PATH").unwrap_or_default()));
        }
        printed(&command.output().unwrap(), 0)
    };
    for place in &places {
        copy(example, place);
        let said = run(place, &["build", ".", "--out", "build"]);
        digests.push(said.split("sha256 ").nth(1).unwrap().trim().to_owned());
    }
    assert_eq!(digests[0], digests[1], "unchanged source gives the same bytes");
    let wasm = places[0].join("build").join(format!("{slug}.wasm"));
    let wasm_path = wasm.to_str().unwrap();
    assert!(run(&places[0], &["check", wasm_path, "--deny-warnings"]).contains("0 errors, 0 warnings"));
    let tested = run(&places[0], &["test", "."]);
    assert!(tested.contains("0 failed"), "{tested}");
    let inspected: Value = serde_json::from_str(&run(&places[0], &["inspect", wasm_path, "--json"])).unwrap();
    let imports = inspected["imports"].as_array().unwrap();
    assert!(imports.iter().all(|name| name.as_str().unwrap().starts_with("keyferry:plugin/")), "{imports:?}");
    wasm
}

/// A mock provider that accepts one token.
fn provider(body: Value) -> impl Fn(Received) -> Reply + Send + Sync + 'static {
    move |request| match request.header("authorization").unwrap_or_default() {
        token if token == format!("Bearer {KEY}") => Reply::json(200, &body),
        token if token.ends_with("busy") => Reply::status(429).with_header("retry-after", "7"),
        _ => Reply::json(401, &json!({ "code": "unauthorized", "message": "no such token" })),
    }
}

async fn served(wasm: PathBuf, slug: &str, host: &str, body: Value) {
    let mut providers = MockProviders::start().await.unwrap();
    providers.add(host, provider(body)).await.unwrap();
    let change: ServerChange = Box::new(move |options| {
        std::fs::copy(&wasm, options.plugins.join(wasm.file_name().unwrap())).unwrap();
    });
    let world = World::start_with(WorldOptions { providers: Some(providers), server: Some(change) }).await;
    for (token, status, expected) in
        [(KEY, 200, "\"success\":true"), ("another-token", 422, "rejected"), ("is-busy", 429, "rate_limited")]
    {
        let body = json!({"slug": slug, "auth_object": {"keybased": {"access_token": token}}});
        let request = world.migrate_request(&body).header("accept", "application/problem+json");
        let answer = world.send(request).await;
        assert_eq!(answer.status, status, "{token}: {}", answer.text());
        assert!(answer.text().contains(expected), "{token}: {}", answer.text());
    }
    assert!(!world.server.logs().contains(KEY), "the secret is in the log");
}

#[tokio::test]
async fn a_plugin_in_javascript_imports_the_contract_alone_and_is_served() {
    let Some(tools) = tools::javascript() else { return };
    let wasm = built("javascript", "airtable", [tools.join("one/airtable"), tools.join("other/place")], None);
    served(wasm, "airtable", "api.airtable.com", json!({ "id": "usrL2PNC5o3H4lBEi" })).await;
}

#[tokio::test]
async fn a_plugin_in_python_imports_the_contract_alone_and_is_served() {
    let Some(tools) = tools::python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let places = [folder.path().join("one/notion"), folder.path().join("other/place")];
    let wasm = built("python", "notion", places, Some(&tools));
    let bot =
        json!({ "id": "16d84278-ab0e-484c-9bdd-b35da3bd8905", "name": "bot", "bot": { "workspace_name": "Example" } });
    served(wasm, "notion", "api.notion.com", bot).await;
}

#[test]
fn the_examples_helpers_are_those_that_new_plugins_get() {
    let templates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../host/crates/devkit/src/new/templates");
    for (language, file) in [("javascript", "keyferry.js"), ("python", "keyferry.py"), ("python", "requirements.txt")] {
        let read = |path: PathBuf| std::fs::read_to_string(path).unwrap();
        let example = read(shipped("examples").join(language).join(file));
        assert_eq!(example, read(templates.join(language).join("common").join(file)), "{language}/{file}");
    }
}
