//! Addresses that are never called, data that is never shown, and keys that change under stored webhooks.

use keyferry_mock_providers::MockProviders;
use keyferry_mock_providers::apps::demo;
use keyferry_tests::dns::DnsServer;
use keyferry_tests::http::Request;
use keyferry_tests::leaks::{Canary, Haystack, Searcher};
use keyferry_tests::receiver::{Answers, Receiver};
use keyferry_tests::{ACCOUNT, ORG, ServerOptions, World, WorldOptions};
use serde_json::json;

use crate::webhooks::bench::{WEBHOOKS, connect, register, settled, soon, world_started, world_with};

/// Names that resolve to forbidden addresses, by a DNS server of the test. 127.0.0.1 represents a public address.
#[tokio::test]
async fn a_webhook_whose_name_leads_inside_is_not_called_and_reads_like_one_that_does_not_exist() {
    let mut providers = MockProviders::start().await.unwrap();
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
    // The provider is not reachable either, so the credential is stored unverified.
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
        // This removes `--dev-allow-loopback`, without which no host may resolve to this machine.
        options.egress_ca = None;
        options.resolve.clear();
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
