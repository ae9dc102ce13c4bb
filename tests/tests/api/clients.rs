//! Clients that are slow, many, silent or gone: each is cut off after its timeout, and the others are served.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use keyferry_mock_providers::apps::demo;
use keyferry_mock_providers::{MockProviders, Reply};
use keyferry_tests::http::{self, Request};
use keyferry_tests::process::Usage;
use keyferry_tests::wire::Wire;
use keyferry_tests::{ServerOptions, World, WorldOptions, binary, tools};
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Timeouts in seconds of `[http]` in these tests. `IDLE` is the longest, so that other tests cannot observe it by
/// mistake.
const HEAD: Duration = Duration::from_secs(1);
const IDLE: Duration = Duration::from_secs(4);
const SETTINGS: &str = "[http]\nhead-seconds = 1\nbody-seconds = 1\nwrite-seconds = 1\nidle-seconds = 4\n";
/// Longer than any timeout here, on a busy machine.
const LATE: Duration = Duration::from_secs(30);
const GET: &str = "GET /livez HTTP/1.1\r\nhost: x\r\n\r\n";
const ACCOUNTS: &str = "/api/v2/public/linked-account";

/// A world with short deadlines, its server started with these further arguments and changes.
async fn world(arguments: &[&str], change: impl FnOnce(&mut ServerOptions) + Send + 'static) -> World {
    let arguments: Vec<String> = arguments.iter().map(|text| (*text).to_owned()).collect();
    let server = Box::new(move |options: &mut ServerOptions| {
        // Kept beside the server's data, and removed with the world.
        let file = options.data.join("test.toml");
        std::fs::write(&file, SETTINGS).unwrap();
        options.arguments.extend(["--config".to_owned(), file.display().to_string()]);
        options.arguments.extend(arguments);
        change(options);
    });
    World::start_with(WorldOptions { server: Some(server), ..WorldOptions::default() }).await
}

fn head(world: &World, more: &str) -> String {
    let key = &world.api_key;
    format!(
        "PUT /api/v2/public/migrate-token HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\nlinked_account_id: user_1\r\n\
         content-type: application/json\r\n{more}\r\n\r\n"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_client_is_cut_off_in_its_time_and_others_are_served_meanwhile() {
    let world = world(&[], |_| {}).await;
    let to = world.server.address();
    // Each kind of slow client: its first bytes, the bytes that trickle, and the status before the end.
    let sized = head(&world, "content-length: 1000");
    let chunked = head(&world, "transfer-encoding: chunked");
    let unread = "PUT /nowhere HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n";
    let endless = "x".repeat(400);
    let chunks = "1\r\n \r\n".repeat(70);
    let lines = "\r\n".repeat(20);
    let cases = [
        ("nothing at all", "", "", None),
        ("half a head", "GET /livez HTTP/1.1\r\nhost: x\r\n", "", None),
        (
            "a head that trickles",
            "",
            "GET /livez HTTP/1.1\r\nhost: x\r\na-header-without-an-end: xxxxxxxxxxxxxxxx",
            None,
        ),
        ("only empty lines", "", &lines, None),
        ("no body", &sized, "", Some(408)),
        ("a body that trickles", &sized, &endless, Some(408)),
        ("chunks that trickle", &chunked, &chunks, Some(408)),
        ("a body that is never read", unread, &endless, Some(404)),
    ];
    let began = Instant::now();
    let slow = cases.map(|(name, at_once, trickle, status)| {
        let (at_once, trickle) = (at_once.to_owned(), trickle.to_owned());
        tokio::spawn(async move {
            let mut wire = Wire::connect(to).await;
            wire.send(at_once).await;
            wire.trickle(trickle.as_bytes(), Duration::from_millis(50)).await;
            let answer = wire.answer().await;
            assert_eq!(answer.as_ref().map(|answer| answer.status), status, "{name}: {answer:?}");
            assert!(wire.is_closed().await, "{name}");
            assert!(began.elapsed() < LATE, "{name}: {:?}", began.elapsed());
            if status != Some(404) {
                assert!(began.elapsed() >= HEAD, "{name}: it had no second of time: {:?}", began.elapsed());
            }
        })
    });
    while began.elapsed() < HEAD {
        assert_eq!(http::get(to, "/livez").await.status, 200);
    }
    let body = json!({"oauth2": {"access_token": demo::HUBSPOT_ACCESS_TOKEN}});
    assert_eq!(world.migrate("hubspot", body).await.status, 200);
    for one in slow {
        one.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_is_kept_between_requests_for_its_time_and_then_closed() {
    let world = world(&[], |_| {}).await;
    let mut wire = Wire::connect(world.server.address()).await;
    for _ in 0..3 {
        wire.send(GET).await;
        assert_eq!(wire.answer().await.unwrap().status, 200);
    }
    // Longer than the timeout of a head, which must not end the connection.
    let began = Instant::now();
    while began.elapsed() < HEAD * 2 {
        assert!(wire.is_open().await, "closed after {:?}", began.elapsed());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    wire.send(GET).await;
    assert_eq!(wire.answer().await.unwrap().status, 200);
    let idle = Instant::now();
    assert!(wire.is_closed().await);
    let idle = idle.elapsed();
    // The response had left the server a moment before the test read it.
    assert!(idle + Duration::from_millis(500) >= IDLE && idle < LATE, "{idle:?}");
    // Once a request has begun, the timeout of a head applies.
    let mut wire = Wire::connect(world.server.address()).await;
    wire.send(GET).await;
    assert_eq!(wire.answer().await.unwrap().status, 200);
    wire.send("GET /livez HTTP/1.1\r\n").await;
    let begun = Instant::now();
    assert!(wire.is_closed().await);
    assert!(begun.elapsed() < IDLE, "{:?}", begun.elapsed());
}

/// Accounts with so large records that a list of them is about a megabyte.
async fn fill(world: &World) {
    let long = "x".repeat(1900);
    let udf: serde_json::Map<_, _> = (0..30).map(|index| (format!("field_{index}"), json!(long))).collect();
    for index in 0..20 {
        let body = json!({"account_id": format!("large_{index}"), "udf": udf});
        let answer = world.send(Request::new("POST", ACCOUNTS).json(&body)).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_does_not_read_the_answer_keeps_no_place_for_long() {
    let world = world(&["--max-connections", "4"], |_| {}).await;
    fill(&world).await;
    let to = world.server.address();
    let before = Usage::of(world.server.pid());
    let list = format!("GET {ACCOUNTS}?limit=100 HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\n\r\n", world.api_key);
    // Twenty megabytes of responses each: no system buffers that much.
    let pipelined = list.repeat(20);
    let mut taken = Vec::new();
    for _ in 0..4 {
        let mut wire = Wire::connect_narrow(to).await;
        assert!(wire.send(&pipelined).await);
        taken.push(wire);
    }
    // All connections are taken by clients that read nothing, and by one that reads slowly.
    let sipping = tokio::spawn(taken.pop().unwrap().sip(64, Duration::from_millis(20)));
    let began = Instant::now();
    let mut others = Vec::new();
    for _ in 0..4 {
        let mut wire = Wire::connect(to).await;
        wire.send(GET).await;
        assert_eq!(wire.answer().await.unwrap().status, 200);
        assert!(began.elapsed() < LATE, "{:?}", began.elapsed());
        others.push(wire);
    }
    // Four other clients get connections, so the first ones are gone.
    for wire in taken {
        let answers = wire.answers_or_cut().await;
        assert!(answers < 20, "it had the time to read {answers} responses");
    }
    let sipped = sipping.await.unwrap();
    assert!(sipped < 1_000_000, "the client read {sipped} bytes, more than buffers hold");
    drop(others);
    let after = Usage::returns_to(world.server.pid(), before, 48 << 20).await;
    assert!(after.is_ok(), "{before:?} {after:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_over_the_limit_wait_and_those_within_it_are_served() {
    const PLACES: usize = 8;
    let world = world(&["--max-connections", "8"], |_| {}).await;
    let to = world.server.address();
    let before = Usage::of(world.server.pid());
    let mut within = Vec::new();
    for _ in 0..PLACES {
        let mut wire = Wire::connect(to).await;
        wire.send(GET).await;
        assert_eq!(wire.answer().await.unwrap().status, 200);
        within.push(wire);
    }
    let mut over = Wire::connect(to).await;
    over.send(GET).await;
    for _ in 0..20 {
        for wire in &mut within {
            wire.send(GET).await;
            assert_eq!(wire.answer().await.unwrap().status, 200);
        }
    }
    assert!(!over.has_unread().await, "the ninth was served with eight places taken");
    drop(within.pop());
    assert_eq!(over.answer().await.unwrap().status, 200);
    drop((within, over));
    // Forty times as many as there are slots, all at once.
    let crowd: Vec<_> = (0..40 * PLACES)
        .map(|_| {
            tokio::spawn(async move {
                let mut wire = Wire::connect(to).await;
                wire.send("GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
                let status = wire.answer().await.map(|answer| answer.status);
                assert!(wire.is_closed().await);
                status
            })
        })
        .collect();
    for one in crowd {
        assert_eq!(one.await.unwrap(), Some(200));
    }
    let after = Usage::returns_to(world.server.pid(), before, 16 << 20).await;
    assert!(after.is_ok(), "{before:?} {after:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_clients_that_hang_up_leaves_nothing_behind() {
    let world = world(&[], |_| {}).await;
    let to = world.server.address();
    let body = json!({"slug": "hubspot", "auth_object": {"oauth2": {"access_token": demo::HUBSPOT_ACCESS_TOKEN}}});
    let body = body.to_string();
    let whole = head(&world, &format!("content-length: {}", body.len())) + &body;
    assert_eq!(http::get(to, "/livez").await.status, 200);
    let before = Usage::of(world.server.pid());
    // Gone before, within and after a request, with a reset or with a half-close.
    let cuts = [0, 1, 40, whole.len() - body.len(), whole.len() - 1, whole.len()];
    for round in 0..1500 {
        let mut wire = Wire::connect(to).await;
        wire.send(&whole[..cuts[round % cuts.len()]]).await;
        match round % 4 {
            // Half-open: the client closes its side and waits.
            0 => {
                wire.finish().await;
                assert!(wire.is_closed().await);
            }
            1 => drop(wire),
            _ => wire.reset(),
        }
    }
    let migrated = world.migrate("hubspot", json!({"oauth2": {"access_token": demo::HUBSPOT_ACCESS_TOKEN}})).await;
    assert_eq!(migrated.status, 200, "{}", migrated.text());
    // The server finishes their requests, over connections to the provider that are kept for a while.
    let allowed =
        Usage { descriptors: before.descriptors.map(|count| count + 40), threads: before.threads + 4, ..before };
    let after = Usage::returns_to(world.server.pid(), allowed, 48 << 20).await;
    assert!(after.is_ok(), "{before:?} {after:?}");
    assert!(!world.server.logs().contains("panicked"), "{}", world.server.logs());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migration_is_done_to_its_end_though_its_caller_hangs_up() {
    let mut providers = MockProviders::start().await.unwrap();
    let slow = |_| {
        let details = json!({"portalId": 48_600_123, "accountType": "STANDARD", "uiDomain": "app.hubspot.com"});
        Reply::json(200, &details).delayed(Duration::from_secs(1))
    };
    providers.add(demo::HUBSPOT_HOST, slow).await.unwrap();
    let world = World::start_with(WorldOptions { providers: Some(providers), ..WorldOptions::default() }).await;
    let body = json!({"slug": "hubspot", "auth_object": {"oauth2": {"access_token": "t-gone"}}}).to_string();
    for way in ["reset", "closed"] {
        world.create_account(way).await;
        let head = head(&world, &format!("content-length: {}", body.len())).replace("user_1", way);
        let asked = world.providers.received_total();
        let mut wire = Wire::connect(world.server.address()).await;
        wire.send(head + &body).await;
        let began = Instant::now();
        while world.providers.received_total() == asked {
            assert!(began.elapsed() < LATE, "{way}: the provider was never asked");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        if way == "reset" {
            wire.reset();
        } else {
            drop(wire);
        }
        let stored = || async { world.send(Request::new("GET", &format!("{ACCOUNTS}/{way}"))).await.text() };
        while !stored().await.contains("hubspot") {
            assert!(began.elapsed() < LATE, "{way}: the credential is not there: {}", stored().await);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_comes_again_at_once_while_the_server_is_busy_is_read_a_second_later() {
    let mut providers = MockProviders::start().await.unwrap();
    let details = json!({"portalId": 48_600_123, "accountType": "STANDARD", "uiDomain": "app.hubspot.com"});
    let slow = move |_| Reply::json(200, &details).delayed(Duration::from_millis(500));
    providers.add(demo::HUBSPOT_HOST, slow).await.unwrap();
    let server = Box::new(|options: &mut ServerOptions| {
        let file = options.data.join("test.toml");
        std::fs::write(&file, "[sandbox]\nslots = 1\nqueue = 0\n").unwrap();
        options.arguments.extend(["--config".to_owned(), file.display().to_string()]);
    });
    let options = WorldOptions { providers: Some(providers), server: Some(server) };
    let world = World::start_with(options).await;
    let body = json!({"slug": "hubspot", "auth_object": {"oauth2": {"access_token": "t-busy"}}}).to_string();
    let request = head(&world, &format!("content-length: {}", body.len())) + &body;
    let (mut first, mut second) =
        (Wire::connect(world.server.address()).await, Wire::connect(world.server.address()).await);
    let asked = world.providers.received_total();
    first.send(&request).await;
    let began = Instant::now();
    while world.providers.received_total() == asked {
        assert!(began.elapsed() < LATE, "the provider was never asked");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    second.send(&request).await;
    let refused = second.answer().await.unwrap();
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")), "{}", refused.text());
    // The client does not wait: the server reads its next request only after the second that `Retry-After` asks for.
    let refused_at = Instant::now();
    second.send(&request).await;
    let later = second.answer().await.unwrap();
    assert!([200, 503].contains(&later.status), "{}", later.text());
    assert!(refused_at.elapsed() >= Duration::from_millis(900), "{:?}", refused_at.elapsed());
    assert_eq!(first.answer().await.unwrap().status, 200);
    second.send(GET).await;
    assert_eq!(second.answer().await.unwrap().status, 200, "the connection is as it was");
}

/// A program that starts the server with a limit of open files.
fn limited(folder: &TempDir, files: usize) -> std::path::PathBuf {
    let path = folder.path().join("limited");
    let binary = binary::keyferry().display();
    std::fs::write(&path, format!("#!/bin/sh\nulimit -n {files}\nexec '{binary}' \"$@\"\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_64_file_descriptors_a_crowd_takes_none_that_the_store_needs() {
    let folder = tempfile::tempdir().unwrap();
    let program = limited(&folder, 64);
    let world = world(&[], move |options| options.binary = Some(program)).await;
    let to = world.server.address();
    assert!(world.server.logs().contains("leaves room for 16 connections"), "{}", world.server.logs());
    // Silent connections, ten times as many as the limit, and always new ones.
    let mut crowd = Vec::new();
    for round in 0..3 {
        for _ in 0..200 {
            crowd.push(Wire::connect(to).await);
        }
        let body = json!({"oauth2": {"access_token": demo::HUBSPOT_ACCESS_TOKEN}});
        let migrated = world.migrate("hubspot", body).await;
        assert_eq!(migrated.status, 200, "round {round}: {}", migrated.text());
        crowd.clear();
    }
    assert_eq!(http::get(to, "/readyz").await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_any_file_descriptor_left_the_server_waits_until_there_is_one() {
    let world = world(&[], |_| {}).await;
    let to = world.server.address();
    let pid = Pid::from_raw(i32::try_from(world.server.pid()).unwrap());
    let mut known = Wire::connect(to).await;
    known.send(GET).await;
    assert_eq!(known.answer().await.unwrap().status, 200);
    let maximum = getrlimit(Resource::Nofile).maximum;
    let before = prlimit(pid, Resource::Nofile, Rlimit { current: Some(3), maximum }).unwrap();
    let mut waiting = Wire::connect(to).await;
    waiting.send(GET).await;
    let deadline = Instant::now() + LATE;
    while !world.server.logs().contains("a connection could not be accepted") {
        assert!(Instant::now() < deadline, "{}", world.server.logs());
        // Connected clients are still served.
        known.send(GET).await;
        assert_eq!(known.answer().await.unwrap().status, 200);
    }
    prlimit(pid, Resource::Nofile, before).unwrap();
    assert_eq!(waiting.answer().await.unwrap().status, 200);
    let migrated = world.migrate("hubspot", json!({"oauth2": {"access_token": demo::HUBSPOT_ACCESS_TOKEN}})).await;
    assert_eq!(migrated.status, 200, "{}", migrated.text());
}

/// Runs a driver in another language against the world's server, and returns its output.
async fn driven(program: &Path, arguments: &[&str]) -> Value {
    let output = tokio::process::Command::new(program).args(arguments).output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{} ended with {}: {said}", program.display(), output.status);
    serde_json::from_slice(&output.stdout).unwrap()
}

fn driver(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("kept_alive").join(name).display().to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pythons_clients_keep_their_connections_over_requests_that_are_refused() {
    let Some(programs) = tools::moto() else { return };
    let world = World::start().await;
    let (host, port) = (world.server.address().ip().to_string(), world.server.address().port().to_string());
    let seen = driven(&programs.join("python"), &[&driver("client.py"), &host, &port, &world.api_key]).await;
    // Only a body that is too large to be read to its end costs a connection.
    assert_eq!(seen, json!({"sized": 9, "chunked": 9, "requests": 24}));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_fetch_keeps_its_connections_over_requests_that_are_refused() {
    if std::process::Command::new("node").arg("--version").output().is_err() {
        tools::skip("node is not installed");
        return;
    }
    let world = World::start().await;
    let seen = driven(Path::new("node"), &[&driver("client.mjs"), &world.server.url(), &world.api_key]).await;
    assert_eq!(seen, json!({"answered": 70}));
}
