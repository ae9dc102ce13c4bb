//! Webhooks: registered as documented, told of what happens to connections, at least once whatever happens to the server.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use keyferry::providers::ProviderWorld;
use keyferry::providers::apps::{demo, demo_world};
use keyferry_tests::dns::DnsServer;
use keyferry_tests::http::{Request, Response};
use keyferry_tests::leaks::{Canary, Haystack, Searcher};
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
    world_started(hosts, soon).await
}

async fn world_started<const N: usize>(
    hosts: [&str; N],
    server: impl FnOnce(&mut ServerOptions) + Send + 'static,
) -> (World, [Receiver; N]) {
    let mut providers = demo_world().await.unwrap();
    let mut receivers = Vec::new();
    for host in hosts {
        receivers.push(Receiver::add(&mut providers, host).await);
    }
    let options = WorldOptions { providers: Some(providers), server: Some(Box::new(server)) };
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

/// Waits until nothing waits for a webhook any more, and shows it.
async fn settled(world: &World, webhook: &Value) -> Value {
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

/// For each attempt: what was told, and which attempt it was.
fn attempt(call: &keyferry_tests::receiver::Call) -> (String, String) {
    (call.told().0, call.header("keyferry-attempt").to_owned())
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

#[tokio::test]
async fn webhooks_are_listed_changed_and_deleted_as_documented_and_values_of_headers_are_not_shown() {
    let (world, [mut receiver]) = world_with(["hooks.example.com"]).await;
    let url = receiver.url("x");
    let body = json!({
        "webhook_url": url, "webhook_events": ["Connection Created"], "webhook_description": "crm", "slug": "stripe",
        "webhook_headers": {"authorization": "Bearer receivers-password", "x-more": "1"}, "method": "PUT",
        "signing_secret": "pk_documented_products_own_key", "workflow_ids": [], "webhook_type": "default",
    });
    let made = register(&world, body).await;
    assert!(made.get("signing_secret").is_none(), "who gave it knows it");
    let second = register(&world, json!({"webhook_url": url, "webhook_events": ["Connection Expired"]})).await;
    let listed = world.send(Request::new("GET", WEBHOOKS)).await.json();
    assert_eq!(listed[0], made, "a bare array, oldest first");
    assert_eq!((listed.as_array().unwrap().len(), &listed[1]["_id"]), (2, &second["_id"]));
    assert!(listed[1].get("signing_secret").is_none());
    assert_eq!(made["webhook_headers"], json!({"authorization": "***", "x-more": "***"}));
    assert_eq!((&made["method"], &made["is_enabled"], &made["slug"]), (&json!("PUT"), &json!(true), &json!("stripe")));

    // What was read can be sent back: the header that is masked stays, the one that is left out goes.
    let path = format!("{WEBHOOKS}/{}", made["_id"].as_str().unwrap());
    let mut back = made.clone();
    back["webhook_headers"] = json!({"authorization": "***"});
    back["webhook_description"] = Value::Null;
    let changed = world.send(Request::new("PUT", &path).json(&back)).await.json();
    assert_eq!(changed["webhook_headers"], json!({"authorization": "***"}));
    assert_eq!((&changed["webhook_description"], &changed["webhook_url"]), (&Value::Null, &made["webhook_url"]));
    connect(&world, ACCOUNT).await;
    let call = receiver.call().await;
    assert_eq!((call.received().method.as_str(), call.header("authorization")), ("PUT", "Bearer receivers-password"));
    assert!(call.received().header("x-more").is_none());
    assert!(call.is_signed_with("pk_documented_products_own_key"), "as the documented product's clients check it");

    let remaining = world.send(Request::new("DELETE", &path)).await.json();
    assert_eq!(remaining, json!([listed[1]]));
    for request in
        [Request::new("GET", &path), Request::new("DELETE", &path), Request::new("PUT", &path).json(&json!({}))]
    {
        let answer = world.send(request).await;
        assert_eq!(answer.status, 400);
        assert_eq!(
            (&answer.json()["error"], &answer.json()["message"]),
            (&json!("RESOURCE_NOT_FOUND"), &json!("Webhook not found"))
        );
    }
    let (_, trail, _) = world.command(&["audit", "export", "--org", ORG]).await;
    for (operation, times) in [("webhook_created", 2), ("webhook_updated", 1), ("webhook_deleted", 1)] {
        assert_eq!(trail.matches(&format!("\"operation\":\"{operation}\"")).count(), times, "{operation}");
    }
}

#[tokio::test]
async fn what_is_no_webhook_is_refused_in_the_documented_words_and_nothing_of_it_is_repeated() {
    let (world, []) = world_with([]).await;
    let url = "https://hooks.example.com/x";
    let all = json!(["Connection Created"]);
    let cases = [
        (
            json!({"webhook_url": url, "webhook_events": ["Connection Created", "s3cr3t"]}),
            "INVALID_EVENT",
            "Invalid event. Check events list in documentation.",
        ),
        (json!({"webhook_url": url, "webhook_events": ["Workflow Completed"]}), "INVALID_EVENT", "Invalid event."),
        (json!({"webhook_url": url, "webhook_events": []}), "VALIDATION_ERROR", "at least one event"),
        (json!({"webhook_url": url}), "VALIDATION_ERROR", "webhook_events is required"),
        (json!({"webhook_events": all}), "VALIDATION_ERROR", "webhook_url is required"),
        (
            json!({"webhook_url": "http://hooks.example.com/s3cr3t", "webhook_events": all}),
            "VALIDATION_ERROR",
            "must be https",
        ),
        (json!({"webhook_url": "https://10.0.0.1/s3cr3t", "webhook_events": all}), "VALIDATION_ERROR", "never dialled"),
        (
            json!({"webhook_url": url, "webhook_events": all, "webhook_headers": {"s3cr3t\n": "x"}}),
            "VALIDATION_ERROR",
            "not a header's",
        ),
        (
            json!({"webhook_url": url, "webhook_events": all, "webhook_headers": {"host": "s3cr3t"}}),
            "VALIDATION_ERROR",
            "host is not for a caller",
        ),
        (
            json!({"webhook_url": url, "webhook_events": all, "webhook_headers": {"x": "***"}}),
            "VALIDATION_ERROR",
            "there is none yet",
        ),
        (
            json!({"webhook_url": url, "webhook_events": all, "signing_secret": "s3cr3t"}),
            "VALIDATION_ERROR",
            "16 to 256",
        ),
        (json!({"webhook_url": url, "webhook_events": all, "method": "GET"}), "VALIDATION_ERROR", "POST, PUT or PATCH"),
        (
            json!({"webhook_url": url, "webhook_events": all, "webhook_body": {"a": "s3cr3t"}}),
            "VALIDATION_ERROR",
            "webhook_body:",
        ),
        (
            json!({"webhook_url": url, "webhook_events": all, "webhook_type": "slack"}),
            "VALIDATION_ERROR",
            "webhook_type:",
        ),
        (
            json!({"webhook_url": url, "webhook_events": all, "workflow_ids": ["s3cr3t"]}),
            "VALIDATION_ERROR",
            "workflow_ids:",
        ),
        (json!({"webhook_url": url, "webhook_events": all, "group": "s3cr3t"}), "VALIDATION_ERROR", "group:"),
    ];
    for (body, error, message) in cases {
        let answer = world.send(Request::new("POST", WEBHOOKS).json(&body)).await;
        let told = answer.json();
        assert_eq!((answer.status, told["error"].as_str()), (400, Some(error)), "{body}: {told}");
        assert!(told["message"].as_str().unwrap().contains(message), "{body}: {told}");
        assert!(!answer.text().contains("s3cr3t"), "{told}");
    }
    for _ in 0..32 {
        register(&world, json!({"webhook_url": url, "webhook_events": all})).await;
    }
    let body = json!({"webhook_url": url, "webhook_events": all});
    let answer = world.send(Request::new("POST", WEBHOOKS).json(&body)).await;
    assert!(answer.status == 400 && answer.text().contains("there are 32 webhooks"), "{}", answer.text());
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
    assert_eq!(one["reason"], "hooks.example.com answered 503, and 200 is needed");
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
    world.server.kill();
    let before = receiver.rest();
    receiver.answer(Answers::With(200));
    world.server.restart().await;
    let call = receiver.call().await;
    assert_eq!(call.told(), ("Connection Created".to_owned(), ACCOUNT.to_owned()));
    assert!(call.is_signed_with(secret));
    assert!(before.iter().all(|earlier| earlier.header("idempotency-key") == call.header("idempotency-key")));
    settled(&world, &webhook).await;
    // What was taken is not told again, however the server ends.
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

    // With the account goes each of its connections.
    let change = json!({"webhook_events": ["Connection Deleted"]});
    assert_eq!(world.send(Request::new("PUT", &path).json(&change)).await.status, 200);
    assert_eq!(world.send(Request::new("DELETE", &format!("{ACCOUNTS}/{ACCOUNT}"))).await.status, 200);
    let mut told = [receiver.call().await, receiver.call().await].map(|call| call.json()["slug"].clone().to_string());
    told.sort();
    assert_eq!(told, ["\"hubspot\"", "\"stripe\""]);
    assert_eq!(receiver.rest().len(), 0);
}

/// Names that lead to where nothing may be called, asked of a DNS server of the test's. 127.0.0.1 stands for what is public.
#[tokio::test]
async fn a_webhook_whose_name_leads_inside_is_not_called_and_reads_like_one_that_does_not_exist() {
    let mut providers = ProviderWorld::start().await.unwrap();
    let mut receiver = Receiver::add(&mut providers, "*.hooks.example.com").await;
    let port = receiver.port();
    let inside: [(&str, &[&str]); 8] = [
        ("private", &["10.0.0.1"]),
        ("metadata", &["169.254.169.254"]),
        ("metadata-v6", &["fd00:ec2::254"]),
        ("mapped", &["::ffff:127.0.0.1"]),
        ("public-and-private", &["127.0.0.1", "192.168.0.1"]),
        ("nothing", &["0.0.0.0"]),
        ("shared", &["100.64.0.1"]),
        ("absent", &[]),
    ];
    let dns = DnsServer::start(move |question| {
        let name = question.name.trim_end_matches(".hooks.example.com");
        let of = inside.iter().find(|(host, _)| *host == name).map(|(_, addresses)| *addresses);
        question.addresses(of.unwrap_or(&["127.0.0.1"]))
    })
    .await;
    let server = dns.address();
    let change = move |options: &mut ServerOptions| {
        soon(options);
        options.resolve.clear();
        options.arguments.extend(["--egress-dns".to_owned(), server.to_string()]);
    };
    let options = WorldOptions { providers: Some(providers), server: Some(Box::new(change)) };
    let world = World::start_with(options).await;
    let mut webhooks = Vec::new();
    for (host, _) in inside {
        let url = format!("https://{host}.hooks.example.com:{port}/{host}");
        let body = json!({"webhook_url": url, "webhook_events": ["Connection Created"]});
        webhooks.push((host, register(&world, body).await));
    }
    let url = format!("https://public.hooks.example.com:{port}/public");
    register(&world, json!({"webhook_url": url, "webhook_events": ["Connection Created"]})).await;
    // No provider can be reached either, so the credential is kept unverified.
    let body = json!({"slug": "stripe", "auth_object": {"keybased": {"api_key": demo::STRIPE_SECRET_KEY}}});
    let request = world.migrate_request(&body).header("prefer", "on-unverified=store");
    let answer = world.send(request).await;
    assert!(answer.text().contains("success"), "{}", answer.text());
    assert_eq!(receiver.call().await.received().path(), "/public");
    for (host, webhook) in webhooks {
        let failed = settled(&world, &webhook).await["deliveries"]["failed"].clone();
        assert_eq!(failed[0]["reason"], format!("getaddrinfo ENOTFOUND {host}.hooks.example.com"), "{failed}");
    }
    assert_eq!(receiver.rest().len(), 0);
}

#[tokio::test]
async fn in_production_nothing_on_this_machine_or_inside_a_network_can_be_registered() {
    let change = |options: &mut ServerOptions| {
        // With it goes `--dev-allow-loopback`.
        options.egress_ca = None;
    };
    let (world, []) = world_started([], change).await;
    for url in [
        "http://127.0.0.1:8080/",
        "https://127.0.0.1/",
        "https://localhost/",
        "https://[::1]/",
        "https://169.254.169.254/latest/meta-data/",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://metadata.google.internal/",
        "https://intranet/",
        "https://user:password@hooks.example.com/",
        "https://hooks.example.com@10.0.0.1/",
    ] {
        let body = json!({"webhook_url": url, "webhook_events": ["Connection Created"]});
        let answer = world.send(Request::new("POST", WEBHOOKS).json(&body)).await;
        assert_eq!((answer.status, answer.json()["error"].as_str()), (400, Some("VALIDATION_ERROR")), "{url}");
    }
    assert_eq!(world.send(Request::new("GET", WEBHOOKS)).await.json(), json!([]));
}

#[tokio::test]
async fn header_values_and_signing_secrets_are_in_no_answer_log_or_file() {
    let chatty = |options: &mut ServerOptions| {
        soon(options);
        options.environment.push(("KEYFERRY_LOG".to_owned(), "trace".to_owned()));
    };
    let (mut world, [mut receiver]) = world_started(["hooks.example.com"], chatty).await;
    receiver.answer_in_turn([500, 200].map(Answers::With));
    let (header, given) = (Canary::plain("a header's value"), Canary::plain("a signing secret that was given"));
    let body = json!({
        "webhook_url": receiver.url(""), "webhook_events": ["Connection Created"],
        "webhook_headers": {"x-password": header.value()},
    });
    let webhook = register(&world, body).await;
    let made = Canary::known("a signing secret that was made", webhook["signing_secret"].as_str().unwrap());
    let path = format!("{WEBHOOKS}/{}", webhook["_id"].as_str().unwrap());
    let mut seen = Haystack::default();
    connect(&world, ACCOUNT).await;
    assert_eq!(receiver.call().await.header("x-password"), header.value());
    assert!(receiver.call().await.is_signed_with(made.value()));
    let change = json!({"signing_secret": given.value(), "webhook_headers": {"x-password": "***"}});
    for (name, request) in [
        ("change", Request::new("PUT", &path).json(&change)),
        (
            "wrong",
            Request::new("PUT", &path)
                .json(&json!({"webhook_headers": {header.value(): given.value(), "a b": given.value()}})),
        ),
        (
            "misplaced",
            Request::new("POST", WEBHOOKS)
                .json(&json!({"webhook_url": given.value(), "webhook_events": [header.value()]})),
        ),
        ("show", Request::new("GET", &path)),
        ("list", Request::new("GET", WEBHOOKS)),
    ] {
        for accept in ["application/json", "application/problem+json"] {
            seen.answer(name, &world.send(request.clone().header("accept", accept)).await);
        }
    }
    world.create_account("later").await;
    connect(&world, "later").await;
    let call = receiver.call().await;
    assert!(call.is_signed_with(given.value()) && call.header("x-password") == header.value());
    settled(&world, &webhook).await;
    assert!(world.server.terminate().await.success());
    seen.add("what the server printed", world.server.logs());
    let (_, trail, _) = world.command(&["audit", "export", "--org", ORG]).await;
    seen.add("the trail", trail);
    seen.folder(&world.data(), "keyferry.key");
    let found = seen.search(&Searcher::new([&header, &given, &made]), |_, _| false);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[tokio::test]
async fn a_rotation_takes_webhooks_along() {
    let (world, [mut receiver]) = world_with(["hooks.example.com"]).await;
    let body = json!({
        "webhook_url": receiver.url(""), "webhook_events": ["Connection Created"],
        "webhook_headers": {"x-password": "receivers-password"},
    });
    let webhook = register(&world, body).await;
    let secret = webhook["signing_secret"].as_str().unwrap();
    let run = async |arguments: &[&str], expected: i32| {
        let (code, printed, said) = world.command(&[arguments, &["--org", ORG]].concat()).await;
        assert_eq!(code, Some(expected), "{arguments:?}: {printed}{said}");
        said
    };
    run(&["key", "rotate"], 0).await;
    let why = run(&["key", "disable", "1"], 1).await;
    assert!(why.contains("has credentials sealed under it"), "{why}");
    run(&["key", "reseal"], 0).await;
    run(&["key", "disable", "1"], 0).await;
    run(&["key", "destroy", "1", "--yes"], 0).await;
    connect(&world, ACCOUNT).await;
    let call = receiver.call().await;
    assert!(call.is_signed_with(secret) && call.header("x-password") == "receivers-password");
}
