//! A world with receivers, and actions on its connections.

use std::time::{Duration, Instant};

use keyferry_mock_providers::apps::{demo, demo_providers};
use keyferry_tests::http::{Request, Response};
use keyferry_tests::receiver::Receiver;
use keyferry_tests::{ServerOptions, World, WorldOptions};
use serde_json::{Value, json};

pub(crate) const WEBHOOKS: &str = "/api/v2/public/webhook";
pub(crate) const ACCOUNTS: &str = "/api/v2/public/linked-account";

/// Short delays between attempts, and short timeouts of receivers.
pub(crate) fn soon(options: &mut ServerOptions) {
    let file = options.data.parent().unwrap().join("keyferry.toml");
    std::fs::write(&file, "[webhooks]\nretry-millis = 20\nanswer-seconds = 2\n").unwrap();
    options.arguments.extend(["--config".to_owned(), file.display().to_string()]);
}

/// A world with these receivers beside the demo's providers.
pub(crate) async fn world_with<const N: usize>(hosts: [&str; N]) -> (World, [Receiver; N]) {
    world_started(hosts, soon).await
}

pub(crate) async fn world_started<const N: usize>(
    hosts: [&str; N],
    server: impl FnOnce(&mut ServerOptions) + Send + 'static,
) -> (World, [Receiver; N]) {
    let mut providers = demo_providers().await.unwrap();
    let mut receivers = Vec::new();
    for host in hosts {
        receivers.push(Receiver::add(&mut providers, host).await);
    }
    let options = WorldOptions { providers: Some(providers), server: Some(Box::new(server)) };
    let receivers = receivers.try_into().unwrap_or_else(|_| unreachable!());
    (World::start_with(options).await, receivers)
}

pub(crate) async fn register(world: &World, body: Value) -> Value {
    let answer = world.send(Request::new("POST", WEBHOOKS).json(&body)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

pub(crate) async fn show(world: &World, webhook: &Value) -> Value {
    let path = format!("{WEBHOOKS}/{}", webhook["_id"].as_str().unwrap());
    world.send(Request::new("GET", &path)).await.json()
}

/// Waits until a webhook has no pending deliveries, and returns it.
pub(crate) async fn settled(world: &World, webhook: &Value) -> Value {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let shown = show(world, webhook).await;
        if shown["deliveries"]["waiting"] == 0 {
            return shown;
        }
        assert!(Instant::now() < deadline, "{shown}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

pub(crate) async fn connect(world: &World, account: &str) -> Response {
    let body = json!({"slug": "stripe", "auth_object": {"keybased": {"api_key": demo::STRIPE_SECRET_KEY}}});
    let request = Request::new("PUT", "/api/v2/public/migrate-token").header("linked_account_id", account);
    let answer = world.send(request.json(&body)).await;
    assert!(answer.text().contains("success"), "{}", answer.text());
    answer
}

pub(crate) async fn disconnect(world: &World, account: &str) {
    let path = format!("{ACCOUNTS}/integration/stripe?linked_account_id={account}");
    assert_eq!(world.send(Request::new("DELETE", &path)).await.status, 200);
}
