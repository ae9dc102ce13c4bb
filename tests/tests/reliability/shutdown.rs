//! SIGTERM: requests in flight are finished, new connections are refused, the process exits with 0.
use std::time::{Duration, Instant};

use keyferry_mock_providers::apps::demo;
use keyferry_mock_providers::{MockProviders, Reply};
use keyferry_tests::{World, WorldOptions, http};
use serde_json::json;

#[tokio::test]
async fn a_request_under_way_is_finished_and_its_credential_is_kept() {
    let mut providers = MockProviders::start().await.unwrap();
    let slow = |_| {
        let details = json!({"portalId": 48_600_123, "accountType": "STANDARD", "uiDomain": "app.hubspot.com"});
        Reply::json(200, &details).delayed(Duration::from_millis(1500))
    };
    providers.add(demo::HUBSPOT_HOST, slow).await.unwrap();
    let options = WorldOptions { providers: Some(providers), ..WorldOptions::default() };
    let mut world = World::start_with(options).await;
    let address = world.server.address();
    assert_eq!(http::get(address, "/livez").await.status, 200);
    assert_eq!(http::get(address, "/readyz").await.status, 200);

    let body = json!({"slug": "hubspot", "auth_object": {"oauth2": {"access_token": "t-shutdown"}}});
    let request = world.migrate_request(&body).header("x-api-key", &world.api_key);
    let under_way = tokio::spawn(async move { request.send(address).await });
    let deadline = Instant::now() + Duration::from_secs(20);
    while world.providers.received_total() == 0 {
        assert!(Instant::now() < deadline, "the provider was never asked");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let status = world.server.terminate().await;
    assert!(status.success(), "{status}: {}", world.server.logs());
    assert_eq!(under_way.await.unwrap().status, 200);
    world.server.restart().await;
    let shown = world.send(http::Request::new("GET", "/api/v2/public/linked-account/user_1")).await;
    assert!(shown.text().contains("hubspot"), "{}", shown.text());
}
