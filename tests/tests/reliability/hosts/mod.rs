//! Several servers on one PostgreSQL database: to their callers they are one, also while some of them end.

mod availability;
mod plugins;
mod renewal;
mod takeover;

use std::time::{Duration, Instant};

use keyferry_mock_providers::apps::{demo, demo_providers};
use keyferry_test_postgres::Cluster;
use keyferry_tests::http::{Request, Response};
use keyferry_tests::receiver::{Call, Receiver};
use keyferry_tests::trail::rows_stored;
use keyferry_tests::{ORG, Server, World, WorldOptions, create_api_key_in};
use serde_json::{Value, json};

const ACCOUNTS: &str = "/api/v2/public/linked-account";
const IMPORTS: &str = "/api/v2/public/imports";
const WEBHOOKS: &str = "/api/v2/public/webhook";
/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A world with two servers, and a receiver of webhooks.
async fn two_servers(cluster: &'static Cluster) -> (World, Server, Receiver) {
    let mut providers = demo_providers().await.unwrap();
    let receiver = Receiver::add(&mut providers, "hooks.example.com").await;
    let options = WorldOptions { providers: Some(providers), ..WorldOptions::default() };
    let mut world = World::start_on(cluster.database(), options).await;
    let second = world.another_server("second").await;
    (world, second, receiver)
}

fn migration(account: &str) -> Request {
    let body = json!({"slug": "stripe", "auth_object": {"keybased": {"api_key": demo::STRIPE_SECRET_KEY}}});
    Request::new("PUT", "/api/v2/public/migrate-token").header("linked_account_id", account).json(&body)
}

fn disconnection(account: &str) -> Request {
    Request::new("DELETE", &format!("{ACCOUNTS}/integration/stripe?linked_account_id={account}"))
}

/// Begins an import for as many accounts.
async fn begin(world: &World, server: &Server, rows: usize) -> String {
    let line = |number| {
        let auth_object = json!({"keybased": {"api_key": demo::STRIPE_SECRET_KEY}});
        format!(
            "{}\n",
            json!({"linked_account_id": format!("bulk_{number}"), "slug": "stripe", "auth_object": auth_object})
        )
    };
    let lines: String = (0..rows).map(line).collect();
    let request = Request::new("POST", &format!("{IMPORTS}?create_accounts=true"));
    let answer = world.send_to(server, request.body("application/x-ndjson", lines)).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    answer.json()["id"].as_str().unwrap().to_owned()
}

async fn import(world: &World, server: &Server, id: &str) -> Value {
    world.send_to(server, Request::new("GET", &format!("{IMPORTS}/{id}"))).await.json()
}

/// Waits until an import is as wanted.
async fn import_is(world: &World, server: &Server, id: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let import = import(world, server, id).await;
        if wanted(&import) {
            return import;
        }
        assert!(Instant::now() < deadline, "{import:#}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn change(world: &World, server: &Server, id: &str, what: &str) -> Response {
    world.send_to(server, Request::new("POST", &format!("{IMPORTS}/{id}/{what}"))).await
}

/// Each row of an import is stored once, and the trail is whole.
async fn is_whole(world: &World, rows: usize) {
    let (code, trail, said) = world.command(&["audit", "export", "--org", ORG]).await;
    assert_eq!(code, Some(0), "{said}");
    let stored = rows_stored(&trail);
    assert_eq!(stored.len(), rows);
    assert!(stored.values().all(|times| *times == 1), "a row was stored twice");
    let (code, _, said) = world.command(&["audit", "verify", "--org", ORG]).await;
    assert_eq!(code, Some(0), "{said}");
}

#[tokio::test]
async fn a_request_can_go_to_any_of_them() {
    let Some(cluster) = Cluster::shared() else { return };
    let (world, second, _) = two_servers(cluster).await;
    let request = || migration("user_1").header("idempotency-key", "once");
    let first = world.send(request()).await;
    assert_eq!(first.status, 200, "{}", first.text());
    let again = world.send_to(&second, request()).await;
    assert_eq!((again.status, again.text()), (200, first.text()));
    assert_eq!(again.header("idempotency-replayed"), Some("true"));

    // A version that another server has replaced.
    let etag = first.header("etag").unwrap().to_owned();
    assert_eq!(world.send_to(&second, migration("user_1").header("if-match", &etag)).await.status, 200);
    let stale = migration("user_1").header("if-match", &etag).header("accept", "application/problem+json");
    assert_eq!(world.send(stale).await.status, 412);

    let session = Request::new("POST", "/api/v2/public/session-token").json(&json!({"linked_account_id": "user_1"}));
    let token = world.send(session).await.json()["token"].as_str().unwrap().to_owned();
    let by_session =
        Request::new("GET", "/api/v2/f-sdk/application").header("authorization", &format!("Bearer {token}"));
    let answer = by_session.send(second.address()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[tokio::test]
async fn an_api_key_that_one_of_them_revokes_is_refused_by_the_other_within_a_second() {
    let Some(cluster) = Cluster::shared() else { return };
    let (mut world, second, _) = two_servers(cluster).await;
    let environment = world.server.options_mut().environment.clone();
    let key = create_api_key_in(&environment, &world.data(), ORG, "test").await;
    let whoami = || Request::new("GET", "/api/v2/public/whoami").header("x-api-key", &key);
    // It is known to both.
    for server in [&world.server, &second] {
        assert_eq!(whoami().send(server.address()).await.status, 200);
    }
    let (code, _, said) = world.command(&["api-key", "revoke", key.get(..7).unwrap(), "--org", ORG]).await;
    assert_eq!(code, Some(0), "{said}");
    let at = Instant::now();
    while whoami().send(second.address()).await.status != 401 {
        assert!(at.elapsed() < Duration::from_secs(1), "it is accepted still");
    }
}

#[tokio::test]
async fn an_import_is_shown_and_changed_by_any_of_them() {
    let Some(cluster) = Cluster::shared() else { return };
    let (world, second, _) = two_servers(cluster).await;
    let id = begin(&world, &world.server, 600).await;
    import_is(&world, &second, &id, |import| import["outcomes"]["created"].as_u64().unwrap_or(0) > 0).await;
    let paused = change(&world, &second, &id, "pause").await;
    assert_eq!((paused.status, &paused.json()["state"]), (200, &json!("paused")), "{}", paused.text());
    // The server that works on it has stopped before the response.
    let before = import(&world, &world.server, &id).await["outcomes"].clone();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(import(&world, &world.server, &id).await["outcomes"], before);
    assert_ne!(before["created"], 600, "it was too fast to be paused");

    assert_eq!(change(&world, &second, &id, "resume").await.status, 200);
    import_is(&world, &world.server, &id, |import| import["state"] == "finished").await;
    is_whole(&world, 600).await;
    assert_eq!(change(&world, &world.server, &id, "undo").await.status, 200);
    import_is(&world, &second, &id, |import| import["state"] == "undone").await;
    let gone = world.send_to(&second, Request::new("GET", &format!("{ACCOUNTS}/bulk_7"))).await;
    assert_eq!(gone.status, 404, "{}", gone.text());
}

#[tokio::test]
async fn an_accounts_events_arrive_in_their_order_whichever_server_they_come_from() {
    let Some(cluster) = Cluster::shared() else { return };
    let (world, second, mut receiver) = two_servers(cluster).await;
    let webhook =
        json!({"webhook_url": receiver.url("a"), "webhook_events": ["Connection Created", "Connection Deleted"]});
    assert_eq!(world.send(Request::new("POST", WEBHOOKS).json(&webhook)).await.status, 200);
    let servers = [&world.server, &second];
    for round in 0..8 {
        assert_eq!(world.send_to(servers[round % 2], migration("user_1")).await.status, 200);
        assert_eq!(world.send_to(servers[(round + 1) % 2], disconnection("user_1")).await.status, 200);
    }
    let mut calls: Vec<Call> = Vec::new();
    while calls.len() < 16 {
        calls.push(receiver.call().await);
    }
    let told: Vec<String> = calls.iter().map(|call| call.told().0).collect();
    assert_eq!(told, ["Connection Created", "Connection Deleted"].repeat(8));
    assert!(receiver.rest().is_empty(), "an event was delivered twice");
}
