//! What a token endpoint answers, and what becomes of the connection: only documented answers end it.

use std::sync::Arc;
use std::time::Duration;

use keyferry_mock_providers::{Delivery, Reply};
use keyferry_tests::http::Request;
use keyferry_tests::token_endpoint::{CLIENT_ID, CLIENT_SECRET, Fault};
use keyferry_tests::{ACCOUNT, leaks};
use serde_json::{Value, json};

use super::{App, Renewing, access_token, unix_now};

const SOON: Duration = Duration::from_secs(60);
const LONG: Duration = Duration::from_secs(3000);

/// Whether the integration needs its user.
async fn is_dead(renewing: &Renewing) -> bool {
    let path = format!("/api/v2/public/linked-account/{ACCOUNT}");
    let account = renewing.world.send(Request::new("GET", &path)).await.json();
    let text = account.to_string();
    assert!(text.contains("reauth_required"), "{account:#}");
    text.contains("\"reauth_required\":true")
}

#[tokio::test]
async fn an_outage_is_not_a_death_and_is_tried_again_later() {
    let renewing = Renewing::start(App::Zendesk).await;
    let oauth_body = json!({"error": "invalid_grant", "error_description": "of a gateway that is down"});
    let faults: Vec<(&str, Reply)> = vec![
        ("503 with the body of a death", Reply::json(503, &oauth_body)),
        ("429", Reply::json(429, &oauth_body).with_header("retry-after", "7")),
        ("a page of a firewall", Reply::text(403, "<html>blocked</html>").with_header("content-type", "text/html")),
        ("a page with 200", Reply::text(200, "<html>maintenance</html>").with_header("content-type", "text/html")),
        ("a redirect", Reply::status(302).with_header("location", "https://elsewhere.example/")),
        ("an unknown error", Reply::json(400, &json!({"error": "temporarily_odd"}))),
        ("no token", Reply::json(200, &json!({"token_type": "bearer"}))),
        ("a closed connection", Reply::status(200).delivered(Delivery::Closed)),
        ("an endless answer", Reply::text(200, "x").delivered(Delivery::Endless)),
    ];
    for (number, (what, reply)) in faults.into_iter().enumerate() {
        let family = format!("f{number}");
        renewing.migrate(&family, SOON).await;
        renewing.provider.fail_next(Fault::Instead(reply));
        let before = renewing.provider.requests();
        let answer = renewing.read(300).await;
        assert_eq!(
            (answer.status, answer.json()["code"].as_str()),
            (503, Some("provider_down")),
            "{what}: {}",
            answer.text()
        );
        let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!(wait >= 1 && (what != "429" || wait >= 7), "{what}: {wait}");
        assert!(!is_dead(&renewing).await, "{what}");
        // What has life left is given meanwhile, and nobody asks the provider before the wait is over.
        assert_eq!(access_token(&renewing.read(30).await), format!("at-{family}-0"), "{what}");
        assert_eq!(renewing.read(300).await.status, 503, "{what}");
        assert_eq!(renewing.provider.requests(), before + 1, "{what}");
    }
    // The last one is over after a while, and then the token is renewed.
    let renewed = loop {
        let answer = renewing.read(300).await;
        match answer.header("retry-after") {
            Some(wait) => tokio::time::sleep(Duration::from_secs(wait.parse().unwrap())).await,
            None => break answer,
        }
    };
    assert_eq!(access_token(&renewed), "at-f8-1");
}

#[tokio::test]
async fn a_dead_grant_is_told_once_and_never_asked_for_again() {
    for reply in [
        None,
        Some(Reply::json(200, &json!({"error": "invalid_grant"}))),
        Some(Reply::json(401, &json!({"error": "invalid_grant", "error_description": "x"}))),
    ] {
        let mut renewing = Renewing::start(App::Zendesk).await;
        renewing.migrate("a", SOON).await;
        match reply {
            Some(reply) => renewing.provider.fail_next(Fault::Instead(reply)),
            None => renewing.provider.revoke("a"),
        }
        let (code, problem) = renewing.refused(300).await;
        assert_eq!(code, "reauth_required", "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains("invalid_grant"), "{problem}");
        assert!(is_dead(&renewing).await);
        renewing.world.server.restart().await;
        assert_eq!(renewing.refused(300).await.0, "reauth_required", "also after a restart");
        assert_eq!(renewing.provider.requests(), 1);
        assert_eq!(renewing.events("credential_renewed").await, ["ended"]);
        // A new authorisation brings it back.
        renewing.migrate("b", SOON).await;
        assert!(!is_dead(&renewing).await);
        assert_eq!(access_token(&renewing.read(300).await), "at-b-1");
    }
}

#[tokio::test]
async fn a_client_that_is_refused_is_not_the_connections_fault() {
    let renewing = Renewing::start(App::Zendesk).await;
    let mut auth_object = renewing.auth_object("a", SOON);
    auth_object["oauth2"]["client_secret"] = json!("of-another-client");
    let migrated = renewing.world.migrate("zendesk", auth_object).await;
    assert!(migrated.text().contains("success"), "{}", migrated.text());
    let (code, problem) = renewing.refused(300).await;
    assert_eq!(code, "oauth_client_refused", "{problem}");
    assert!(!is_dead(&renewing).await);
    assert_eq!(renewing.events("credential_renewed").await, ["client_refused"]);
}

#[tokio::test]
async fn a_client_of_the_organisation_that_is_refused_is_one_event_and_not_one_a_connection() {
    let renewing = Renewing::start(App::Zendesk).await;
    let put = async |name: &str, secret: &str| {
        let path = format!("/api/v2/public/oauth-client/zendesk/{name}");
        let body = json!({"client_id": CLIENT_ID, "client_secret": secret});
        let answer = renewing.world.send(Request::new("PUT", &path).json(&body)).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    };
    put("default", "of-another-client").await;
    put("ours", CLIENT_SECRET).await;
    let migrate = async |account: &str, name: Option<&str>| {
        let mut auth_object = renewing.auth_object(account, SOON);
        let fields = auth_object["oauth2"].as_object_mut().unwrap();
        fields.retain(|field, _| !field.starts_with("client_"));
        if let Some(name) = name {
            fields.insert("oauth_client".to_owned(), json!(name));
        }
        renewing.world.create_account(account).await;
        let body = json!({"slug": "zendesk", "auth_object": auth_object});
        let request =
            Request::new("PUT", "/api/v2/public/migrate-token").header("linked_account_id", account).json(&body);
        let migrated = renewing.world.send(request).await;
        assert!(migrated.text().contains("success"), "{}", migrated.text());
    };
    let read = async |account: &str| {
        let path = format!("/api/v2/public/linked-account/{account}/integration/zendesk/credentials?min_ttl=300");
        let request = Request::new("GET", &path).header("x-api-key", &renewing.reader);
        renewing.world.send_as_it_is(request.header("accept", "application/problem+json")).await
    };
    for account in ["one", "two", "three"] {
        migrate(account, None).await;
        let answer = read(account).await;
        assert_eq!(answer.json()["code"], "oauth_client_refused", "{}", answer.text());
        assert!(answer.text().contains("OAuth client `default`"), "{}", answer.text());
    }
    assert_eq!(renewing.events("oauth_client_refused").await, ["OAuth client default refused by the provider"]);
    migrate("four", Some("ours")).await;
    assert_eq!(access_token(&read("four").await), "at-four-1");
    migrate("five", Some("nobodys")).await;
    let answer = read("five").await;
    assert_eq!(answer.json()["code"], "no_oauth_client", "{}", answer.text());
    assert!(answer.text().contains("no OAuth client `nobodys` of `zendesk`"), "{}", answer.text());
    assert_eq!(renewing.provider.second_uses(), 0);
}

#[tokio::test]
async fn the_end_of_a_token_is_the_providers_word_if_it_makes_sense() {
    let renewing = Renewing::start(App::HubSpot).await;
    renewing.migrate("a", SOON).await;
    // Short lives: a tenth of one has to pass before the next renewal.
    let cases: [(&str, Value, u64); 7] = [
        ("a number", json!({"expires_in": 10}), 10),
        ("text", json!({"expires_in": "12"}), 12),
        ("missing: as long as the last one", json!({"expires_in": null}), 12),
        ("zero", json!({"expires_in": 0}), 12),
        ("absurd", json!({"expires_in": 99_999_999_999_u64}), 12),
        (
            "a new refresh token of a provider that keeps them",
            json!({"refresh_token": "rt-a-77", "expires_in": 10}),
            10,
        ),
        ("no end of a first answer: the life that the app declares", json!({"expires_in": null}), 1800),
    ];
    for (what, members, expected) in cases {
        if expected == 1800 {
            renewing.migrate("b", SOON).await;
        }
        let before = renewing.provider.requests();
        renewing.provider.fail_next(Fault::Members(members));
        // More than the app's tokens last.
        let answer = loop {
            let answer = renewing.read(86_400).await;
            assert_eq!(answer.status, 200, "{what}: {}", answer.text());
            if renewing.provider.requests() > before {
                break answer;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        };
        let ends: u64 = answer.json()["auth_object"]["oauth2"]["expires_at"].as_str().unwrap().parse().unwrap();
        let now = unix_now();
        assert!((now + expected - 8..=now + expected).contains(&ends), "{what}: {} s", ends - now);
        assert_eq!(renewing.read(86_400).await.status, 200, "{what}");
        assert_eq!(renewing.provider.requests(), before + 1, "{what}: a reader that asks for too much");
    }
    assert_eq!(renewing.provider.second_uses(), 0);
}

#[tokio::test]
async fn a_token_that_a_verification_found_expired_is_brought_back_by_its_refresh_token() {
    let renewing = Renewing::start(App::Zendesk).await;
    renewing.migrate("a", LONG).await;
    renewing.provider.expire("a");
    let path = format!("/api/v2/public/linked-account/{ACCOUNT}/integration/zendesk/verify");
    let verified = renewing.world.send(Request::new("POST", &path)).await;
    assert_eq!(verified.json()["verdict"]["outcome"], "rejected", "{}", verified.text());
    assert!(is_dead(&renewing).await);
    assert_eq!(access_token(&renewing.read(300).await), "at-a-1");
    assert!(!is_dead(&renewing).await);
}

#[tokio::test]
async fn no_token_is_in_a_log_a_message_or_the_store_in_plain() {
    let renewing = Renewing::start(App::Zendesk).await;
    renewing.migrate("canary-of-a-family", SOON).await;
    // A provider that repeats what it got in the description of an error.
    let echo =
        json!({"error": "odd", "error_description": "you sent rt-canary-of-a-family-0 of client-secret-5b1e7c09d2"});
    renewing.provider.fail_next(Fault::Instead(Reply::json(400, &echo)));
    let (_, problem) = renewing.refused(300).await;
    assert!(problem["detail"].as_str().unwrap().contains("you sent *** of ***"), "{problem}");
    renewing.provider.fail_next(Fault::Changed(Arc::new(|reply| reply)));
    renewing.migrate("another-canary", SOON).await;
    assert_eq!(access_token(&renewing.read(300).await), "at-another-canary-1");
    let logs = renewing.world.server.logs();
    for secret in ["rt-canary-of-a-family", "rt-another-canary", "at-another-canary", "client-secret-5b1e7c09d2"] {
        assert!(!logs.contains(secret), "{secret} is in the log");
        assert!(!leaks::folder_holds(&renewing.world.data(), secret.as_bytes()), "{secret} is in the data folder");
    }
}
