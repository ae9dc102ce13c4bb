//! Renewals over several servers: one at a time, and none repeated after the server that began it has ended.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use keyferry_mock_providers::MockProviders;
use keyferry_test_postgres::Cluster;
use keyferry_tests::http::{Request, Response};
use keyferry_tests::token_endpoint::{CLIENT_ID, CLIENT_SECRET, Policy, TokenEndpoint, late};
use keyferry_tests::{ACCOUNT, ORG, Server, ServerChange, World, WorldOptions, binary};
use serde_json::json;

use super::PATIENCE;

/// A world with two servers, a provider whose refresh tokens end when they are used, and a key that reads credentials.
async fn two_renewing_servers(cluster: &'static Cluster) -> (World, Server, TokenEndpoint, String) {
    let account = json!({"user": {"id": 35436, "name": "Johnny Agent", "role": "admin"}});
    let provider = TokenEndpoint::new(Policy::SingleUse, move |_, _| account.clone());
    let (mut providers, endpoint) = (MockProviders::start().await.unwrap(), provider.clone());
    providers.add("acme.zendesk.com", move |request| endpoint.reply(&request)).await.unwrap();
    let server: ServerChange = Box::new(|options| binary::copy(["zendesk"], &options.plugins));
    let options = WorldOptions { providers: Some(providers), server: Some(server) };
    let mut world = World::start_on(cluster.database(), options).await;
    let second = world.another_server("second").await;
    let arguments = ["api-key", "create", "--environment", "test", "--scope", "read_credentials", "--org", ORG];
    let (code, reader, said) = world.command(&arguments).await;
    assert_eq!(code, Some(0), "{said}");
    let (access_token, refresh_token) = provider.authorise("a");
    let soon = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() + 120;
    let migrated = world
        .migrate(
            "zendesk",
            json!({"oauth2": {
                "subdomain": "acme", "access_token": access_token, "refresh_token": refresh_token, "expires_at": soon,
                "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET,
            }}),
        )
        .await;
    assert!(migrated.text().contains("success"), "{}", migrated.text());
    (world, second, provider, reader.trim().to_owned())
}

fn fresh(reader: &str) -> Request {
    let path = format!("/api/v2/public/linked-account/{ACCOUNT}/integration/zendesk/credentials?min_ttl=600");
    Request::new("GET", &path).header("x-api-key", reader).header("accept", "application/problem+json")
}

fn access_token(answer: &Response) -> String {
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["auth_object"]["oauth2"]["access_token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn readers_of_two_servers_cost_one_request_to_the_provider() {
    let Some(cluster) = Cluster::shared() else { return };
    let (world, second, provider, reader) = two_renewing_servers(cluster).await;
    provider.fail_next(late(Duration::from_secs(2)));
    let addresses = [world.server.address(), second.address()];
    let readers: Vec<_> = (0..200)
        .map(|number| {
            let (request, address) = (fresh(&reader), addresses[number % 2]);
            tokio::spawn(async move { request.send(address).await })
        })
        .collect();
    for reader in readers {
        assert_eq!(access_token(&reader.await.unwrap()), "at-a-1");
    }
    assert_eq!((provider.requests(), provider.second_uses()), (1, 0));
}

#[tokio::test]
async fn a_renewal_of_a_server_that_was_killed_is_not_repeated_by_another_one() {
    let Some(cluster) = Cluster::shared() else { return };
    let (mut world, second, provider, reader) = two_renewing_servers(cluster).await;
    provider.fail_next(late(Duration::from_secs(8)));
    let (request, address) = (fresh(&reader), world.server.address());
    let asked = tokio::spawn(async move { request.try_send(address).await });
    let deadline = Instant::now() + PATIENCE;
    while provider.requests() == 0 {
        assert!(Instant::now() < deadline, "the provider was not asked");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    world.server.kill();
    assert!(asked.await.unwrap().is_err(), "the reader got no response");
    // Until the lease of the first server ends, its renewal counts as under way.
    let answer = loop {
        let answer = fresh(&reader).send(second.address()).await;
        if answer.status != 503 {
            break answer;
        }
        assert!(Instant::now() < deadline, "{}", answer.text());
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    assert_eq!(answer.json()["code"], "reauth_required", "{}", answer.text());
    assert_eq!((provider.requests(), provider.second_uses()), (1, 0));
}
