//! No plugin can hurt the host or a neighbour: a corpus of hostile components, each dropped into a running server.
//!
//! The long form, with figures: `cargo run -p keyferry-tests -- hostile`.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};
use keyferry_api::admin::GrantPlugin;
use keyferry_sandbox::{Digest, RenewalGrant, WasiGrant};
use keyferry_tests::hostile::{
    Distance, Finds, HOSTILE_KEY, Holdings, Neighbour, Trials, corpus, hoarder, hostile_world, limits, peeper,
    two_faced,
};
use keyferry_tests::{ServerOptions, World, WorldOptions, run};
use serde_json::json;

/// Begins with the mark that a peeper searches for.
const SECRET: &str = "PEEPSHOW-51c07d7e-that-nobody-else-may-see";
/// Does not begin with the mark.
const OTHER: &str = "another-credential";

/// The allowed growth of the server's resources over the whole corpus: pages that the allocator keeps for the next
/// compilation, threads for blocking work and idle connections to providers that have not timed out yet.
const ALLOWANCE: Holdings = Holdings { resident: 96 << 20, threads: 4, descriptors: 8 };

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_of_them_gets_what_it_deserves_and_the_neighbour_notices_nothing() {
    let world = Arc::new(hostile_world().await);
    let trials = Trials::new(Arc::clone(&world));
    let corpus = corpus();
    let names: HashSet<_> = corpus.iter().map(|hostile| hostile.name).collect();
    assert_eq!(names.len(), corpus.len(), "each has a name of its own");
    let neighbour = Neighbour::start(Arc::clone(&world), Duration::from_millis(20), Distance::None);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let calm = neighbour.finish().await;
    let before = Holdings::of(world.server.pid());

    let neighbour = Neighbour::start(Arc::clone(&world), Duration::from_millis(20), Distance::None);
    // Two at a time: most of them do nothing but wait for the end of their call.
    let trials = &trials;
    let tried = stream::iter(&corpus).map(|hostile| async move {
        let became = trials.run(hostile, &hostile.component()).await;
        became.err().map(|error| format!("{}, which tries {}: {error}", hostile.name, hostile.tries))
    });
    let wrong: Vec<String> = tried.buffer_unordered(2).filter_map(std::future::ready).collect().await;
    let beside = neighbour.finish().await;
    let after = Holdings::settled(world.server.pid(), before.and(ALLOWANCE), Duration::from_secs(15)).await;
    println!("{} components; before: {before}; after: {after}", corpus.len());
    println!("neighbour alone: {calm}");
    println!("neighbour beside: {beside}");
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), corpus.len(), wrong.join("\n"));
    assert!(calm.failures.is_empty() && beside.failures.is_empty(), "{:?} {:?}", calm.failures, beside.failures);
    assert!(after.fits(before.and(ALLOWANCE)), "before: {before}, after: {after}");
    let logs = world.server.logs();
    assert!(!logs.contains("panicked"), "{logs}");
    assert!(!logs.contains(HOSTILE_KEY), "the secret is in the log");
}

/// The search result of a peeper or hoarder.
async fn finds(world: &World, slug: &str, key: &str, note: Option<&str>) -> Finds {
    let body = json!({"slug": slug, "auth_object": {"keybased": {"api_key": key, "note": note}}});
    let request = world.migrate_request(&body).header("accept", "application/problem+json");
    let answer = world.send(request).await;
    let code = answer.json()["code"].as_str().unwrap_or_default().to_owned();
    Finds::of(&code).unwrap_or_else(|| panic!("{slug}: {}", answer.text()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_instance_leaves_in_memory_no_later_one_finds() {
    // With one slot, each instance has the pages of the one before.
    let change = Box::new(|options: &mut ServerOptions| limits(options, "slots = 1"));
    let world = World::start_with(WorldOptions { server: Some(change), ..WorldOptions::default() }).await;
    let world = Arc::new(world);
    let trials = Trials::new(Arc::clone(&world));
    trials.drop_in("hoarder", &hoarder("hoarder"));
    trials.drop_in("peeper", &peeper("peeper"));
    let (data, plugins) = (world.data().display().to_string(), world.plugins().display().to_string());
    assert_eq!(trials.status("hoarder").await.unwrap().state.as_str(), "pending", "it asks to read secrets");
    let granted = run(["plugin", "grant", "hoarder", "--data", &data, "--plugins", &plugins]).await;
    assert!(granted.status.success(), "{}", String::from_utf8_lossy(&granted.stderr));
    assert_eq!(trials.status("peeper").await.unwrap().state.as_str(), "active");
    // The search finds a secret that is there: in the plugin's own arguments.
    assert_eq!(finds(&world, "peeper", OTHER, Some(SECRET)).await, Finds::TheSecret);
    for _ in 0..20 {
        assert_eq!(finds(&world, "hoarder", SECRET, None).await, Finds::TheSecret, "it is given it as text");
        assert_eq!(finds(&world, "peeper", SECRET, None).await, Finds::Nothing, "another plugin, with a handle to it");
        assert_eq!(finds(&world, "hoarder", SECRET, None).await, Finds::TheSecret);
        assert_eq!(finds(&world, "hoarder", OTHER, None).await, Finds::Nothing, "the same plugin");
    }
    assert!(!world.server.logs().contains("panicked"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_that_go_away_leave_nothing_behind() {
    let world = Arc::new(hostile_world().await);
    let trials = Trials::new(Arc::clone(&world));
    let names = ["loop-in-verify", "slow-provider", "storm-of-logs"];
    for hostile in corpus().iter().filter(|hostile| names.contains(&hostile.name)) {
        trials.drop_in(hostile.name, &hostile.component());
        assert_eq!(trials.status(hostile.name).await.unwrap().state.as_str(), "active");
    }
    let before = Holdings::of(world.server.pid());
    let neighbour = Neighbour::start(Arc::clone(&world), Duration::from_millis(20), Distance::None);
    for name in names.iter().cycle().take(60) {
        let body = json!({"slug": name, "auth_object": {"keybased": {"api_key": HOSTILE_KEY}}});
        let request = world.migrate_request(&body).header("x-api-key", &world.api_key);
        let sent = request.try_send(world.server.address());
        assert!(tokio::time::timeout(Duration::from_millis(30), sent).await.is_err(), "the response came too soon");
    }
    let after = Holdings::settled(world.server.pid(), before.and(ALLOWANCE), Duration::from_secs(30)).await;
    let beside = neighbour.finish().await;
    println!("before: {before}; after: {after}; neighbour: {beside}");
    assert!(after.fits(before.and(ALLOWANCE)), "before: {before}, after: {after}");
    assert!(beside.failures.is_empty(), "{:?}", beside.failures);
    assert!(!world.server.logs().contains("panicked"), "{}", world.server.logs());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_says_the_same_of_itself_each_time_whatever_it_tries() {
    let mut world = hostile_world().await;
    let component = two_faced("two-faced");
    let mut names = HashSet::new();
    for _ in 0..3 {
        let shared = Arc::new(world);
        let trials = Trials::new(Arc::clone(&shared));
        for _ in 0..3 {
            trials.drop_in("two-faced", &component);
            let status = trials.status("two-faced").await.unwrap();
            names.insert(status.name.unwrap_or_else(|| panic!("{:?}", status.reason)));
            trials.take_out("two-faced");
            assert_eq!(trials.status("two-faced").await, None);
        }
        drop(trials);
        world = Arc::into_inner(shared).unwrap();
        world.server.restart().await;
    }
    assert_eq!(names.len(), 1, "{names:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_grant_is_for_the_app_that_it_was_given_for() {
    let mut world = hostile_world().await;
    let good = corpus().into_iter().find(|hostile| hostile.name == "simd").unwrap();
    let (data, plugins) = (world.data().display().to_string(), world.plugins().display().to_string());
    std::fs::write(world.plugins().join("simd.wasm"), good.component()).unwrap();
    // A file that is replaced after its requests were shown is not granted.
    let another = GrantPlugin {
        target: "simd".to_owned(),
        sha256: Some(Digest::of(b"another file")),
        wasi: WasiGrant::None,
        reads_text: Vec::new(),
        renewal: RenewalGrant::AsRecorded,
        days: None,
    };
    let refused = keyferry_api::admin::call(&world.data().join("admin.sock"), &another).await.unwrap_err().to_string();
    assert!(refused.contains("it has changed since it was looked at"), "{refused}");
    let granted = run(["plugin", "grant", "simd", "--data", &data, "--plugins", &plugins]).await;
    assert!(granted.status.success(), "{}", String::from_utf8_lossy(&granted.stderr));
    let lock = world.data().join("keyferry.lock");
    let text = std::fs::read_to_string(&lock).unwrap();
    std::fs::write(&lock, text.replace("slug = \"simd\"", "slug = \"another\"")).unwrap();
    world.server.restart().await;
    let status = Trials::new(Arc::new(world)).status("simd").await.unwrap();
    assert_eq!(status.state.as_str(), "pending");
    let reason = status.reason.unwrap();
    assert!(reason.contains("it says that it is `simd`, and its grant is for `another`"), "{reason}");
}
