//! Reading a credential back: who may read it, which parts, and the entry in the trail.
use keyferry_mock_providers::apps::demo;
use keyferry_tests::http::{Request, Response};
use keyferry_tests::{ACCOUNT, ORG, World};
use serde_json::{Value, json};

const ACCOUNTS: &str = "/api/v2/public/linked-account";

async fn keyferry(world: &World, arguments: &[&str]) -> String {
    let (code, printed, said) = world.command(&[arguments, &["--org", ORG]].concat()).await;
    assert_eq!(code, Some(0), "{said}");
    printed
}

async fn key(world: &World, scope: &str) -> String {
    keyferry(world, &["api-key", "create", "--environment", "test", "--scope", scope]).await.trim().to_owned()
}

async fn read(world: &World, key: &str, account: &str, slug: &str) -> Response {
    let (slug, query) = slug.split_once('?').unwrap_or((slug, ""));
    let path = format!("{ACCOUNTS}/{account}/integration/{slug}/credentials?{query}");
    Request::new("GET", &path).header("x-api-key", key).send(world.server.address()).await
}

async fn reads_in_the_trail(world: &World) -> Vec<Value> {
    let exported = keyferry(world, &["audit", "export"]).await;
    let events = exported.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    events.filter(|event| event["api"]["operation"] == "credential_read").collect()
}

#[tokio::test]
async fn a_credential_comes_back_as_it_was_sent_and_the_trail_says_who_read_it() {
    let world = World::start().await;
    let sent = json!({"keybased": {
        "account_id": demo::NETSUITE_ACCOUNT_ID,
        "consumer_key": demo::NETSUITE_CONSUMER_KEY,
        "consumer_secret": demo::NETSUITE_CONSUMER_SECRET,
        "token_id": demo::NETSUITE_TOKEN_ID,
        "token_secret": demo::NETSUITE_TOKEN_SECRET,
    }});
    let migrated = world.migrate("netsuite", sent.clone()).await;
    assert!(migrated.text().contains("success"), "{}", migrated.text());
    let reader = key(&world, "read_credentials").await;
    let answer = read(&world, &reader, ACCOUNT, "netsuite").await;
    assert_eq!((answer.status, answer.header("cache-control")), (200, Some("no-store")), "{}", answer.text());
    assert_eq!(answer.header("etag"), migrated.header("etag"));
    let body = answer.json();
    assert_eq!((&body["auth_object"], &body["masked"], &body["outcome"]), (&sent, &json!(false), &json!("verified")));
    let again = world.migrate("netsuite", body["auth_object"].clone()).await;
    assert_eq!(
        again.header("keyferry-action"),
        Some("updated"),
        "a credential that was read can be migrated: {}",
        again.text()
    );

    let reads = reads_in_the_trail(&world).await;
    assert_eq!(reads.len(), 1);
    assert_eq!((&reads[0]["activity_name"], &reads[0]["type_uid"]), (&json!("Read"), &json!(600_302)));
    assert_eq!(reads[0]["actor"]["user"]["name"], reader[..7]);
    assert_eq!(reads[0]["metadata"]["correlation_uid"].as_str(), answer.header("x-request-id"));
    assert_eq!(reads[0]["resources"][1], json!({"type": "integration", "name": "netsuite"}));
    let logs = world.server.logs();
    assert!(!logs.contains(demo::NETSUITE_TOKEN_SECRET) && !logs.contains(demo::NETSUITE_TOKEN_ID));
}

#[tokio::test]
async fn other_keys_see_which_fields_there_are_and_nothing_of_them() {
    let world = World::start().await;
    world.migrate("stripe", json!({"keybased": {"api_key": demo::STRIPE_SECRET_KEY}})).await;
    for scope in ["read", "admin"] {
        let answer = read(&world, &key(&world, scope).await, ACCOUNT, "stripe").await;
        assert_eq!(answer.status, 200, "{scope}: {}", answer.text());
        let body = answer.json();
        assert_eq!(body["auth_object"], json!({"keybased": {"api_key": "***"}}), "{scope}");
        assert_eq!(body["masked"], true, "{scope}");
    }
    // A key that may read values gets masked ones on request.
    let reader = key(&world, "read_credentials").await;
    let answer = read(&world, &reader, ACCOUNT, "stripe?masked=true").await;
    assert_eq!(answer.json()["auth_object"], json!({"keybased": {"api_key": "***"}}), "{}", answer.text());
    assert_eq!(read(&world, &reader, ACCOUNT, "stripe?masked=1").await.status, 400);
    assert_eq!(read(&world, &key(&world, "migrate").await, ACCOUNT, "stripe").await.status, 403);
    let nobody = format!("tk_{}", "0".repeat(50));
    assert_eq!(read(&world, &nobody, ACCOUNT, "stripe").await.status, 401);
    assert_eq!(reads_in_the_trail(&world).await, Vec::<Value>::new(), "no secret was read");
}

/// A user who chooses an account id with slashes cannot make a back end that escapes it address a credential.
#[tokio::test]
async fn an_escaped_slash_belongs_to_the_accounts_id() {
    let world = World::start().await;
    world.migrate("stripe", json!({"keybased": {"api_key": demo::STRIPE_SECRET_KEY}})).await;
    let reader = key(&world, "read_credentials").await;
    assert_eq!(read(&world, &reader, ACCOUNT, "stripe").await.status, 200);
    let chosen = format!("{ACCOUNT}/integration/stripe");
    for (method, word, status) in [("GET", "credentials", 404), ("POST", "verify", 405)] {
        let path = format!("/api/v2/public/linked-account/{}", format!("{chosen}/{word}").replace('/', "%2F"));
        let answer = world.send_as_it_is(Request::new(method, &path).header("x-api-key", &world.api_key)).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        assert!(!answer.text().contains(demo::STRIPE_SECRET_KEY));
    }
    // It is an id like any other.
    let id = format!("{chosen}/credentials");
    world.create_account(&id).await;
    let path = format!("/api/v2/public/linked-account/{}", id.replace('/', "%2F"));
    let shown = world.send(Request::new("GET", &path)).await;
    assert_eq!((shown.status, &shown.json()["account_id"]), (200, &json!(id)), "{}", shown.text());
}

#[tokio::test]
async fn what_is_not_there_is_told_and_an_account_may_have_slashes() {
    let world = World::start().await;
    let reader = key(&world, "read_credentials").await;
    for (account, slug, expected) in [
        ("nobody", "stripe", "Linked Account with account id nobody"),
        (ACCOUNT, "stripe", "the linked account has no integration of `stripe`"),
        (ACCOUNT, "acme-crm", "the linked account has no integration of `acme-crm`"),
        (ACCOUNT, "No%20Slug", "the linked account has no integration of `***` (this name is not repeated"),
    ] {
        let answer = read(&world, &reader, account, slug).await;
        assert_eq!(answer.status, 404, "{account} {slug}");
        assert!(answer.text().contains(expected), "{account} {slug}: {}", answer.text());
    }
    world.create_account("team/integration/of@x.com").await;
    let body = json!({"slug": "stripe", "auth_object": {"keybased": {"api_key": demo::STRIPE_SECRET_KEY}}});
    let request = Request::new("PUT", "/api/v2/public/migrate-token").json(&body);
    let migrated = world.send(request.header("linked_account_id", "team/integration/of@x.com")).await;
    assert_eq!(migrated.header("keyferry-action"), Some("created"), "{}", migrated.text());
    let answer = read(&world, &reader, "team/integration/of@x.com", "stripe").await;
    assert_eq!(answer.json()["auth_object"], body["auth_object"], "{}", answer.text());
    assert_eq!(reads_in_the_trail(&world).await.len(), 1, "a missing credential is not in the trail");
}
