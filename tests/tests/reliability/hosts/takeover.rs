//! Work of a server that ends, or stands still, and how soon another one does it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use keyferry_test_postgres::Cluster;
use keyferry_tests::http::Request;
use keyferry_tests::reliability::HostsLoop;
use serde_json::json;

use super::{WEBHOOKS, begin, import, import_is, is_whole, two_servers};

/// How long the work of a server that is gone may lie.
const TAKEOVER: Duration = Duration::from_secs(15);

#[tokio::test]
async fn what_a_killed_server_was_at_is_taken_over_within_fifteen_seconds() {
    let Some(cluster) = Cluster::shared() else { return };
    let (mut world, second, mut receiver) = two_servers(cluster).await;
    let webhook =
        json!({"webhook_url": receiver.url("a"), "webhook_events": ["Connection Created", "Connection Deleted"]});
    let answer = world.send(Request::new("POST", WEBHOOKS).json(&webhook)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let id = begin(&world, &world.server, 400).await;
    import_is(&world, &second, &id, |import| import["outcomes"]["created"].as_u64().unwrap_or(0) > 20).await;
    world.server.kill();
    let at = Instant::now();
    let before = import(&world, &second, &id).await["outcomes"]["created"].as_u64().unwrap();
    assert!(before < 400, "it was too fast to be taken over");
    import_is(&world, &second, &id, |import| import["outcomes"]["created"].as_u64().unwrap_or(0) > before).await;
    assert!(at.elapsed() < TAKEOVER, "its rows lay for {:?}", at.elapsed());
    import_is(&world, &second, &id, |import| import["state"] == "finished").await;
    let mut told: BTreeMap<String, u32> = BTreeMap::new();
    while told.len() < 400 {
        let (event, account) = receiver.call().await.told();
        assert_eq!(event, "Connection Created");
        *told.entry(account).or_default() += 1;
    }
    world.server.restart().await;
    is_whole(&world, 400).await;
}

#[tokio::test]
async fn a_server_that_stood_still_for_longer_than_its_lease_writes_nothing_when_it_comes_back() {
    let Some(cluster) = Cluster::shared() else { return };
    let (mut world, second, _) = two_servers(cluster).await;
    let id = begin(&world, &world.server, 300).await;
    import_is(&world, &second, &id, |import| import["outcomes"]["created"].as_u64().unwrap_or(0) > 20).await;
    world.server.pause();
    import_is(&world, &second, &id, |import| import["state"] == "finished").await;
    world.server.resume();
    let status = world.server.wait().await;
    assert!(!status.success(), "it goes on: {status}");
    let said = world.server.logs();
    assert!(said.contains("another server has taken over the work of this one"), "{said}");
    world.server.restart().await;
    is_whole(&world, 300).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_when_servers_and_their_database_end_in_turns() {
    // The long form is `keyferry-tests hosts`.
    let Some(mut hosts) = HostsLoop::new(fastrand::u64(..)).await else { return };
    println!("{}", hosts.run(6, |_| ()).await);
}
