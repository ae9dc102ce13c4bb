//! API keys: the operations that each scope allows, and the commands for operators.
use std::time::{Duration, Instant};

use keyferry_mock_providers::apps::demo;
use keyferry_tests::http::{Request, Response};
use keyferry_tests::{ORG, World};
use serde_json::{Value, json};

const ACCOUNTS: &str = "/api/v2/public/linked-account";

async fn create(world: &World, more: &[&str]) -> String {
    let mut arguments = vec!["api-key", "create", "--org", ORG, "--environment", "test"];
    arguments.extend(more);
    let (code, key, said) = world.command(&arguments).await;
    assert_eq!(code, Some(0), "{said}");
    key.trim().to_owned()
}

async fn list(world: &World) -> Vec<Value> {
    let (code, listed, said) = world.command(&["api-key", "list", "--org", ORG, "--json"]).await;
    assert_eq!(code, Some(0), "{said}");
    serde_json::from_str(&listed).unwrap()
}

async fn ask(world: &World, key: &str, request: Request) -> Response {
    request.header("x-api-key", key).send(world.server.address()).await
}

fn migration() -> Request {
    let body = json!({"slug": "stripe", "auth_object": {"keybased": {"api_key": demo::STRIPE_SECRET_KEY}}});
    Request::new("PUT", "/api/v2/public/migrate-token").header("linked_account_id", "user_1").json(&body)
}

#[tokio::test]
async fn each_scope_allows_its_requests_and_no_others() {
    let world = World::start().await;
    let webhook = json!({"webhook_url": "https://hooks.example.com/x", "webhook_events": ["Connection Created"]});
    let own = "/api/v2/public/linked-account/default-app/auth-credentials/key?linked_account_id=user_1";
    let session = json!({"linked_account_id": "user_1"});
    let save = "/api/v2/public/linked-account/integration/save-key-credentials/stripe?linked_account_id=user_1";
    let requests: [(&str, Request, &[&str]); 16] = [
        ("migrate", migration(), &["migrate", "admin"]),
        ("save", Request::new("PUT", save).json(&json!({"api_key": demo::STRIPE_SECRET_KEY})), &["migrate", "admin"]),
        ("session", Request::new("POST", "/api/v2/public/session-token").json(&session), &["migrate", "admin"]),
        ("own credential", Request::new("PUT", own).json(&json!({"value": "v"})), &["migrate", "admin"]),
        ("no own credential", Request::new("DELETE", own), &["admin"]),
        ("create", Request::new("POST", ACCOUNTS).json(&json!({"account_id": "new"})), &["migrate", "admin"]),
        ("upsert", Request::new("PUT", ACCOUNTS).json(&json!({"account_id": "user_1"})), &["migrate", "admin"]),
        ("list", Request::new("GET", ACCOUNTS), &["read", "admin"]),
        ("show", Request::new("GET", &format!("{ACCOUNTS}/user_1")), &["read", "admin"]),
        (
            "credential",
            Request::new("GET", &format!("{ACCOUNTS}/user_1/integration/stripe/credentials")),
            &["read", "read_credentials", "admin"],
        ),
        ("app", Request::new("GET", "/api/v2/public/application/stripe?linked_account_id=user_1"), &["read", "admin"]),
        ("apps", Request::new("GET", "/api/v2/public/application"), &["migrate", "read", "read_credentials", "admin"]),
        (
            "verify",
            Request::new("POST", &format!("{ACCOUNTS}/user_1/integration/stripe/verify")),
            &["migrate", "admin"],
        ),
        ("webhook", Request::new("POST", "/api/v2/public/webhook").json(&webhook), &["admin"]),
        ("webhooks", Request::new("GET", "/api/v2/public/webhook"), &["read", "admin"]),
        (
            "disconnect",
            Request::new("DELETE", &format!("{ACCOUNTS}/integration/slack?linked_account_id=user_1")),
            &["admin"],
        ),
    ];
    for scope in ["migrate", "read", "read_credentials", "admin"] {
        let key = create(&world, &["--scope", scope]).await;
        for (name, request, allowed) in &requests {
            let answer = ask(&world, &key, request.clone()).await;
            if allowed.contains(&scope) {
                assert!([200, 400].contains(&answer.status), "{scope} {name}: {} {}", answer.status, answer.text());
            } else {
                assert_eq!(answer.status, 403, "{scope} {name}: {}", answer.text());
                assert!(answer.text().contains("does not have the scope `"), "{scope} {name}: {}", answer.text());
            }
        }
    }
    let (code, _, said) =
        world.command(&["api-key", "create", "--org", ORG, "--environment", "test", "--scope", "accounts"]).await;
    assert!(
        code == Some(2) && said.contains("there are the scopes migrate, read, read_credentials and admin"),
        "{said}"
    );
}

#[tokio::test]
async fn keys_are_listed_with_their_last_use_and_a_revoked_one_is_refused_at_once() {
    let mut world = World::start().await;
    let (old, new) =
        (create(&world, &["--label", "old"]).await, create(&world, &["--label", "new", "--days", "7"]).await);
    for key in [&old, &new] {
        assert_eq!(ask(&world, key, migration()).await.status, 200, "two keys work at the same time");
    }
    let deadline = Instant::now() + Duration::from_secs(30);
    let listed = loop {
        let listed = list(&world).await;
        if listed.iter().all(|key| !key["last_used_at"].is_null()) {
            break listed;
        }
        assert!(Instant::now() < deadline, "the last use is not noted: {listed:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let told = |key: &Value| (key["label"].as_str().unwrap().to_owned(), key["state"].as_str().unwrap().to_owned());
    let labels: Vec<_> = listed.iter().map(told).collect();
    assert_eq!(labels[1..], [("old".to_owned(), "live".to_owned()), ("new".to_owned(), "live".to_owned())]);
    assert!(listed[1]["expires_at"].is_null() && !listed[2]["expires_at"].is_null());
    assert_eq!(listed[1]["scopes"], json!(["migrate", "read", "admin"]));
    for key in [&old, &new] {
        assert!(!listed.iter().any(|shown| shown.to_string().contains(key.as_str())), "a key is never shown again");
    }

    let shown = &old[..7];
    let (code, said, _) = world.command(&["api-key", "revoke", shown, "--org", ORG]).await;
    assert!(code == Some(0) && said.starts_with(&format!("revoked {shown}")), "{said}");
    assert_eq!(ask(&world, &old, migration()).await.status, 401);
    assert_eq!(ask(&world, &new, migration()).await.status, 200);
    assert_eq!(list(&world).await[1]["state"], "revoked");
    let (code, _, said) = world.command(&["api-key", "revoke", "tk_none", "--org", ORG]).await;
    assert!(code == Some(1) && said.contains("acme has no such API key"), "{said}");

    // Without a server the same commands work on the folder; a leaked key itself can name the record.
    assert!(world.server.terminate().await.success());
    let (code, _, said) = world.command(&["api-key", "revoke", &new, "--org", ORG]).await;
    assert_eq!(code, Some(0), "{said}");
    let (_, table, _) = world.command(&["api-key", "list", "--org", ORG]).await;
    assert!(table.lines().all(|line| line.split('\t').count() == 9), "tabs alone in a pipe: {table}");
    assert!(table.matches("revoked").count() == 2 && table.contains("migrate, read, admin"), "{table}");
}
