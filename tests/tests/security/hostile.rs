//! A plugin that misbehaves gets a typed error, and the server continues to serve.
use keyferry_mock_providers::apps::demo;
use keyferry_mock_providers::{MockProviders, Reply};
use keyferry_tests::{World, WorldOptions, run};
use serde_json::{Value, json};

const KEY: &str = "canary-3f7c1e90-of-the-hostile-test";

#[tokio::test]
async fn each_misdeed_gets_a_typed_error_and_the_server_goes_on() {
    let mut providers = MockProviders::start().await.unwrap();
    let to = [("location", "https://private.example.com/x")];
    providers.add("redirect.example.com", move |_| Reply::status(302).with_header(to[0].0, to[0].1)).await.unwrap();
    let echo = |received: keyferry_mock_providers::Received| {
        Reply::text(200, &format!("you sent {}", received.header("authorization").unwrap_or_default()))
    };
    providers.add("echo.example.com", echo).await.unwrap();
    let hubspot = keyferry_mock_providers::apps::hubspot(demo::hubspot_state());
    providers.add(demo::HUBSPOT_HOST, hubspot).await.unwrap();
    let server = Box::new(|options: &mut keyferry_tests::ServerOptions| {
        options.resolve.push("private.example.com=10.1.2.3:443".to_owned());
        options.resolve.push("ungranted.example.com=127.0.0.1:1".to_owned());
        let crate_folder = concat!(env!("CARGO_MANIFEST_DIR"), "/hostile");
        let out = options.plugins.display().to_string();
        let mut build = keyferry_tests::binary::command(keyferry_tests::binary::keyferry());
        let built = build.args(["plugin", "build", crate_folder, "--out", &out]).output().unwrap();
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    });
    let world = World::start_with(WorldOptions { providers: Some(providers), server: Some(server) }).await;
    let cases = [
        ("ungranted", 502, "GET https://ungranted.example.com/x"),
        ("private", 502, "private.example.com"),
        ("redirect", 502, "302"),
        ("echo", 502, "you sent Bearer ***"),
        ("panic", 502, "the plugin failed"),
        ("grow", 502, "the plugin failed"),
        ("loop", 502, "more than 2 s of processor time"),
    ];
    for (deed, status, expected) in cases {
        let body = json!({"slug": "hostile", "auth_object": {"keybased": {"deed": deed, "api_key": KEY}}});
        let request = world.migrate_request(&body).header("accept", "application/problem+json");
        // A good plugin is served while the bad one runs.
        let good: Value = json!({"oauth2": {"access_token": demo::HUBSPOT_ACCESS_TOKEN}});
        let (bad, neighbour) = tokio::join!(world.send(request), world.migrate("hubspot", good));
        assert_eq!(neighbour.status, 200, "beside {deed}: {}", neighbour.text());
        assert!(neighbour.text().contains("success"), "{}", neighbour.text());
        assert_eq!(bad.status, status, "{deed}: {}", bad.text());
        let detail = bad.json()["detail"].as_str().unwrap_or_default().to_owned();
        assert!(detail.contains(expected), "{deed}: {detail}");
        assert!(!detail.contains("10.1.2.3"), "{deed} told an internal address: {detail}");
    }
    let logs = world.server.logs();
    assert!(logs.contains("you sent Bearer ***"), "the plugin's log line is there, redacted");
    assert!(!logs.contains(KEY), "the secret is in the log");
}

#[tokio::test]
async fn a_file_that_imports_something_else_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let plugins = folder.path().join("plugins");
    std::fs::create_dir(&plugins).unwrap();
    let wat = r#"(component (import "wasi:http/types@0.2.6" (instance)) (instance $i)
        (export "keyferry:plugin/app@1.0.0" (instance $i)))"#;
    std::fs::write(plugins.join("evil.wasm"), wat::parse_str(wat).unwrap()).unwrap();
    let data = folder.path().join("data").display().to_string();
    let plugins = plugins.display().to_string();
    let listed = run(["plugin", "list", "--json", "--data", &data, "--plugins", &plugins]).await;
    let list: Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!(list[0]["state"], "refused");
    assert!(list[0]["reason"].as_str().unwrap().contains("`wasi:http/types@0.2.6`"), "{list}");
}
