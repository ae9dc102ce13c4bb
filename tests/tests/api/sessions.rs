//! Sessions of front ends: the content of their tokens, the operations that they allow, and all ways in which they end.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keyferry_mock_providers::apps::demo;
use keyferry_tests::http::{Request, Response};
use keyferry_tests::{ACCOUNT, ORG, ServerOptions, World, WorldOptions};
use serde_json::{Value, json};

const TOKEN: &str = "/api/v2/public/session-token";
const APPS: &str = "/api/v2/f-sdk/application";
const DAY: u64 = 24 * 60 * 60;

async fn issued(world: &World, query: &str, account: &str) -> Value {
    let request = Request::new("POST", &format!("{TOKEN}{query}")).json(&json!({ "linked_account_id": account }));
    let answer = world.send(request).await;
    assert_eq!((answer.status, answer.header("cache-control")), (200, Some("no-store")), "{}", answer.text());
    answer.json()
}

fn text(value: &Value, member: &str) -> String {
    value[member].as_str().unwrap().to_owned()
}

async fn ask(world: &World, token: &str, method: &str, target: &str) -> Response {
    let request = Request::new(method, target).header("authorization", &format!("Bearer {token}"));
    world.send_as_it_is(request).await
}

async fn counts(world: &World, token: &str) -> bool {
    let answer = ask(world, token, "GET", APPS).await;
    assert!([200, 401].contains(&answer.status), "{}", answer.text());
    answer.status == 200
}

fn part(token: &str, at: usize) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(at).unwrap()).unwrap()).unwrap()
}

async fn keyferry(world: &World, arguments: &[&str]) -> String {
    let (code, printed, said) = world.command(&[arguments, &["--org", ORG]].concat()).await;
    assert_eq!(code, Some(0), "{arguments:?}: {said}");
    printed
}

#[tokio::test]
async fn a_token_says_whose_it_is_is_handed_out_again_and_is_written_down_nowhere() {
    let mut world = World::start().await;
    let first = issued(&world, "", ACCOUNT).await;
    let token = text(&first, "token");
    assert_eq!(part(&token, 0), json!({ "alg": "HS256", "typ": "JWT" }));
    let claims = part(&token, 1);
    assert_eq!(
        (&claims["org_id"], &claims["linked_account_id"], &claims["environment"]),
        (&json!(ORG), &json!(ACCOUNT), &json!("test"))
    );
    let lives = |claims: &Value| claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap();
    assert_eq!(lives(&claims), 7 * DAY);
    assert_eq!(lives(&part(&text(&first, "refresh_token"), 1)), 30 * DAY);
    let left = |issued: &Value, member: &str| issued[member].as_u64().unwrap();
    assert!((7 * DAY - 60..=7 * DAY).contains(&left(&first, "expires_in")), "{first}");
    assert!((30 * DAY - 60..=30 * DAY).contains(&left(&first, "refresh_expires_in")), "{first}");

    world.server.restart().await;
    let again = issued(&world, "", ACCOUNT).await;
    assert_eq!((text(&again, "token"), text(&again, "refresh_token")), (token.clone(), text(&first, "refresh_token")));
    let other = text(&issued(&world, "?force_refresh=true", ACCOUNT).await, "token");
    assert!(other != token && counts(&world, &token).await && counts(&world, &other).await, "one more, beside it");
    assert_eq!(text(&issued(&world, "?force_refresh=false", ACCOUNT).await, "token"), other, "the newest");

    let exported = keyferry(&world, &["audit", "export"]).await;
    let events: Vec<Value> = exported.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let opened: Vec<_> = events.iter().filter(|event| event["api"]["operation"] == "session_opened").collect();
    let outcomes: Vec<_> = opened.iter().map(|event| event["status_detail"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["made", "handed out again", "made", "handed out again"]);
    assert!(world.server.terminate().await.success());
    for secret in [&token, &other, &token.rsplit_once('.').unwrap().1.to_owned()] {
        assert!(!exported.contains(secret) && !world.server.logs().contains(secret));
    }
}

/// The operations that the documentation excludes for session tokens, and all others that require a key.
#[tokio::test]
async fn a_token_is_not_taken_for_a_key_nor_one_kind_of_it_for_the_other() {
    let world = World::start().await;
    let session = issued(&world, "", ACCOUNT).await;
    let (token, refresh) = (text(&session, "token"), text(&session, "refresh_token"));
    let accounts = "/api/v2/public/linked-account";
    let migration = json!({ "slug": "stripe", "auth_object": { "keybased": { "api_key": demo::STRIPE_SECRET_KEY } } });
    let of_keys = [
        ("PUT", "/api/v2/public/migrate-token".to_owned(), migration),
        ("PUT", format!("{accounts}/integration/save-key-credentials/stripe"), json!({ "api_key": "x" })),
        ("POST", accounts.to_owned(), json!({ "account_id": "new" })),
        ("GET", accounts.to_owned(), Value::Null),
        ("DELETE", format!("{accounts}/{ACCOUNT}"), Value::Null),
        ("DELETE", format!("{accounts}/integration/stripe"), Value::Null),
        ("GET", format!("{accounts}/{ACCOUNT}/integration/stripe/credentials"), Value::Null),
        ("GET", "/api/v2/public/application".to_owned(), Value::Null),
        ("POST", TOKEN.to_owned(), json!({ "linked_account_id": ACCOUNT })),
    ];
    for (method, target, body) in of_keys {
        for header in [("authorization", format!("Bearer {token}")), ("x-api-key", token.clone())] {
            let mut request = Request::new(method, &target).header(header.0, &header.1);
            request = request.header("linked_account_id", ACCOUNT);
            if !body.is_null() {
                request = request.json(&body);
            }
            let answer = world.send_as_it_is(request).await;
            assert_eq!(
                (answer.status, &answer.json()["message"]),
                (401, &json!("Invalid Credentials")),
                "{method} {target}"
            );
        }
    }
    // A key is not a token, a refresh token only refreshes, and an access token does not.
    for (bearer, method, target) in [
        (&world.api_key, "GET", APPS),
        (&refresh, "GET", APPS),
        (&refresh, "POST", "/api/v2/public/session-token/revoke"),
        (&token, "POST", "/api/v2/public/session-token/refresh"),
    ] {
        let answer = ask(&world, bearer, method, target).await;
        assert_eq!((answer.status, &answer.json()["error"]), (401, &json!("INVALID_TOKEN")), "{method} {target}");
    }
    let twice = Request::new("GET", APPS).header("authorization", &format!("Bearer {token}"));
    let twice = twice.header("authorization", "Bearer x");
    assert_eq!(
        world.send_as_it_is(twice).await.status,
        401,
        "of two headers, another program could read the other one"
    );
    assert!(counts(&world, &token).await);
}

#[tokio::test]
async fn a_request_that_names_another_account_than_its_session_is_refused_at_every_door() {
    let world = World::start().await;
    world.create_account("user_2").await;
    let session = issued(&world, "", ACCOUNT).await;
    let (token, refresh) = (text(&session, "token"), text(&session, "refresh_token"));
    let own = "/api/v2/public/linked-account/default-app/auth-credentials/key";
    let save = "/api/v2/app/stripe/save";
    let doors = [
        ("GET", "/api/v3/org/basics", &token, None),
        ("GET", APPS, &token, None),
        ("GET", "/api/v2/f-sdk/application/stripe", &token, None),
        ("POST", save, &token, Some(json!({ "api_key": demo::STRIPE_SECRET_KEY }))),
        ("DELETE", "/api/v1/linked-acc/integration/stripe", &token, None),
        ("GET", "/api/v1/stripe/integrate", &token, None),
        ("POST", "/api/v1/stripe/integrate", &token, None),
        ("GET", "/api/v2/public/session/active-linked-account", &token, None),
        ("GET", "/api/v2/public/linked-account/user_1", &token, None),
        ("PUT", "/api/v2/public/linked-account", &token, Some(json!({ "name": "other" }))),
        ("PUT", own, &token, Some(json!({ "value": "v" }))),
        ("DELETE", own, &token, None),
        ("POST", "/api/v2/public/session-token/revoke", &token, None),
        ("POST", "/api/v2/public/session-token/refresh", &refresh, None),
    ];
    for (method, target, bearer, body) in &doors {
        for (query, header) in
            [("", Some("linked_account_id")), ("", Some("linked-account-id")), ("?linkedAccountId=user_2", None)]
        {
            let mut request = Request::new(method, &format!("{target}{query}"));
            request = request.header("authorization", &format!("Bearer {bearer}"));
            request = request.header("accept", "application/problem+json");
            if let Some(name) = header {
                request = request.header(name, "user_2");
            }
            if let Some(body) = body {
                request = request.json(body);
            }
            let answer = world.send_as_it_is(request).await;
            let said = (answer.status, answer.json()["code"].clone());
            assert_eq!(said, (400, json!("linked_account_conflict")), "{method} {target}{query} {header:?}");
        }
    }
    let account = world.send(Request::new("GET", "/api/v2/public/linked-account/user_1")).await.json();
    assert_eq!(account["integrations"], json!([]), "nothing was done");
    // Equal values are accepted, and the session has not ended.
    let request = Request::new("POST", &format!("{save}?linked_account_id={ACCOUNT}"));
    let request = request.header("authorization", &format!("Bearer {token}")).header("linked_account_id", ACCOUNT);
    let answer = world.send_as_it_is(request.json(&json!({ "api_key": demo::STRIPE_SECRET_KEY }))).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[tokio::test]
async fn no_forged_token_counts_whatever_it_says_of_itself() {
    let world = World::start().await;
    world.create_account("user_2").await;
    let token = text(&issued(&world, "", ACCOUNT).await, "token");
    let other = text(&issued(&world, "", "user_2").await, "token");
    let parts = |token: &str| token.split('.').map(str::to_owned).collect::<Vec<_>>();
    let (ours, theirs) = (parts(&token), parts(&other));
    let encoded = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let claimed = |name: &str, value: Value| {
        let mut claims = part(&token, 1);
        claims[name] = value;
        encoded(&claims)
    };
    let mut forged = vec![
        format!("{}.{}.", encoded(&json!({ "alg": "none" })), ours[1]),
        format!("{}.{}.{}", encoded(&json!({ "alg": "none" })), ours[1], ours[2]),
        format!("{}.{}.{}", encoded(&json!({ "alg": "RS256", "typ": "JWT" })), ours[1], ours[2]),
        format!("{}.{}.{}", ours[0], theirs[1], ours[2]),
        format!("{}.{}.{}", ours[0], ours[1], theirs[2]),
        format!("{}.{}.", ours[0], ours[1]),
        format!("{}.{}", ours[0], ours[1]),
        format!("{token}="),
        format!("{token}."),
    ];
    for (name, value) in [
        ("linked_account_id", json!("user_2")),
        ("org_id", json!("umbrella")),
        ("environment", json!("production")),
        ("exp", json!(4_000_000_000_u64)),
        ("iat", json!(0)),
        ("jti", json!("0".repeat(24))),
        ("token_use", json!("refresh")),
        ("token_use", json!("access")),
        ("more", json!(1)),
    ] {
        forged.push(format!("{}.{}.{}", ours[0], claimed(name, value), ours[2]));
    }
    for token in forged {
        let answer = ask(&world, &token, "GET", APPS).await;
        assert_eq!((answer.status, &answer.json()["message"]), (401, &json!("Invalid token")), "{token}");
    }
    assert!(counts(&world, &token).await && counts(&world, &other).await);
}

#[tokio::test]
async fn a_session_ends_when_it_is_revoked_renewed_or_its_account_goes_and_does_not_come_back() {
    let mut world = World::start().await;
    let token = text(&issued(&world, "", ACCOUNT).await, "token");
    let revoke = format!("{TOKEN}/revoke");
    assert_eq!(ask(&world, &token, "POST", &revoke).await.json(), json!({ "success": true, "revoked_count": 1 }));
    assert_eq!(ask(&world, &token, "POST", &revoke).await.status, 401);
    let second = issued(&world, "", ACCOUNT).await;
    assert_ne!(text(&second, "token"), token, "a revoked one is not handed out again");

    let (refresh, access) = (text(&second, "refresh_token"), text(&second, "token"));
    let renewed = ask(&world, &refresh, "POST", &format!("{TOKEN}/refresh")).await;
    assert_eq!((renewed.status, renewed.header("cache-control")), (200, Some("no-store")), "{}", renewed.text());
    let renewed = renewed.json();
    assert!(!counts(&world, &access).await && counts(&world, &text(&renewed, "token")).await);
    assert_eq!(ask(&world, &refresh, "POST", &format!("{TOKEN}/refresh")).await.status, 401, "once");

    world.server.kill();
    world.server.restart().await;
    assert!(!counts(&world, &token).await && !counts(&world, &access).await, "it is durable");
    let last = text(&renewed, "token");
    assert!(counts(&world, &last).await);
    let account = format!("/api/v2/public/linked-account/{ACCOUNT}");
    assert_eq!(world.send(Request::new("DELETE", &account)).await.status, 200);
    assert!(!counts(&world, &last).await);
    world.create_account(ACCOUNT).await;
    assert!(!counts(&world, &last).await, "another account, though its id is the same");
    assert_eq!(ask(&world, &text(&renewed, "refresh_token"), "POST", &format!("{TOKEN}/refresh")).await.status, 401);
}

#[tokio::test]
async fn a_session_can_do_no_more_than_its_api_key_and_no_longer() {
    let world = World::start().await;
    let create = |scopes: &'static str| {
        let world = &world;
        async move {
            let scopes: Vec<_> = scopes.split(' ').flat_map(|scope| ["--scope", scope]).collect();
            let arguments = [&["api-key", "create", "--environment", "test"][..], &scopes].concat();
            keyferry(world, &arguments).await.trim().to_owned()
        }
    };
    let session = |key: String| {
        let world = &world;
        async move {
            let body = json!({ "linked_account_id": ACCOUNT });
            let request = Request::new("POST", TOKEN).json(&body).header("x-api-key", &key);
            text(&world.send_as_it_is(request).await.json(), "token")
        }
    };
    let (narrow, wide) = (create("migrate").await, create("migrate read admin").await);
    let (small, large) = (session(narrow.clone()).await, session(wide.clone()).await);
    assert_ne!(small, large, "a session does not allow more than its key");
    for (target, method) in [(APPS, "GET"), ("/api/v1/linked-acc/integration/stripe", "DELETE")] {
        let answer = ask(&world, &small, method, target).await;
        assert_eq!(answer.status, 403, "{target}");
        assert!(answer.text().contains("the API key that this session was made with does not have the scope"));
        assert_eq!(ask(&world, &large, method, target).await.status, 200, "{target}");
    }
    keyferry(&world, &["api-key", "revoke", &wide]).await;
    assert!(!counts(&world, &large).await, "with the key that it was made with");
    assert_eq!(ask(&world, &small, "GET", APPS).await.status, 403, "and no other");
}

#[tokio::test]
async fn a_session_survives_a_key_rotation_and_ends_with_the_root_that_it_hangs_on() {
    let mut world = World::start().await;
    let old = text(&issued(&world, "", ACCOUNT).await, "token");
    keyferry(&world, &["key", "rotate"]).await;
    keyferry(&world, &["key", "reseal"]).await;
    assert!(counts(&world, &old).await);
    let new = text(&issued(&world, "?force_refresh=true", ACCOUNT).await, "token");
    keyferry(&world, &["key", "disable", "1"]).await;
    for _ in 0..2 {
        assert!(!counts(&world, &old).await && counts(&world, &new).await);
        world.server.restart().await;
    }
    assert_eq!(text(&issued(&world, "", ACCOUNT).await, "token"), new);
}

/// A second token does not raise the limit of attempts, and a front end uses no more than its share of the
/// organisation's limit.
#[tokio::test]
async fn credentials_that_a_front_end_tries_out_are_counted_for_its_account_whatever_its_session() {
    let server = Box::new(|options: &mut ServerOptions| {
        options.arguments.extend(["--failed-verifications", "8"].map(str::to_owned));
    });
    let world = World::start_with(WorldOptions { server: Some(server), ..WorldOptions::default() }).await;
    let connect = |token: String, key: &'static str| {
        let request = Request::new("POST", "/api/v2/app/stripe/save").json(&json!({ "api_key": key }));
        world.send_as_it_is(request.header("authorization", &format!("Bearer {token}")))
    };
    let began = std::time::Instant::now();
    let mut statuses = Vec::new();
    for _ in 0..3 {
        let token = text(&issued(&world, "?force_refresh=true", ACCOUNT).await, "token");
        statuses.push(connect(token, "sk_test_nobodyKnowsThisOne").await.status);
    }
    assert_eq!(statuses, [500, 500, 429], "a quarter of the key's");
    world.create_account("user_2").await;
    let other = text(&issued(&world, "", "user_2").await, "token");
    let good = connect(other.clone(), demo::STRIPE_SECRET_KEY).await;
    assert_eq!(good.status, 200, "{}", good.text());
    // Sessions for many accounts do not multiply the limit of their key.
    let mut turned_away = 2;
    for account in ["user_2", "user_3", "user_4", "user_5"] {
        if account != "user_2" {
            world.create_account(account).await;
        }
        let token = text(&issued(&world, "", account).await, "token");
        for _ in 0..3 {
            let answer = connect(token.clone(), "sk_test_nobodyKnowsThisOne").await;
            assert!([500, 429].contains(&answer.status), "{}", answer.text());
            turned_away += usize::from(answer.status == 500);
        }
    }
    // The permits that the limit has restored meanwhile.
    let back = |limit: usize| usize::try_from(began.elapsed().as_secs()).unwrap() * limit / 60 + 1;
    assert!((4..=4 + back(4)).contains(&turned_away), "half of the key's, by all its front ends: {turned_away}");
    let refused = connect(other, "sk_test_nobodyKnowsThisOne").await;
    let told = refused.header("ratelimit").unwrap();
    assert!(told.starts_with("\"failed-verifications\";r=0;"), "{told}");
    let wrong = json!({ "keybased": { "api_key": "sk_test_nobodyKnowsThisOne" } });
    let key = json!({ "keybased": { "api_key": demo::STRIPE_SECRET_KEY } });
    for round in 0..4 {
        assert_eq!(world.migrate("stripe", key.clone()).await.status, 200, "the back end has its half");
        let answer = world.migrate("stripe", wrong.clone()).await;
        assert_eq!(answer.status, 500, "{round}: {}", answer.text());
    }
    let mut more = 0;
    while world.migrate("stripe", wrong.clone()).await.status == 500 {
        more += 1;
    }
    assert!(more <= back(8), "and no more: {more}");
}

#[tokio::test]
async fn an_account_has_so_many_sessions_and_the_oldest_ends() {
    let world = World::start().await;
    let first = text(&issued(&world, "", ACCOUNT).await, "token");
    for _ in 0..31 {
        issued(&world, "?force_refresh=true", ACCOUNT).await;
    }
    assert!(counts(&world, &first).await);
    issued(&world, "?force_refresh=true", ACCOUNT).await;
    assert!(!counts(&world, &first).await);
}
