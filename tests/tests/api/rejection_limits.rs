//! The number of credentials that providers may reject before a caller has to wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use keyferry_mock_providers::apps::demo;
use keyferry_mock_providers::{MockProviders, Received, Reply};
use keyferry_tests::http::Request;
use keyferry_tests::{ACCOUNT, World, WorldOptions};
use serde_json::{Value, json};

use crate::migrate_token::{SUCCESS, assert_answer, hubspot};

#[tokio::test]
async fn credentials_that_providers_turn_away_are_tried_only_so_often() {
    let server = Box::new(|options: &mut keyferry_tests::ServerOptions| {
        options.arguments.extend(["--failed-verifications", "3"].map(str::to_owned));
    });
    let mut world = World::start_with(WorldOptions { server: Some(server), ..WorldOptions::default() }).await;
    // Failures that say nothing about the credential do not count.
    for _ in 0..5 {
        let busy = world.migrate("hubspot", hubspot(demo::HUBSPOT_RATE_LIMITED_TOKEN)).await;
        assert_eq!((busy.status, busy.header("ratelimit")), (500, None));
    }
    for left in [2, 1, 0] {
        let bad = world.migrate("hubspot", hubspot(demo::HUBSPOT_EXPIRED_TOKEN)).await;
        assert_eq!(bad.status, 500);
        assert!(bad.header("ratelimit").unwrap().starts_with(&format!("\"failed-verifications\";r={left};t=")));
    }
    let good = json!({"slug": "hubspot", "auth_object": hubspot(demo::HUBSPOT_ACCESS_TOKEN)});
    for header in [("prefer", "verify=only"), ("accept", "application/problem+json")] {
        let refused = world.send(world.migrate_request(&good).header(header.0, header.1)).await;
        assert_eq!(refused.status, 429, "{}", refused.text());
        let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=20).contains(&wait), "one is allowed every 20 seconds, and it said {wait}");
        assert!(refused.text().contains("turned away 3 credentials"), "{}", refused.text());
    }
    let data = world.data().display().to_string();
    let other =
        keyferry_tests::run(["api-key", "create", "--org", "acme", "--environment", "test", "--data", &data]).await;
    world.api_key = String::from_utf8(other.stdout).unwrap().trim().to_owned();
    assert_answer(&world.send(world.migrate_request(&good)).await, 200, SUCCESS);
}

/// A world whose HubSpot takes half a second, accepts tokens that begin with `ok`, and rejects all others; and the
/// number of its rejections.
async fn slow_world(limit: &str) -> (World, Arc<AtomicUsize>) {
    let turned_away = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&turned_away);
    let mut providers = MockProviders::start().await.unwrap();
    let hubspot = move |request: Received| {
        let token = request.header("authorization").unwrap_or_default().trim_start_matches("Bearer ");
        let reply = if token.starts_with("ok") {
            Reply::json(200, &json!({"portalId": 1, "accountType": "STANDARD", "uiDomain": "app.hubspot.com"}))
        } else {
            count.fetch_add(1, Ordering::Relaxed);
            Reply::json(401, &json!({"status": "error", "category": "INVALID_AUTHENTICATION", "message": "no"}))
        };
        reply.delayed(Duration::from_millis(500))
    };
    providers.add(demo::HUBSPOT_HOST, hubspot).await.unwrap();
    let arguments = ["--failed-verifications", limit].map(str::to_owned);
    let server = Box::new(move |options: &mut keyferry_tests::ServerOptions| options.arguments.extend(arguments));
    let world = World::start_with(WorldOptions { providers: Some(providers), server: Some(server) }).await;
    (world, turned_away)
}

fn token(token: &str) -> Value {
    json!({"oauth2": {"access_token": token}})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_credentials_at_once_no_more_are_turned_away_than_may_be_at_whichever_door() {
    const LIMIT: usize = 20;
    let (world, turned_away) = slow_world("20").await;
    world.create_account("user_2").await;
    assert_eq!(world.migrate("hubspot", token("ok")).await.status, 200);
    let began = Instant::now();
    let session = Request::new("POST", "/api/v2/public/session-token").json(&json!({"linked_account_id": "user_2"}));
    let session = world.send(session).await.json()["token"].as_str().unwrap().to_owned();
    let save =
        format!("/api/v2/public/linked-account/integration/save-key-credentials/hubspot?linked_account_id={ACCOUNT}");
    let whole = json!({"slug": "hubspot", "auth_object": token("bad")});
    let fields = json!({"access_token": "bad"});
    let doors = [
        world.migrate_request(&whole),
        world.migrate_request(&whole).header("prefer", "verify=only"),
        Request::new("PUT", &format!("{save}&auth_type=oauth2")).json(&fields),
        Request::new("POST", "/api/v2/app/hubspot/save")
            .json(&fields)
            .header("authorization", &format!("Bearer {session}")),
    ];
    let mut answers = Vec::new();
    for _ in 0..2 {
        let all = (0..60).map(|number| {
            let request = doors[number % doors.len()].clone();
            let has_token = request.headers.iter().any(|(name, _)| name == "authorization");
            let world = &world;
            async move { if has_token { world.send_as_it_is(request).await } else { world.send(request).await } }
        });
        answers.extend(futures_util::future::join_all(all).await);
    }
    let refilled = usize::try_from(began.elapsed().as_secs()).unwrap() * LIMIT / 60 + 1;
    let seen = turned_away.load(Ordering::Relaxed);
    assert!((10..=LIMIT + refilled).contains(&seen), "{seen} after {:?}", began.elapsed());
    let refused = answers.iter().filter(|answer| answer.status == 429).count();
    assert!(refused >= 120 - seen - 20, "{refused}");
    for answer in answers.iter().filter(|answer| answer.status == 429) {
        let told = answer.header("ratelimit").unwrap();
        assert!(answer.header("retry-after").is_some() && told.contains("\"failed-verifications\";r="), "{told}");
    }
    // Verifying a stored credential again counts for the same key.
    let verify = Request::new("POST", &format!("/api/v2/public/linked-account/{ACCOUNT}/integration/hubspot/verify"));
    assert_eq!(world.send(verify).await.status, 429);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn good_credentials_at_once_are_all_taken_however_few_may_be_turned_away() {
    let (world, turned_away) = slow_world("2").await;
    let all = (0..10).map(|number| world.migrate("hubspot", token(&format!("ok-{number}"))));
    for answer in futures_util::future::join_all(all).await {
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    // Callers that hang up release their slots.
    for _ in 0..4 {
        let request = world.migrate_request(&json!({"slug": "hubspot", "auth_object": token("ok")}));
        let sent = world.send(request);
        assert!(tokio::time::timeout(Duration::from_millis(100), sent).await.is_err(), "the client gives up");
    }
    assert_eq!(world.migrate("hubspot", token("ok")).await.status, 200);
    assert_eq!(turned_away.load(Ordering::Relaxed), 0);
    for expected in [500, 500, 429] {
        assert_eq!(world.migrate("hubspot", token("bad")).await.status, expected);
    }
}
