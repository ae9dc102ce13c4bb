//! One request to the provider, whoever asks and however many; and what is needed for it.

use std::sync::Arc;
use std::time::Duration;

use keyferry_tests::http::Request;
use keyferry_tests::token_endpoint::late;
use keyferry_tests::{ACCOUNT, Grants, ORG, ServerChange, WorldOptions};
use serde_json::json;

use super::{App, Renewing, access_token, read, unix_now};

const SOON: Duration = Duration::from_secs(60);
const LONG: Duration = Duration::from_secs(3000);

#[tokio::test]
async fn a_token_is_renewed_when_less_is_left_than_its_reader_needs_and_not_before() {
    let renewing = Renewing::start(App::Zendesk).await;
    renewing.migrate("a", SOON).await;
    assert_eq!(access_token(&renewing.read(30).await), "at-a-0");
    assert_eq!(renewing.provider.requests(), 0, "enough was left");

    let renewed = renewing.read(300).await;
    assert_eq!(access_token(&renewed), "at-a-1");
    let body = renewed.json();
    let fields = &body["auth_object"]["oauth2"];
    assert_eq!(fields["refresh_token"], "rt-a-1", "the next refresh token is stored as well");
    let ends: u64 = fields["expires_at"].as_str().unwrap().parse().unwrap();
    assert!((unix_now() + 1700..=unix_now() + 1800).contains(&ends), "{body}");
    assert_eq!(renewing.provider.requests(), 1);
    assert_eq!(renewing.events("credential_renewed").await, ["renewed access_token"]);

    // What was stored is what is read, also without asking for a life, and also by the plugin.
    assert_eq!(access_token(&read(&renewing.world, &renewing.reader, "zendesk", "").await), "at-a-1");
    assert_eq!(access_token(&renewing.read(300).await), "at-a-1");
    let path = format!("/api/v2/public/linked-account/{ACCOUNT}/integration/zendesk/verify");
    let verified = renewing.world.send(Request::new("POST", &path)).await;
    assert_eq!(verified.json()["verdict"]["outcome"], "verified", "{}", verified.text());
    assert_eq!((renewing.provider.requests(), renewing.provider.second_uses()), (1, 0));
}

#[tokio::test]
async fn a_thousand_readers_at_once_cost_one_request_to_the_provider() {
    let renewing = Arc::new(Renewing::start(App::Zendesk).await);
    renewing.migrate("a", SOON).await;
    renewing.provider.fail_next(late(Duration::from_secs(2)));
    let read = || {
        let renewing = Arc::clone(&renewing);
        tokio::spawn(async move { access_token(&renewing.read(600).await) })
    };
    for reader in (0..1000).map(|_| read()).collect::<Vec<_>>() {
        assert_eq!(reader.await.unwrap(), "at-a-1");
    }
    assert_eq!((renewing.provider.requests(), renewing.provider.second_uses()), (1, 0));
    assert_eq!(renewing.events("credential_renewed").await.len(), 1);
}

#[tokio::test]
async fn a_reader_that_leaves_does_not_stop_the_renewal() {
    let renewing = Renewing::start(App::Zendesk).await;
    renewing.migrate("a", SOON).await;
    renewing.provider.fail_next(late(Duration::from_secs(2)));
    let leaving = tokio::time::timeout(Duration::from_millis(700), renewing.read(600)).await;
    assert!(leaving.is_err(), "it left too late");
    assert_eq!(access_token(&renewing.read(600).await), "at-a-1");
    assert_eq!((renewing.provider.requests(), renewing.provider.second_uses()), (1, 0));
}

#[tokio::test]
async fn what_is_missing_for_a_renewal_is_named() {
    let by_hand: ServerChange = Box::new(|options| options.grants = Grants::ByHand);
    let renewing =
        Renewing::start_with(App::HubSpot, WorldOptions { server: Some(by_hand), ..WorldOptions::default() }).await;
    let plugins = renewing.world.plugins().display().to_string();
    let grant = async |more: &[&str]| {
        let arguments = [&["plugin", "grant", "hubspot", "--yes", "--plugins", &plugins], more].concat();
        let (code, printed, said) = renewing.world.command(&arguments).await;
        assert_eq!(code, Some(0), "{said}");
        printed
    };
    let shown = grant(&[]).await;
    assert!(shown.contains("renews by POST https://api.hubapi.com/oauth/2026-09/token/*"), "{shown}");
    assert!(shown.contains("may not renew: `keyferry plugin grant hubspot --renewal` lets it"), "{shown}");
    renewing.migrate("a", SOON).await;
    let (code, problem) = renewing.refused(300).await;
    assert_eq!(code, "renewal_not_granted", "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("keyferry plugin grant hubspot --renewal"), "{problem}");
    assert_eq!(renewing.provider.requests(), 0);
    grant(&["--renewal"]).await;
    assert_eq!(access_token(&renewing.read(300).await), "at-a-1");

    let without = |renewing: &Renewing, names: &[&str]| {
        let mut auth_object = renewing.auth_object("b", SOON);
        for name in names {
            auth_object["oauth2"].as_object_mut().unwrap().remove(*name);
        }
        auth_object
    };
    let before = renewing.provider.requests();
    for (names, expected, words) in [
        (&["refresh_token"][..], "no_refresh_token", "its access token ends in"),
        (&["client_id", "client_secret"], "no_oauth_client", "no OAuth client of `hubspot`"),
    ] {
        let migrated = renewing.world.migrate("hubspot", without(&renewing, names)).await;
        assert!(migrated.text().contains("success"), "{}", migrated.text());
        let (code, problem) = renewing.refused(300).await;
        assert_eq!(code, expected, "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains(words), "{problem}");
        assert_eq!(access_token(&renewing.read(30).await), "at-b-0", "what lasts long enough is given");
    }
    assert_eq!(renewing.provider.requests(), before);
    let migrated = renewing.world.migrate("hubspot", json!({"keybased": {"access_token": "at-b-0"}})).await;
    assert!(migrated.text().contains("success"), "{}", migrated.text());
    assert_eq!(renewing.read(300).await.status, 200, "a token that does not end");
}

#[tokio::test]
async fn a_life_that_cannot_be_asked_for_is_refused() {
    let renewing = Renewing::start(App::HubSpot).await;
    renewing.migrate("a", LONG).await;
    for query in ["min_ttl=0", "min_ttl=86401", "min_ttl=soon", "min_ttl=-1"] {
        let answer = read(&renewing.world, &renewing.reader, "hubspot", query).await;
        assert_eq!(
            (answer.status, answer.json()["code"].as_str()),
            (400, Some("invalid_query")),
            "{query}: {}",
            answer.text()
        );
    }
    // Who may not see the token cannot have it renewed, and who does not want to see it does not.
    let (code, printed, said) =
        renewing.world.command(&["api-key", "create", "--environment", "test", "--scope", "read", "--org", ORG]).await;
    assert_eq!(code, Some(0), "{said}");
    let answer = read(&renewing.world, printed.trim(), "hubspot", "min_ttl=300").await;
    assert_eq!((answer.status, answer.json()["code"].as_str()), (403, Some("scope_missing")), "{}", answer.text());
    let answer = read(&renewing.world, &renewing.reader, "hubspot", "min_ttl=86400&masked=true").await;
    assert_eq!((answer.status, answer.json()["masked"].as_bool()), (200, Some(true)), "{}", answer.text());
    assert_eq!(renewing.provider.requests(), 0);
}
