//! The events that receivers get: when, how often and in which order.

use keyferry_mock_providers::apps::demo;
use keyferry_tests::http::Request;
use keyferry_tests::receiver::{Answers, Call};
use keyferry_tests::{ACCOUNT, ORG, ServerOptions};
use serde_json::json;

use crate::webhooks::bench::{
    ACCOUNTS, WEBHOOKS, connect, disconnect, register, settled, soon, world_started, world_with,
};

/// The event of each attempt, and the number of the attempt.
fn attempt(call: &Call) -> (String, String) {
    (call.told().0, call.header("keyferry-attempt").to_owned())
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
    let secret = webhook["signing_secret"].as_str().expect("the secret is shown once").to_owned();
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

    // A replaced credential is not a new connection.
    assert_eq!(connect(&world, ACCOUNT).await.header("keyferry-action"), Some("updated"));
    disconnect(&world, ACCOUNT).await;
    let told = receiver.call().await;
    assert_eq!(told.told(), ("Connection Deleted".to_owned(), ACCOUNT.to_owned()));
    assert_ne!(told.header("idempotency-key"), call.header("idempotency-key"));
    assert_eq!(receiver.rest().len(), 0);
}

#[tokio::test]
async fn a_receiver_that_fails_twice_is_told_the_same_a_third_time_and_what_came_later_comes_later() {
    let (world, [mut receiver]) = world_with(["hooks.example.com"]).await;
    receiver.answer_in_turn([500, 302, 200].map(Answers::With));
    let events = json!(["Connection Created", "Connection Deleted"]);
    let webhook = register(&world, json!({"webhook_url": receiver.url(""), "webhook_events": events})).await;
    connect(&world, ACCOUNT).await;
    disconnect(&world, ACCOUNT).await;
    let first = receiver.call().await;
    let mut order = vec![attempt(&first)];
    for _ in 0..2 {
        let again = receiver.call().await;
        assert_eq!(again.received().body, first.received().body);
        assert_eq!(again.header("idempotency-key"), first.header("idempotency-key"));
        assert_eq!(again.header("x-cobalt-signature"), first.header("x-cobalt-signature"));
        order.push(attempt(&again));
    }
    order.push(attempt(&receiver.call().await));
    let expected = [("Created", "1"), ("Created", "2"), ("Created", "3"), ("Deleted", "1")];
    assert_eq!(order, expected.map(|(event, attempt)| (format!("Connection {event}"), attempt.to_owned())));
    assert_eq!(settled(&world, &webhook).await["deliveries"]["failed"], json!([]));
    assert_eq!(receiver.rest().len(), 0);
}

#[tokio::test]
async fn a_receiver_that_says_when_to_come_back_is_called_no_sooner() {
    let (world, [mut receiver]) = world_with(["hooks.example.com"]).await;
    receiver.answer_in_turn([Answers::Busy(429, "0.5"), Answers::Busy(500, "600"), Answers::With(200)]);
    register(&world, json!({"webhook_url": receiver.url(""), "webhook_events": ["Connection Created"]})).await;
    connect(&world, ACCOUNT).await;
    receiver.call().await;
    let began = std::time::Instant::now();
    assert_eq!(receiver.call().await.header("keyferry-attempt"), "2");
    // Half a second is rounded up, minus the time between the response and its reading here.
    assert!(began.elapsed() > std::time::Duration::from_millis(800), "{:?}", began.elapsed());
    // An error other than 429 or 503 does not postpone the next attempt.
    assert_eq!(receiver.call().await.header("keyferry-attempt"), "3");
}

#[tokio::test]
async fn what_is_not_taken_in_four_attempts_is_given_up_and_shown_without_the_receivers_words() {
    let (world, [mut receiver]) = world_with(["hooks.example.com"]).await;
    receiver.answer(Answers::With(503));
    let webhook =
        register(&world, json!({"webhook_url": receiver.url(""), "webhook_events": ["Connection Created"]})).await;
    connect(&world, ACCOUNT).await;
    let id = receiver.call().await.header("idempotency-key").to_owned();
    for number in 2..=4 {
        assert_eq!(receiver.call().await.header("keyferry-attempt"), number.to_string());
    }
    let failed = settled(&world, &webhook).await["deliveries"]["failed"].clone();
    let one = &failed[0];
    assert_eq!((failed.as_array().unwrap().len(), one["id"].as_str()), (1, Some(id.as_str())));
    assert_eq!((one["attempts"].as_u64(), one["linked_account_id"].as_str()), (Some(4), Some(ACCOUNT)));
    assert_eq!(one["reason"], "hooks.example.com responded with 503, and 200 is needed");
    assert_eq!(receiver.rest().len(), 0, "three more attempts, and no fourth");
    assert!(!world.server.logs().contains("secret of the receiver"));
}

#[tokio::test]
async fn a_receiver_that_never_answers_holds_up_nobody_else() {
    let patient = |options: &mut ServerOptions| {
        soon(options);
        // Longer than the test may take.
        let file = options.data.parent().unwrap().join("keyferry.toml");
        std::fs::write(&file, "[webhooks]\nanswer-seconds = 600\n").unwrap();
    };
    let (world, [mut silent, mut lively]) = world_started(["silent.example.com", "lively.example.com"], patient).await;
    silent.answer(Answers::Never);
    for receiver in [&silent, &lively] {
        register(&world, json!({"webhook_url": receiver.url(""), "webhook_events": ["Connection Created"]})).await;
    }
    let accounts: Vec<String> = (0..8).map(|number| format!("account_{number}")).collect();
    for account in &accounts {
        world.create_account(account).await;
        connect(&world, account).await;
    }
    let mut told = Vec::new();
    for _ in &accounts {
        told.push(lively.call().await.told().1);
    }
    told.sort();
    assert_eq!(told, accounts);
    for _ in 0..4 {
        silent.call().await;
    }
    assert_eq!(silent.rest().len(), 0, "it gets four calls at once, and waits for the rest");
}

#[tokio::test]
async fn a_delivery_that_a_kill_came_before_is_made_after_the_restart() {
    let (mut world, [mut receiver]) = world_with(["hooks.example.com"]).await;
    receiver.answer(Answers::Never);
    let secret = "a-secret-of-the-caller";
    let body = json!({
        "webhook_url": receiver.url(""), "webhook_events": ["Connection Created"], "signing_secret": secret,
    });
    let webhook = register(&world, body).await;
    connect(&world, ACCOUNT).await;
    // It is in flight, so that it cannot arrive after the one that the restarted server sends.
    let before = receiver.call().await;
    world.server.kill();
    receiver.answer(Answers::With(200));
    world.server.restart().await;
    let call = receiver.call().await;
    assert_eq!(call.told(), ("Connection Created".to_owned(), ACCOUNT.to_owned()));
    assert!(call.is_signed_with(secret));
    assert_eq!(before.header("idempotency-key"), call.header("idempotency-key"));
    settled(&world, &webhook).await;
    // An accepted delivery is not repeated, however the server ends.
    world.server.restart().await;
    settled(&world, &webhook).await;
    assert!(world.server.terminate().await.success());
    assert_eq!(receiver.rest().len(), 0);
}

#[tokio::test]
async fn a_webhook_is_told_of_its_app_alone_and_of_nothing_while_it_is_disabled() {
    let (world, [mut receiver]) = world_with(["hooks.example.com"]).await;
    let body =
        json!({"webhook_url": receiver.url("hubspot"), "webhook_events": ["Connection Created"], "slug": "hubspot"});
    register(&world, body).await;
    let body =
        json!({"webhook_url": receiver.url("all"), "webhook_events": ["Connection Created"], "is_enabled": false});
    let webhook = register(&world, body).await;
    connect(&world, ACCOUNT).await;
    let path = format!("{WEBHOOKS}/{}", webhook["_id"].as_str().unwrap());
    let enabled = world.send(Request::new("PUT", &path).json(&json!({"is_enabled": true}))).await.json();
    assert_eq!(enabled["is_enabled"], true);
    world.create_account("later").await;
    connect(&world, "later").await;
    let call = receiver.call().await;
    assert_eq!((call.received().path(), call.told().1.as_str()), ("/all", "later"));
    let hubspot =
        json!({"oauth2": {"access_token": demo::HUBSPOT_ACCESS_TOKEN, "refresh_token": demo::HUBSPOT_REFRESH_TOKEN}});
    assert_eq!(world.migrate("hubspot", hubspot).await.status, 200);
    let mut paths = [receiver.call().await, receiver.call().await].map(|call| call.received().path().to_owned());
    paths.sort();
    assert_eq!(paths, ["/all", "/hubspot"]);

    // Deleting the account deletes each of its connections.
    let change = json!({"webhook_events": ["Connection Deleted"]});
    assert_eq!(world.send(Request::new("PUT", &path).json(&change)).await.status, 200);
    assert_eq!(world.send(Request::new("DELETE", &format!("{ACCOUNTS}/{ACCOUNT}"))).await.status, 200);
    let mut told = [receiver.call().await, receiver.call().await].map(|call| call.json()["slug"].clone().to_string());
    told.sort();
    assert_eq!(told, ["\"hubspot\"", "\"stripe\""]);
    assert_eq!(receiver.rest().len(), 0);
}
