//! The plugin folder: a file dropped in, replaced, broken or taken away takes effect while the server runs.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use keyferry::providers::apps::demo;
use keyferry_tests::{Grants, World, WorldOptions, binary, run};
use serde_json::json;

fn hubspot() -> serde_json::Value {
    json!({"oauth2": {"access_token": demo::HUBSPOT_ACCESS_TOKEN}})
}

/// Asks until the answer is so, or the deadline is over.
async fn until(world: &World, slug: &str, auth_object: serde_json::Value, what: &str) {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let answer = world.migrate(slug, auth_object.clone()).await;
        if answer.text().contains(what) {
            return;
        }
        assert!(Instant::now() < deadline, "still {} instead of {what}", answer.text());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_plugin_is_dropped_in_replaced_and_removed_while_requests_run() {
    let world = World::start().await;
    let (slack, away) = (world.plugins().join("slack.wasm"), world.folder().join("slack.away"));
    let token = json!({"keybased": {"bot_token": demo::SLACK_BOT_TOKEN}});
    std::fs::rename(&slack, &away).unwrap();
    until(&world, "slack", token.clone(), "no app with the slug").await;
    std::fs::copy(&away, &slack).unwrap();
    until(&world, "slack", token.clone(), "\"success\":true").await;
    // A bad file leaves the last good version serving, and the neighbours answer all the while.
    std::fs::write(&slack, b"not a component").unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while !world.server.logs().contains("plugin refused") {
        assert!(Instant::now() < deadline, "the bad file was not noticed");
        assert_eq!(world.migrate("hubspot", hubspot()).await.status, 200);
    }
    assert_eq!(world.migrate("slack", token).await.status, 200);
}

#[tokio::test]
async fn a_plugin_waits_until_the_operator_grants_what_it_asks_for() {
    let server = Box::new(|options: &mut keyferry_tests::ServerOptions| options.grants = Grants::ByHand);
    let world = World::start_with(WorldOptions { server: Some(server), ..WorldOptions::default() }).await;
    let waits = world.migrate("hubspot", hubspot()).await;
    assert!(waits.text().contains("keyferry plugin grant hubspot"), "{}", waits.text());
    let data = world.data().display().to_string();
    let granted = run(["plugin", "grant", "hubspot", "--data", &data]).await;
    let shown = String::from_utf8_lossy(&granted.stdout).into_owned();
    assert!(granted.status.success() && shown.contains("https://api.hubapi.com/account-info/v3/details"), "{shown}");
    assert_eq!(
        world.migrate("hubspot", hubspot()).await.text(),
        r#"{"success":true,"message":"Token migrated successfully"}"#
    );
    let _ = binary::keyferry();
}
