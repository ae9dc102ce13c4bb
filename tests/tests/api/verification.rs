//! Verifying a stored credential again: the result is on the integration, and webhooks report a change.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use keyferry_mock_providers::apps::demo;
use keyferry_mock_providers::{MockProviders, Received, Reply};
use keyferry_tests::http::{Request, Response};
use keyferry_tests::metrics::Page;
use keyferry_tests::receiver::Receiver;
use keyferry_tests::{ACCOUNT, ORG, ServerOptions, World, WorldOptions};
use serde_json::{Value, json};
use tokio::sync::{Notify, Semaphore};

const ACCOUNTS: &str = "/api/v2/public/linked-account";

/// A mock Stripe whose response a test sets.
#[derive(Clone)]
struct Stripe(Arc<Mutex<(u16, Value)>>);

impl Stripe {
    fn says(&self, status: u16, body: Value) {
        *self.0.lock().unwrap() = (status, body);
    }

    fn knows_the_key(&self) {
        let settings = json!({"dashboard": {"display_name": "Example"}});
        self.says(200, json!({"id": "acct_0example0", "object": "account", "settings": settings}));
    }
}

/// A world with that mock, and a receiver of all webhook events.
async fn world(more: &[&str]) -> (World, Stripe, Receiver) {
    let stripe = Stripe(Arc::default());
    stripe.knows_the_key();
    let mut providers = MockProviders::start().await.unwrap();
    let said = Arc::clone(&stripe.0);
    let answer = move |_: Received| {
        let (status, body) = said.lock().unwrap().clone();
        Reply::json(status, &body)
    };
    providers.add(demo::STRIPE_HOST, answer).await.unwrap();
    let receiver = Receiver::add(&mut providers, "hooks.example.com").await;
    let more: Vec<_> = more.iter().map(|word| (*word).to_owned()).collect();
    let server = Box::new(move |options: &mut ServerOptions| options.arguments.extend(more));
    let world = World::start_with(WorldOptions { providers: Some(providers), server: Some(server) }).await;
    let body = json!({
        "webhook_url": receiver.url(""),
        "webhook_events": ["Connection Created", "Connection Deleted", "Connection Expired"],
    });
    assert_eq!(world.send(Request::new("POST", "/api/v2/public/webhook").json(&body)).await.status, 200);
    (world, stripe, receiver)
}

async fn migrate(world: &World) -> Response {
    let answer = world.migrate("stripe", json!({"keybased": {"api_key": demo::STRIPE_SECRET_KEY}})).await;
    assert!(answer.text().contains("success"), "{}", answer.text());
    answer
}

fn verification(account: &str, slug: &str) -> Request {
    Request::new("POST", &format!("{ACCOUNTS}/{account}/integration/{slug}/verify"))
}

async fn verify(world: &World) -> Value {
    let answer = world.send(verification(ACCOUNT, "stripe")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let is_verified = answer.json()["verdict"]["outcome"] == "verified";
    assert_eq!(answer.header("keyferry-outcome"), Some(if is_verified { "verified" } else { "not-verified" }));
    answer.json()
}

/// The integration in the account's response, and the connection in the app's.
async fn read(world: &World) -> (Value, Value) {
    let account = world.send(Request::new("GET", &format!("{ACCOUNTS}/{ACCOUNT}"))).await.json();
    let path = format!("/api/v2/public/application/stripe?linked_account_id={ACCOUNT}");
    let app = world.send(Request::new("GET", &path)).await.json();
    assert_eq!(app["reauth_required"], account["integrations"][0]["reauth_required"]);
    (account["integrations"][0].clone(), app["connected_accounts"][0].clone())
}

/// Waits until the gauge of expired connections has this value.
async fn until_expired(world: &World, expected: f64) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while Page::of(&world.server).await.sum("keyferry_connections_expired", &[]) != expected {
        assert!(Instant::now() < deadline, "the gauge is not {expected}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_rejected_credential_is_expired_once_until_it_verifies_or_is_replaced_and_an_outage_changes_nothing() {
    let (world, stripe, mut receiver) = world(&["--metrics-listen=127.0.0.1:0"]).await;
    let revision = migrate(&world).await.header("etag").unwrap().trim_matches('"').to_owned();
    assert_eq!(receiver.call().await.told().0, "Connection Created");
    assert_eq!(read(&world).await.0["last_check"], Value::Null);

    let error =
        |code: &str| json!({"error": {"type": "invalid_request_error", "code": code, "message": "So says Stripe."}});
    let rejected = (401, error("api_key_expired"));
    let good = (200, json!({"id": "acct_0example0"}));
    let other = (200, json!({"id": "acct_0another0"}));
    let steps = [
        (good.clone(), "verified", false, false),
        ((500, error("api_error")), "provider_error", false, false),
        ((429, error("rate_limit")), "rate_limited", false, false),
        (other, "wrong_tenant", false, false),
        (rejected.clone(), "rejected", true, true),
        // It has expired already.
        (rejected.clone(), "rejected", true, false),
        ((503, error("api_error")), "provider_error", true, false),
        (good, "verified", false, false),
        (rejected, "rejected", true, true),
    ];
    for (number, ((status, body), outcome, reauth, told)) in steps.into_iter().enumerate() {
        stripe.says(status, body);
        let answer = verify(&world).await;
        let state = if reauth { "expired" } else { "active" };
        assert_eq!(answer["verdict"]["outcome"], outcome, "step {number}: {answer}");
        assert_eq!((&answer["reauth_required"], &answer["status"]), (&json!(reauth), &json!(state)), "step {number}");
        assert_eq!(answer["revision"], revision, "it is the same credential");
        let (integration, connection) = read(&world).await;
        assert_eq!(integration["reauth_required"], reauth, "step {number}");
        assert_eq!(integration["refresh_token_expired"], reauth, "step {number}");
        assert_eq!(connection["status"], state, "step {number}");
        for place in [&integration, &connection] {
            assert_eq!(place["last_check"]["outcome"], outcome, "step {number}: {place}");
            assert_eq!(place["last_check"]["checked_at"], answer["checked_at"], "step {number}");
        }
        if told {
            assert_eq!(receiver.call().await.told(), ("Connection Expired".to_owned(), ACCOUNT.to_owned()));
        }
    }
    until_expired(&world, 1.0).await;
    stripe.knows_the_key();
    migrate(&world).await;
    until_expired(&world, 0.0).await;
    let (integration, connection) = read(&world).await;
    assert_eq!((&integration["reauth_required"], &connection["status"]), (&json!(false), &json!("active")));
    assert_eq!(integration["last_check"], Value::Null);
    // There was no other event: the next one belongs to the next action.
    assert_eq!(world.send(Request::new("DELETE", &format!("{ACCOUNTS}/{ACCOUNT}"))).await.status, 200);
    assert_eq!(receiver.call().await.told().0, "Connection Deleted");
    assert_eq!(receiver.rest().len(), 0);
    let (_, trail, _) = world.command(&["audit", "export", "--org", ORG]).await;
    for operation in ["credential_used", "credential_checked"] {
        assert_eq!(trail.matches(&format!("\"operation\":\"{operation}\"")).count(), 9, "{operation}");
    }
    assert!(!trail.contains(demo::STRIPE_SECRET_KEY) && !world.server.logs().contains(demo::STRIPE_SECRET_KEY));
}

#[tokio::test]
async fn what_is_not_there_is_told_and_an_account_may_have_slashes() {
    let (world, _, _) = world(&[]).await;
    let account = "team/integration/of@x.com";
    world.create_account(account).await;
    let body = json!({"slug": "stripe", "auth_object": {"keybased": {"api_key": demo::STRIPE_SECRET_KEY}}});
    let request = Request::new("PUT", "/api/v2/public/migrate-token").header("linked_account_id", account);
    assert_eq!(world.send(request.json(&body)).await.status, 200);
    assert_eq!(world.send(verification(account, "stripe")).await.json()["verdict"]["outcome"], "verified");
    for (account, slug, expected) in [
        ("nobody", "stripe", "Linked Account with account id nobody"),
        (ACCOUNT, "stripe", "the linked account has no integration of `stripe`"),
        (ACCOUNT, "No%20Slug", "the linked account has no integration of `***`"),
    ] {
        let answer = world.send(verification(account, slug)).await;
        assert!(answer.status == 404 && answer.text().contains(expected), "{}", answer.text());
    }
    for path in [ACCOUNT.to_owned(), format!("{ACCOUNT}/integration/stripe"), format!("{ACCOUNT}/verify")] {
        let answer = world.send(Request::new("POST", &format!("{ACCOUNTS}/{path}"))).await;
        assert_eq!((answer.status, answer.header("allow")), (405, Some("GET,HEAD,DELETE")), "{path}");
    }
    // Without its plugin there is no result, and nothing is stored.
    std::fs::remove_file(world.plugins().join("stripe.wasm")).unwrap();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    loop {
        let answer = world.send(verification(account, "stripe")).await;
        if answer.status != 200 {
            assert!(answer.status == 503 && answer.text().contains("cannot be verified now"), "{}", answer.text());
            break;
        }
        assert!(std::time::Instant::now() < deadline);
    }
}

#[tokio::test]
async fn verifications_that_providers_turn_away_count_like_migrations() {
    let (world, stripe, _) = world(&["--failed-verifications", "2"]).await;
    migrate(&world).await;
    stripe.says(401, json!({"error": {"message": "Expired API Key provided"}}));
    for _ in 0..2 {
        assert_eq!(verify(&world).await["verdict"]["outcome"], "rejected");
    }
    let answer = world.send(verification(ACCOUNT, "stripe")).await;
    assert!(answer.status == 429 && answer.header("retry-after").is_some(), "{}", answer.text());
}

#[tokio::test]
async fn what_is_found_out_of_a_credential_that_was_replaced_meanwhile_is_not_held_against_the_new_one() {
    const NEW: &str = "sk_test_theNewKey";
    let (asked, go) = (Arc::new(Notify::new()), Arc::new(Semaphore::new(1)));
    let mut providers = MockProviders::start().await.unwrap();
    let (told, gate) = (Arc::clone(&asked), Arc::clone(&go));
    let answer = move |request: Received| {
        let is_new = request.header("authorization").is_some_and(|value| value.ends_with(NEW));
        let (told, gate) = (Arc::clone(&told), Arc::clone(&gate));
        async move {
            if is_new {
                return Reply::json(200, &json!({"id": "acct_0example0"}));
            }
            told.notify_one();
            // The first request is let through: the migration.
            match gate.acquire().await {
                Ok(pass) => {
                    pass.forget();
                    Reply::json(200, &json!({"id": "acct_0example0"}))
                }
                Err(_) => Reply::json(401, &json!({"error": {"message": "Expired API Key provided"}})),
            }
        }
    };
    providers.add_async(demo::STRIPE_HOST, answer).await.unwrap();
    let mut receiver = Receiver::add(&mut providers, "hooks.example.com").await;
    let world = World::start_with(WorldOptions { providers: Some(providers), ..WorldOptions::default() }).await;
    let body = json!({"webhook_url": receiver.url(""), "webhook_events": ["Connection Expired", "Connection Deleted"]});
    assert_eq!(world.send(Request::new("POST", "/api/v2/public/webhook").json(&body)).await.status, 200);
    migrate(&world).await;
    asked.notified().await;
    let (answer, replaced) = tokio::join!(world.send(verification(ACCOUNT, "stripe")), async {
        asked.notified().await;
        let replaced = world.migrate("stripe", json!({"keybased": {"api_key": NEW}})).await;
        // Now the provider rejects the old one.
        go.close();
        replaced
    });
    assert_eq!(replaced.header("keyferry-action"), Some("updated"), "{}", replaced.text());
    assert_eq!(answer.json()["verdict"]["outcome"], "verified", "{}", answer.text());
    assert_eq!(answer.header("etag"), replaced.header("etag"), "the verified credential is the stored one");
    assert_eq!(read(&world).await.0["reauth_required"], false);
    assert_eq!(world.send(Request::new("DELETE", &format!("{ACCOUNTS}/{ACCOUNT}"))).await.status, 200);
    assert_eq!(receiver.call().await.told().0, "Connection Deleted", "no event says that it has expired");
}

/// Another version of Stripe's plugin, which takes fewer accounts: the pattern of one field is replaced in its data.
fn stricter(component: &[u8]) -> Vec<u8> {
    let (old, new) = (b"^acct_[0-9A-Za-z]+$", b"^acct_[0-9]{20,20}$");
    let place = component.windows(old.len()).position(|bytes| bytes == old).expect("the pattern is in the component");
    let mut stricter = component.to_vec();
    stricter[place..place + new.len()].copy_from_slice(new);
    stricter
}

#[tokio::test]
async fn a_credential_that_no_longer_fits_its_apps_schema_is_told_as_such_until_one_that_does_takes_its_place() {
    let (world, _stripe, _receiver) = world(&[]).await;
    let keys = json!({"keybased": {"api_key": demo::STRIPE_SECRET_KEY, "stripe_account": "acct_0example0"}});
    assert_eq!(world.migrate("stripe", keys).await.status, 200);
    assert_eq!(verify(&world).await["verdict"]["outcome"], "verified");
    let stored = world.send(Request::new("GET", &format!("{ACCOUNTS}/{ACCOUNT}"))).await.json();

    let file = world.plugins().join("stripe.wasm");
    let (next, original) = (file.with_extension("part"), std::fs::read(&file).unwrap());
    std::fs::write(&next, stricter(&original)).unwrap();
    std::fs::rename(&next, &file).unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    let told = loop {
        let answer = world.send(verification(ACCOUNT, "stripe")).await;
        if answer.status != 200 {
            break answer;
        }
        assert!(Instant::now() < deadline, "the stricter version was never served");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(told.status, 409, "{}", told.text());
    assert!(told.json()["message"].as_str().unwrap().contains("migrate it again"), "{}", told.text());
    let problem = verification(ACCOUNT, "stripe").header("accept", "application/problem+json");
    let problem = world.send(problem).await;
    assert_eq!((problem.status, &problem.json()["code"]), (409, &json!("credential_outdated")));
    // The field's example in the plugin equals the value.
    let told = problem.text().replace("such as acct_0example0", "");
    assert!(!told.contains("acct_0example0"), "no value is repeated: {told}");
    // The verification had no result, so the state is unchanged.
    let after = world.send(Request::new("GET", &format!("{ACCOUNTS}/{ACCOUNT}"))).await.json();
    assert_eq!(after["integrations"][0]["status"], stored["integrations"][0]["status"]);
    assert_eq!(after["integrations"][0]["reauth_required"], json!(false), "{after}");

    migrate(&world).await;
    assert_eq!(verify(&world).await["verdict"]["outcome"], "verified");
}
