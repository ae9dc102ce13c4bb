//! Root keys wrapped by AWS KMS, mocked by moto: a first start, restarts, the key rotated in KMS, roots in the wrong place,
//! KMS gone and back, throttled, and refusing.
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keyferry_mock_providers::apps::demo;
use keyferry_store::sled::{SledSettings, SledStore};
use keyferry_store::{AuditAction, AuditEvent, Rewrap, RootStore as _, Store as _, Wrapping};
use keyferry_tests::http::{Request, Response, get};
use keyferry_tests::kms::{Call, Kms, Mood, SECRET};
use keyferry_tests::leaks::folder_holds;
use keyferry_tests::{Awaits, ORG, Server, World, WorldOptions, create_api_key_in};
use keyferry_types::ids::OrgId;
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(30);

async fn world(keys: Vec<(String, String)>) -> World {
    let server = Box::new(|options: &mut keyferry_tests::ServerOptions| {
        options.environment.push(("KEYFERRY_LOG".to_owned(), "trace".to_owned()));
    });
    World::start_keyed(keys, WorldOptions { server: Some(server), ..WorldOptions::default() }).await
}

/// Creates one more organisation with a linked account. This does not unlock its root.
async fn organisation(world: &World, keys: &[(String, String)], org: &str) -> String {
    let key = create_api_key_in(keys, &world.data(), org, "test").await;
    let account = Request::new("PUT", "/api/v2/public/linked-account").json(&json!({ "account_id": "user_1" }));
    let answer = account.header("x-api-key", &key).send(world.server.address()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    key
}

async fn migrate(world: &World, key: &str) -> Response {
    let body = json!({"slug": "stripe", "auth_object": {"keybased": {"api_key": demo::STRIPE_SECRET_KEY}}});
    let request = world.migrate_request(&body).header("x-api-key", key);
    request.header("accept", "application/problem+json").send(world.server.address()).await
}

async fn migrates(world: &World, key: &str) {
    let answer = migrate(world, key).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

fn locked(answer: &Response, why: &str, wait: &str) {
    assert_eq!(answer.status, 503, "{}", answer.text());
    let body = answer.json();
    assert_eq!((body["code"].as_str(), answer.header("retry-after")), (Some("keys_locked"), Some(wait)), "{body}");
    assert!(body["detail"].as_str().unwrap().contains(why), "{body}");
}

fn context(org: &str, number: u32) -> Value {
    json!({ "keyferry:purpose": "root", "keyferry:organisation": org, "keyferry:root": number.to_string() })
}

fn of(calls: &[Call], operation: &str, context: &Value) -> usize {
    let is_it = |call: &&Call| call.operation == operation && call.body["EncryptionContext"] == *context;
    calls.iter().filter(is_it).count()
}

#[tokio::test]
async fn a_root_is_unwrapped_once_a_start_survives_a_rotated_key_and_shows_nowhere() {
    let Some(kms) = Kms::start().await else { return };
    let arn = kms.create_key().await;
    kms.call("CreateAlias", json!({ "AliasName": "alias/keyferry", "TargetKeyId": arn })).await;
    let keys = kms.environment("alias/keyferry");
    let mut world = world(keys.clone()).await;
    for _ in 0..20 {
        migrates(&world, &world.api_key).await;
    }
    let (root, code) = (context(ORG, 1), json!({ "keyferry:purpose": "compiled-code" }));
    let calls = kms.take_calls();
    let counted = [of(&calls, "Encrypt", &root), of(&calls, "Decrypt", &root), of(&calls, "Encrypt", &code)];
    assert_eq!(counted, [1, 1, 1], "{calls:?}");
    assert!(calls.iter().all(|call| call.body["KeyId"] == "alias/keyferry"), "{calls:?}");
    let (_, listed, said) = world.command_keyed(&keys, &["key", "list", "--org", ORG, "--json"]).await;
    assert_eq!(serde_json::from_str::<Value>(&listed).expect(&said)[0]["wrapped_by"], arn);

    // The key's material changes, and data wrapped with the former material can still be decrypted.
    kms.call("RotateKeyOnDemand", json!({ "KeyId": arn })).await;
    world.server.restart().await;
    migrates(&world, &world.api_key).await;
    let calls = kms.take_calls();
    assert_eq!([of(&calls, "Decrypt", &root), of(&calls, "Decrypt", &code), of(&calls, "Encrypt", &code)], [1, 1, 0]);

    // Rotated, resealed, disabled and destroyed: the only call is the one that wraps the new root.
    assert_eq!(world.command_keyed(&keys, &["key", "rotate", "--org", ORG]).await.0, Some(0));
    let (_, printed, _) = world.command_keyed(&keys, &["key", "reseal", "--org", ORG]).await;
    assert!(printed.starts_with("1 credentials sealed under the newest key"), "{printed}");
    assert_eq!(world.command_keyed(&keys, &["key", "disable", "1", "--org", ORG]).await.0, Some(0));
    assert_eq!(world.command_keyed(&keys, &["key", "destroy", "1", "--yes", "--org", ORG]).await.0, Some(0));
    migrates(&world, &world.api_key).await;
    let calls = kms.take_calls();
    assert_eq!((calls.len(), of(&calls, "Encrypt", &context(ORG, 2))), (1, 1), "{calls:?}");
    world.server.restart().await;
    migrates(&world, &world.api_key).await;
    assert!(world.server.terminate().await.success());

    // The secrets that KMS unwraps, which must not leak: the root, and the key for compiled code.
    let store = SledStore::open(SledSettings::new(world.data().join("store"))).await.unwrap();
    let wrapped = store.roots(&ORG.parse().unwrap()).await.unwrap().remove(0).wrapped;
    store.close().await.unwrap();
    drop(store);
    let stored: Value = serde_json::from_slice(&std::fs::read(world.data().join("code-key.json")).unwrap()).unwrap();
    assert_eq!(stored["key"], arn);
    let logs = world.server.logs();
    assert!(logs.contains("aws_smithy_runtime"), "KMS' client does log");
    for (wrapped, context) in
        [(json!(STANDARD.encode(wrapped)), context(ORG, 2)), (stored["wrapped"].clone(), code.clone())]
    {
        let asked = json!({ "CiphertextBlob": wrapped, "EncryptionContext": context });
        let plain = kms.call("Decrypt", asked).await["Plaintext"].as_str().unwrap().to_owned();
        let bytes = STANDARD.decode(&plain).unwrap();
        assert_eq!(bytes.len(), 32);
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let decimals = format!("{bytes:?}");
        for shape in [plain.as_str(), &hex, &decimals] {
            assert!(!logs.contains(shape), "in the log");
            assert!(!folder_holds(&world.data(), shape.as_bytes()), "in the data folder");
        }
        assert!(!folder_holds(&world.data(), &bytes), "in the data folder");
    }
    assert!(!logs.contains(SECRET) && !folder_holds(&world.data(), SECRET.as_bytes()));
    assert!(!world.data().join("keyferry.key").exists(), "a local key was made beside");
}

#[tokio::test]
async fn a_root_opens_for_its_organisation_and_by_its_key_only() {
    let Some(kms) = Kms::start().await else { return };
    let (arn, other) = (kms.create_key().await, kms.create_key().await);
    let keys = kms.environment(&arn);
    let mut world = world(keys.clone()).await;
    let umbrella = organisation(&world, &keys, "umbrella").await;
    assert!(world.server.terminate().await.success());

    // An attacker with write access to the store replaces one organisation's root with another's.
    let store = SledStore::open(SledSettings::new(world.data().join("store"))).await.unwrap();
    let org: OrgId = "umbrella".parse().unwrap();
    let own = store.roots(&org).await.unwrap().remove(0).wrappings();
    let theirs = store.roots(&ORG.parse().unwrap()).await.unwrap().remove(0).wrappings();
    swap(&store, &org, &own, &theirs).await;
    store.close().await.unwrap();
    drop(store);
    world.server.restart().await;
    kms.take_calls();
    for _ in 0..5 {
        locked(&migrate(&world, &umbrella).await, "they do not open with the server's key", "60");
    }
    let calls = kms.take_calls();
    assert_eq!((calls.len(), of(&calls, "Decrypt", &context("umbrella", 1))), (1, 1), "{calls:?}");
    assert!(world.server.logs().contains("root 1 of organisation umbrella does not unwrap"));
    migrates(&world, &world.api_key).await;

    // With its own root back, it decrypts.
    assert!(world.server.terminate().await.success());
    let store = SledStore::open(SledSettings::new(world.data().join("store"))).await.unwrap();
    swap(&store, &org, &theirs, &own).await;
    store.close().await.unwrap();
    drop(store);
    world.server.restart().await;
    migrates(&world, &umbrella).await;
    world.server.kill();

    // A different key of KMS is reported before any request.
    kms.take_calls();
    let mut options = world.server.options_mut().clone();
    options.environment.extend(kms.environment(&other));
    let failure = Server::try_start(options).await.err().unwrap();
    assert!(failure.logs.contains(&format!("needs the key {arn}, and {other} is configured")), "{failure}");
    assert_eq!(kms.take_calls().len(), 0);
    let mut options = world.server.options_mut().clone();
    options.environment.retain(|(name, _)| name != "KEYFERRY_KEY_KMS");
    let failure = Server::try_start(options).await.err().unwrap();
    assert!(failure.logs.contains("there is no key file at"), "{failure}");
}

async fn swap(store: &SledStore, org: &OrgId, from: &[Wrapping], to: &[Wrapping]) {
    let audit = AuditEvent::new(AuditAction::KeyRewrapped, "test", "");
    let rewrap = Rewrap { org: org.clone(), key_id: 1, from: from.to_vec(), to: to.to_vec(), audit };
    assert!(store.rewrap_root(rewrap).await.unwrap());
}

#[tokio::test]
async fn while_kms_is_gone_what_is_unlocked_goes_on_and_all_is_well_when_it_is_back() {
    let Some(kms) = Kms::start().await else { return };
    let keys = kms.environment(&kms.create_key().await);
    let mut world = world(keys.clone()).await;
    let umbrella = organisation(&world, &keys, "umbrella").await;
    migrates(&world, &world.api_key).await;

    kms.set(Mood::Gone);
    locked(&migrate(&world, &umbrella).await, "the key service does not answer", "5");
    for _ in 0..10 {
        migrates(&world, &world.api_key).await;
    }
    let asked = Instant::now();
    locked(&migrate(&world, &umbrella).await, "the key service does not answer", "5");
    assert!(asked.elapsed() < Duration::from_secs(9), "it does not wait for ever");
    let documented = world.migrate_request(&json!({"slug": "stripe", "auth_object": {"keybased": {"api_key": "k"}}}));
    let documented = documented.header("x-api-key", &umbrella).send(world.server.address()).await;
    assert_eq!((documented.status, documented.json()["status_code"].as_u64()), (503, Some(503)));
    let ready = get(world.server.address(), "/readyz").await;
    assert_eq!(ready.status, 200);
    assert!(ready.json()["warnings"][0].as_str().unwrap().contains("unlocked organisations are still served"));
    // Another API key of an organisation with a root needs no call of KMS; a new organisation does.
    create_api_key_in(&keys, &world.data(), ORG, "production").await;
    let arguments = ["api-key", "create", "--org", "newcomer", "--environment", "test"];
    let (code, _, said) = world.command_keyed(&keys, &arguments).await;
    assert!(code == Some(1) && said.contains("the key service does not answer (key arn:aws:kms:"), "{said}");

    kms.set(Mood::Works);
    comes_round(&world, &umbrella).await;
    let deadline = Instant::now() + PATIENCE;
    while get(world.server.address(), "/readyz").await.json().get("warnings").is_some() {
        assert!(Instant::now() < deadline, "the warning does not end");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    // A start without KMS: requests that need no key are served, and the server becomes ready without a restart.
    kms.set(Mood::Gone);
    world.server.options_mut().awaits = Awaits::Listening;
    world.server.restart().await;
    let ready = get(world.server.address(), "/readyz").await;
    assert_eq!(ready.status, 503);
    assert!(ready.json()["obstacles"][0].as_str().unwrap().contains("no organisation can be unlocked"));
    assert_eq!(get(world.server.address(), "/livez").await.status, 200);
    assert_eq!(world.send(Request::new("GET", "/api/v2/public/linked-account")).await.status, 200);
    locked(&migrate(&world, &umbrella).await, "the key service does not answer", "5");
    kms.set(Mood::Works);
    let deadline = Instant::now() + PATIENCE;
    while get(world.server.address(), "/readyz").await.status != 200 {
        assert!(Instant::now() < deadline, "it does not become ready");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for key in [&umbrella, &world.api_key] {
        migrates(&world, key).await;
    }
}

/// For a moment after a failure the same error is returned without a call.
async fn comes_round(world: &World, key: &str) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = migrate(world, key).await;
        if answer.status == 200 {
            return;
        }
        assert!(Instant::now() < deadline, "{}", answer.text());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn throttling_is_waited_out_and_each_refusal_is_told_for_what_it_is() {
    let Some(kms) = Kms::start().await else { return };
    let keys = kms.environment(&kms.create_key().await);
    let mut world = world(keys.clone()).await;
    let mut others = Vec::new();
    for org in ["a", "b", "c", "d", "e", "f"] {
        others.push(organisation(&world, &keys, org).await);
    }
    // Two failed attempts are invisible to callers.
    for (code, status, key) in [("ThrottlingException", 400, &others[0]), ("KMSInternalException", 500, &others[1])] {
        kms.take_calls();
        kms.set(Mood::Answers(2, status, code));
        migrates(&world, key).await;
        assert_eq!(kms.take_calls().len(), 3, "{code}");
    }
    let cases = [
        ("ThrottlingException", "the key service is asked too often", "2", 3),
        ("AccessDeniedException", "the key service refuses Keyferry's credentials", "60", 1),
        ("DisabledException", "the key service has the key disabled", "60", 1),
        ("NotFoundException", "the key service has no such key", "60", 1),
    ];
    for ((code, why, wait, attempts), key) in cases.into_iter().zip(&others[2..]) {
        kms.take_calls();
        kms.set(Mood::Answers(99, 400, code));
        locked(&migrate(&world, key).await, why, wait);
        let calls = kms.take_calls().len();
        assert_eq!(calls, attempts, "{code}");
        assert!(world.server.logs().contains(&format!("400 {code}")), "{code}");
        kms.set(Mood::Works);
        comes_round(&world, key).await;
    }
    // Where a retry cannot help, the server does not start.
    world.server.kill();
    for (code, why, ..) in &cases[1..] {
        kms.set(Mood::Answers(99, 400, code));
        let failure = Server::try_start(world.server.options_mut().clone()).await.err().unwrap();
        assert_eq!(failure.status.and_then(|status| status.code()), Some(1), "{failure}");
        assert!(failure.logs.contains(why), "{failure}");
    }
    kms.set(Mood::Works);
    let mut options = world.server.options_mut().clone();
    options.environment.push(("AWS_ENDPOINT_URL_KMS".to_owned(), "http://kms.example.com".to_owned()));
    let failure = Server::try_start(options).await.err().unwrap();
    assert!(failure.logs.contains("http is for this very machine"), "{failure}");
    let mut options = world.server.options_mut().clone();
    options.environment.retain(|(name, _)| name != "AWS_ACCESS_KEY_ID");
    let failure = Server::try_start(options).await.err().unwrap();
    assert!(failure.logs.contains("the key service refuses Keyferry's credentials"), "{failure}");
    let mut options = world.server.options_mut().clone();
    options.environment.retain(|(name, _)| name != "AWS_REGION" && name != "KEYFERRY_KEY_KMS");
    options.environment.push(("KEYFERRY_KEY_KMS".to_owned(), "alias/keyferry".to_owned()));
    let failure = Server::try_start(options).await.err().unwrap();
    assert!(failure.logs.contains("no AWS region is set"), "{failure}");
}

#[tokio::test]
async fn a_key_in_kms_takes_the_place_of_a_key_file() {
    let Some(kms) = Kms::start().await else { return };
    let mut world = World::start().await;
    let arn = kms.create_key().await;
    migrates(&world, &world.api_key).await;
    // The running server is not configured for KMS; the command is.
    let mut keys = kms.environment(&arn);
    keys.retain(|(name, _)| name != "KEYFERRY_KEY_KMS");
    let (code, _, said) = world.command_keyed(&keys, &["key", "rewrap", "--all", "--to-key-kms", &arn]).await;
    assert!(code == Some(0) && said.contains(&format!("Now start the server with --key-kms {arn}")), "{said}");
    migrates(&world, &world.api_key).await;
    world.server.options_mut().environment.extend(kms.environment(&arn));
    world.server.restart().await;
    migrates(&world, &world.api_key).await;
    let finish = ["key", "rewrap", "--all", "--finish", "--key-kms", &arn];
    let (code, printed, said) = world.command_keyed(&keys, &finish).await;
    assert!(code == Some(0) && printed.starts_with("1 root keys are wrapped by arn:aws:kms:"), "{printed}{said}");
    std::fs::remove_file(world.data().join("keyferry.key")).unwrap();
    world.server.restart().await;
    migrates(&world, &world.api_key).await;
    let (_, listed, _) = world.command_keyed(&keys, &["key", "list", "--org", ORG, "--json"]).await;
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!((&listed[0]["wrapped_by"], &listed[0]["also_wrapped_by"]), (&json!(arn), &Value::Null));
}
