//! A runtime for each processor core: all of them serve, all of them finish what they serve, and none computes for long.
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use keyferry_mock_providers::apps::demo;
use keyferry_mock_providers::{MockProviders, Reply};
use keyferry_tests::process::{Thread, threads};
use keyferry_tests::{ServerOptions, World, WorldOptions, binary, http};
use serde_json::json;

const MIGRATE_TOKEN: &str = "/api/v2/public/migrate-token";
const PATIENCE: Duration = Duration::from_secs(60);

/// The threads of a server that serve requests, one for each core.
fn cores(world: &World) -> Vec<Thread> {
    threads(world.server.pid()).into_iter().filter(|thread| thread.name.starts_with("core-")).collect()
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn connections_are_served_on_all_cores_and_finished_on_each_at_shutdown() {
    let mut providers = MockProviders::start().await.unwrap();
    let slow = |_| {
        let details = json!({"portalId": 48_600_123, "accountType": "STANDARD", "uiDomain": "app.hubspot.com"});
        Reply::json(200, &details).delayed(Duration::from_millis(1500))
    };
    providers.add(demo::HUBSPOT_HOST, slow).await.unwrap();
    let mut world = World::start_with(WorldOptions { providers: Some(providers), ..WorldOptions::default() }).await;
    let before = cores(&world);
    let count = available_parallelism().unwrap().get();
    assert_eq!(before.len(), count, "{before:?}");

    let accounts: Vec<String> = (0..count * 4).map(|number| format!("of_core_{number}")).collect();
    for account in &accounts {
        world.create_account(account).await;
    }
    let body = json!({"slug": "hubspot", "auth_object": {"oauth2": {"access_token": "t-cores"}}});
    let address = world.server.address();
    let requests: Vec<_> = accounts
        .iter()
        .map(|account| {
            let request = http::Request::new("PUT", MIGRATE_TOKEN).header("linked_account_id", account).json(&body);
            tokio::spawn(request.header("x-api-key", &world.api_key).send(address))
        })
        .collect();
    until("the provider was not asked by all requests", || world.providers.received_total() == accounts.len() as u64)
        .await;
    until("a core has served nothing", || {
        cores(&world).iter().zip(&before).all(|(now, before)| now.waits > before.waits)
    })
    .await;
    let status = world.server.terminate().await;
    assert!(status.success(), "{status}: {}", world.server.logs());
    for response in join_all(requests).await {
        let response = response.unwrap();
        assert_eq!(response.status, 200, "{}", response.text());
    }
    world.server.restart().await;
    for account in &accounts {
        let shown = world.send(http::Request::new("GET", &format!("/api/v2/public/linked-account/{account}"))).await;
        assert!(shown.text().contains("hubspot"), "{}", shown.text());
    }
}

#[tokio::test]
async fn a_plugin_that_computes_for_long_does_that_on_the_threads_that_all_cores_share() {
    let server = Box::new(|options: &mut ServerOptions| {
        let out = options.plugins.display().to_string();
        let mut build = binary::command(binary::keyferry());
        let crate_folder = concat!(env!("CARGO_MANIFEST_DIR"), "/hostile");
        let built = build.args(["plugin", "build", crate_folder, "--out", &out]).output().unwrap();
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    });
    let world = World::start_with(WorldOptions { server: Some(server), ..WorldOptions::default() }).await;
    let used = |prefix: &str| -> usize {
        threads(world.server.pid()).iter().filter(|thread| thread.name.starts_with(prefix)).map(|it| it.ticks).sum()
    };
    let before = (used("core-"), used("tokio-"));
    let looping = world.migrate("hostile", json!({"keybased": {"deed": "loop", "api_key": "k"}})).await;
    assert!(looping.text().contains("more than 2 s of processor time"), "{}", looping.text());
    let (cores, shared) = (used("core-") - before.0, used("tokio-") - before.1);
    assert!(cores < shared, "{cores} ticks of the system on the threads of cores, {shared} on the others");
}
