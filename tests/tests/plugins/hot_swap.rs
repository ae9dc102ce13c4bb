//! A plugin is replaced repeatedly while requests use it: none fails, and nothing leaks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use keyferry_mock_providers::apps::demo;
use keyferry_tests::form::Form;
use keyferry_tests::plugins::variant;
use keyferry_tests::process::Usage;
use keyferry_tests::{ServerChange, World, WorldOptions, run};
use serde_json::{Value, json};

const CLIENTS: usize = 8;
/// Replacements after which memory is stable.
const SETTLED: usize = 4;

/// The digest of the version that serves an app now.
async fn serving(world: &World) -> String {
    let data = world.data().display().to_string();
    let listed = run(["plugin", "list", "--json", "--data", &data]).await;
    let list: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let entry = list.as_array().unwrap().iter().find(|entry| entry["slug"] == "hubspot").unwrap();
    entry["serving"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_requests_do_not_notice_that_their_plugin_is_replaced_again_and_again() {
    let (requests_at_least, swaps) = Form::current().of((2_000, 12), (10_000, 50));
    let change: ServerChange =
        Box::new(|options| options.environment.push(("KEYFERRY_LOG".to_owned(), "warn".to_owned())));
    let world = Arc::new(World::start_with(WorldOptions { server: Some(change), ..WorldOptions::default() }).await);
    let file = world.plugins().join("hubspot.wasm");
    let original = std::fs::read(&file).unwrap();
    let (done, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (world, done, stop) = (Arc::clone(&world), Arc::clone(&done), Arc::clone(&stop));
            tokio::spawn(async move {
                let body =
                    json!({"slug": "hubspot", "auth_object": {"oauth2": {"access_token": demo::HUBSPOT_ACCESS_TOKEN}}});
                while done.load(Ordering::Relaxed) < requests_at_least || !stop.load(Ordering::Relaxed) {
                    let answer = world.send(world.migrate_request(&body).header("prefer", "verify=only")).await;
                    assert_eq!(answer.status, 200, "{}", answer.text());
                    assert!(answer.text().contains("\"outcome\":\"verified\""), "{}", answer.text());
                    done.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let began = Instant::now();
    let mut settled = 0;
    let mut before = serving(&world).await;
    for swap in 0..swaps {
        let hidden = file.with_extension("part");
        std::fs::write(&hidden, variant(&original, &format!("version {swap}"))).unwrap();
        std::fs::rename(&hidden, &file).unwrap();
        let deadline = Instant::now() + Duration::from_secs(60);
        // A request makes the server scan its folder; each version has to serve for a while.
        let now = loop {
            let now = serving(&world).await;
            if now != before {
                break now;
            }
            assert!(Instant::now() < deadline, "version {swap} was never served");
        };
        before = now;
        if swap + 1 == SETTLED {
            settled = Usage::of(world.server.pid()).resident;
        }
    }
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap();
    }
    let (requests, end) = (done.load(Ordering::Relaxed), Usage::of(world.server.pid()).resident);
    println!(
        "{requests} requests, {swaps} swaps in {:.1?}; resident after {SETTLED} swaps {} KiB, at the end {} KiB",
        began.elapsed(),
        settled / 1024,
        end / 1024
    );
    assert!(requests >= requests_at_least);
    // In the long form, 46 more versions: if each kept its code and its pools, the memory would grow much more.
    assert!(end < settled + settled / 4 + (16 << 20), "memory grew from {settled} to {end} bytes");
}
