//! Webhooks: registered as documented, told of what happens to connections, at least once whatever happens to the server.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use keyferry::providers::apps::{demo, demo_world};
use keyferry_tests::http::{Request, Response};
use keyferry_tests::receiver::{Answers, Receiver};
use keyferry_tests::{ACCOUNT, ORG, ServerOptions, World, WorldOptions};
use serde_json::{Value, json};

const WEBHOOKS: &str = "/api/v2/public/webhook";
const ACCOUNTS: &str = "/api/v2/public/linked-account";

/// Deliveries that are tried again soon, and receivers that are not waited for long.
fn soon(options: &mut ServerOptions) {
    let file = options.data.parent().unwrap().join("keyferry.toml");
    std::fs::write(&file, "[webhooks]\nretry-millis = 20\nanswer-seconds = 2\n").unwrap();
    options.arguments.extend(["--config".to_owned(), file.display().to_string()]);
}

/// A world with these receivers beside the demo's providers.
async fn world_with<const N: usize>(hosts: [&str; N]) -> (World, [Receiver; N]) {
    let mut providers = demo_world().await.unwrap();
    let mut receivers = Vec::new();
    for host in hosts {
        receivers.push(Receiver::add(&mut providers, host).await);
    }
    let options = WorldOptions { providers: Some(providers), server: Some(Box::new(soon)) };
    let receivers = receivers.try_into().unwrap_or_else(|_| unreachable!());
    (World::start_with(options).await, receivers)
}

async fn register(world: &World, body: Value) -> Value {
    let answer = world.send(Request::new("POST", WEBHOOKS).json(&body)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

async fn show(world: &World, webhook: &Value) -> Value {
    let path = format!("{WEBHOOKS}/{}", webhook["_id"].as_str().unwrap());
    world.send(Request::new("GET", &path)).await.json()
}

async fn connect(world: &World, account: &str) -> Response {
    let body = json!({"slug": "stripe", "auth_object": {"keybased": {"api_key": demo::STRIPE_SECRET_KEY}}});
    let request = Request::new("PUT", "/api/v2/public/migrate-token").header("linked_account_id", account);
    let answer = world.send(request.json(&body)).await;
    assert!(answer.text().contains("success"), "{}", answer.text());
    answer
}

async fn disconnect(world: &World, account: &str) {
    let path = format!("{ACCOUNTS}/integration/stripe?linked_account_id={account}");
    assert_eq!(world.send(Request::new("DELETE", &path)).await.status, 200);
}

#[tokio::test]
async fn a_registered_webhook_is_told_of_a_connection_in_the_documented_words_and_signed() {
    let (world, [mut receiver]) = world_with(["hooks.example.com"]).await;
    let webhook = register(
        &world,
        json!({
            "webhook_url": receiver.url("cobalt?a=b"),
            "webhook_events": ["Connection Created", "Connection Deleted"],
            "webhook_headers": {"X-Receiver-Key": "receivers-password"},
        }),
    )
    .await;
    let secret = webhook["signing_secret"].as_str().expect("it is told once").to_owned();
    connect(&world, ACCOUNT).await;
    let call = receiver.call().await;
    let body = call.json();
    let expected = json!({
        "linked_account_id": ACCOUNT, "org_id": ORG, "environment": "test", "type": "General",
        "event": "Connection Created", "slug": "stripe", "createdAt": body["createdAt"],
    });
    assert_eq!(body, expected);
    let date = body["createdAt"].as_str().unwrap();
    assert!(date.ends_with(" GMT") && date.split(' ').count() == 6, "{date}");
    let received = call.received();
    assert_eq!((received.method.as_str(), received.path_and_query.as_str()), ("POST", "/cobalt?a=b"));
    assert_eq!(call.header("content-type"), "application/json");
    assert_eq!(call.header("x-receiver-key"), "receivers-password");
    assert_eq!(call.header("keyferry-attempt"), "1");
    assert!(call.is_signed_with(&secret) && !call.is_signed_with("another-secret-0123"));

    // Another credential in its place is no other connection.
    assert_eq!(connect(&world, ACCOUNT).await.header("keyferry-action"), Some("updated"));
    disconnect(&world, ACCOUNT).await;
    let told = receiver.call().await;
    assert_eq!(told.told(), ("Connection Deleted".to_owned(), ACCOUNT.to_owned()));
    assert_ne!(told.header("idempotency-key"), call.header("idempotency-key"));
    assert_eq!(receiver.rest().len(), 0);
}
