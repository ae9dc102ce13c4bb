//! Disks that are full, fail, or have lost data: reads continue where they can, only durable writes are acknowledged,
//! and a damaged store is refused rather than served or thrown away.
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use keyferry_mock_providers::apps::demo;
use keyferry_tests::http::{Request, get};
use keyferry_tests::{Awaits, ORG, Server, SmallDisk, World, WorldOptions, binary, run, tools};
use serde_json::{Value, json};

const ACCOUNTS: &str = "/api/v2/public/linked-account";

fn stripe() -> Value {
    json!({"keybased": {"api_key": demo::STRIPE_SECRET_KEY}})
}

async fn ready(world: &World) -> u16 {
    get(world.server.address(), "/readyz").await.status
}

async fn until_ready_is(world: &World, status: u16) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while ready(world).await != status {
        assert!(Instant::now() < deadline, "readiness is not {status}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn on_a_full_disk_reads_go_on_writes_are_turned_away_and_space_brings_them_back() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(&folder.path().join("disk"), "256m") else { return };
    let data = disk.path().join("data");
    let to = data.clone();
    let world = World::start().await;
    // The world's own data folder is on another disk, so its server is restarted with a copy on the small one.
    let mut world = world;
    assert_eq!(world.migrate("stripe", stripe()).await.status, 200);
    assert!(world.server.terminate().await.success());
    let folder = world.data().display().to_string();
    let create = ["api-key", "create", "--org", ORG, "--environment", "test", "--scope", "read_credentials", "--data"];
    let created = run(create.into_iter().chain([folder.as_str()])).await;
    let reader = String::from_utf8(created.stdout).unwrap().trim().to_owned();
    copy(&world.data(), &to);
    world.server.options_mut().data = data;
    world.server.restart().await;

    let hoard = disk.path().join("hoard");
    let filled = Command::new("dd").args(["if=/dev/zero", "bs=1M"]).arg(format!("of={}", hoard.display())).output();
    assert!(filled.is_ok());
    until_ready_is(&world, 503).await;
    for _ in 0..3 {
        let full = world.migrate("stripe", stripe()).await;
        assert_eq!(full.status, 507, "{}", full.text());
        assert!(full.text().contains("the server's disk is full; nothing was stored"), "{}", full.text());
    }
    let account = world.send(Request::new("GET", &format!("{ACCOUNTS}/user_1"))).await;
    assert_eq!((account.status, &account.json()["integrations"][0]["type"]), (200, &json!("stripe")));
    assert_eq!(get(world.server.address(), "/livez").await.status, 200);
    // Reading a credential writes to the trail: without that write it is not returned.
    let read = Request::new("GET", &format!("{ACCOUNTS}/user_1/integration/stripe/credentials"));
    let read = read.header("x-api-key", &reader).send(world.server.address()).await;
    assert_eq!(read.status, 507, "{}", read.text());
    assert!(!read.text().contains(demo::STRIPE_SECRET_KEY));

    // A restart, or several, changes nothing: space for opening the store is reserved.
    world.server.options_mut().awaits = Awaits::Listening;
    for restart in 0..3 {
        if restart == 1 {
            world.server.kill();
        } else {
            assert!(world.server.terminate().await.success());
        }
        world.server.restart().await;
        let state = get(world.server.address(), "/readyz").await;
        assert_eq!(state.status, 503, "restart {restart}");
        assert!(state.text().contains("bytes free"), "{}", state.text());
        let account = world.send(Request::new("GET", &format!("{ACCOUNTS}/user_1"))).await;
        assert_eq!((account.status, &account.json()["integrations"][0]["type"]), (200, &json!("stripe")));
        assert_eq!(world.migrate("stripe", stripe()).await.status, 507, "restart {restart}");
        // Another file takes the space that the reserve has left.
        let _ = Command::new("dd")
            .args(["if=/dev/zero", "bs=64k"])
            .arg(format!("of={}.{restart}", hoard.display()))
            .output();
    }
    world.server.options_mut().awaits = Awaits::Ready;

    for entry in fs::read_dir(disk.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            fs::remove_file(path).unwrap();
        }
    }
    until_ready_is(&world, 200).await;
    assert_eq!(world.migrate("stripe", stripe()).await.status, 200);
    // And after a restart.
    assert!(world.server.terminate().await.success());
    world.server.restart().await;
    assert_eq!(world.migrate("stripe", stripe()).await.status, 200);
}

fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).output().unwrap();
    assert!(copied.status.success(), "{}", String::from_utf8_lossy(&copied.stderr));
}

#[tokio::test]
async fn where_the_disk_fails_nothing_more_is_acknowledged_and_the_server_ends() {
    if Command::new("strace").arg("-V").output().is_err() {
        tools::skip("strace is not installed");
        return;
    }
    // Each system call fails from some moment on, as on a dying disk.
    for (call, error) in [("fdatasync", "EIO"), ("fdatasync", "ENOSPC"), ("pwrite64", "EROFS"), ("pwrite64", "EIO")] {
        let mut world = World::start_with(WorldOptions {
            server: Some(Box::new(|server| {
                // `-D`: the server stays our own child, and the tracer goes with it.
                let script = server.data.with_file_name("traced");
                let keyferry = binary::keyferry().display();
                let text = format!(
                    "#!/bin/sh\nif [ -z \"$FAIL\" ]; then exec {keyferry} \"$@\"; fi\n\
                     exec strace -D -f -qq -o /dev/null -e trace=\"$CALL\" -e inject=\"$FAIL\" {keyferry} \"$@\"\n"
                );
                fs::write(&script, text).unwrap();
                fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
                server.binary = Some(script);
            })),
            ..WorldOptions::default()
        })
        .await;
        assert_eq!(world.migrate("stripe", stripe()).await.status, 200);
        assert!(world.server.terminate().await.success());

        let inject = format!("{call}:error={error}:when=40+");
        let options = world.server.options_mut();
        options.environment = vec![("FAIL".to_owned(), inject), ("CALL".to_owned(), call.to_owned())];
        world.server.restart().await;
        let mut acknowledged = 0;
        let refused = loop {
            let body = json!({ "account_id": format!("more_{acknowledged}") });
            let request = Request::new("POST", ACCOUNTS).json(&body).header("x-api-key", &world.api_key);
            match request.try_send(world.server.address()).await {
                Ok(answer) if answer.status == 200 => acknowledged += 1,
                other => break other,
            }
            assert!(acknowledged < 10_000, "{call} {error}: it never failed");
        };
        if let Ok(refused) = refused {
            assert!(refused.status >= 500, "{call} {error}: {} {}", refused.status, refused.text());
        }
        let status = world.server.wait().await;
        assert!(!status.success(), "{call} {error}: the exit status has to report the failure: {status}");
        assert!(world.server.logs().contains("the store failed"), "{call} {error}");

        // The disk works again.
        world.server.options_mut().environment.clear();
        world.server.restart().await;
        let page = world.send(Request::new("GET", &format!("{ACCOUNTS}?limit=1"))).await.json();
        let there = page["totalDocs"].as_u64().unwrap();
        assert!(there > acknowledged, "{call} {error}: {there} accounts for {acknowledged} and the first one");
        assert_eq!(world.migrate("stripe", stripe()).await.status, 200);
    }
}

/// A closed world with enough data that damage hits a record.
async fn filled() -> World {
    let mut world = filled_and_open().await;
    assert!(world.server.terminate().await.success());
    world
}

async fn filled_and_open() -> World {
    let world = World::start().await;
    for number in 0..300 {
        world.create_account(&format!("account_{number}")).await;
    }
    assert_eq!(world.migrate("stripe", stripe()).await.status, 200);
    world
}

/// Damages a copy of the store, and starts a server on it. The server may serve only the complete data; otherwise it
/// has to report the damage and the next step, and leave all files unchanged.
async fn survives(world: &mut World, what: &str, damage: impl FnOnce(&Path)) -> Outcome {
    let (whole, damaged) = (world.data(), world.folder().join("damaged"));
    let _ = fs::remove_dir_all(&damaged);
    copy(&whole, &damaged);
    damage(&damaged.join("store"));
    let before = fs::read(damaged.join("store/db")).unwrap();
    let mut options = world.server.options_mut().clone();
    options.data = damaged.clone();
    match Server::try_start(options).await {
        Err(failure) => {
            let said = &failure.logs;
            assert!(failure.status.is_some_and(|status| !status.success()), "{what}: {failure}");
            assert!(said.contains("restore") && said.contains("store"), "{what}: no hint in:\n{said}");
            assert!(!said.contains("panicked"), "{what}: {said}");
            let after = fs::read(damaged.join("store/db")).unwrap();
            assert!(after.len() >= before.len(), "{what}: the database was truncated");
            Outcome::Refused
        }
        Ok(server) => {
            let ask =
                |path: String| Request::new("GET", &path).header("x-api-key", &world.api_key).send(server.address());
            let page = ask(format!("{ACCOUNTS}?limit=1")).await.json();
            assert_eq!(page["totalDocs"], 301, "{what}: it serves, and has lost something");
            let account = ask(format!("{ACCOUNTS}/user_1")).await.json();
            assert_eq!(account["integrations"][0]["type"], "stripe", "{what}");
            Outcome::Whole
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Refused,
    Whole,
}

/// Removes the journal, which would repair the database.
fn without_journal(store: &Path) {
    for name in ["journal.0", "journal.1"] {
        fs::remove_file(store.join(name)).unwrap();
    }
}

#[tokio::test]
async fn a_truncated_database_is_refused_and_nothing_is_thrown_away() {
    let mut world = filled().await;
    let length = fs::metadata(world.data().join("store/db")).unwrap().len();
    let mut refused = 0;
    for part in [0, 1, 10, 50, 90, 99] {
        let truncate = |store: &Path| {
            let file = fs::File::options().write(true).open(store.join("db")).unwrap();
            file.set_len(length * part / 100).unwrap();
        };
        survives(&mut world, &format!("{part} % of the log"), truncate).await;
        let outcome = survives(&mut world, &format!("{part} % of the log, without a journal"), |store| {
            truncate(store);
            without_journal(store);
        })
        .await;
        refused += usize::from(outcome == Outcome::Refused);
    }
    assert!(refused >= 2, "{refused}");
}

#[tokio::test]
async fn a_flipped_bit_is_noticed_or_hits_nothing() {
    let mut world = filled().await;
    let db = fs::read(world.data().join("store/db")).unwrap();
    // Only where data was written.
    let written: Vec<_> = (0..db.len()).filter(|at| db[*at] != 0).collect();
    let mut refused = 0;
    for step in 0..24 {
        let at = written[written.len() * step / 24];
        let outcome = survives(&mut world, &format!("byte {at} of {}", db.len()), |store| {
            without_journal(store);
            let mut bytes = db.clone();
            bytes[at] ^= 0x10;
            fs::write(store.join("db"), bytes).unwrap();
        })
        .await;
        refused += usize::from(outcome == Outcome::Refused);
    }
    println!("{refused} of 24 were refused");
    assert!(refused > 0);
}

#[tokio::test]
async fn a_flipped_bit_in_the_journal_of_a_server_that_was_killed_is_noticed_or_hits_nothing() {
    let mut world = filled_and_open().await;
    world.server.kill();
    let journal = fs::read(world.data().join("store/journal.0")).unwrap();
    let written: Vec<_> = (0..journal.len()).filter(|at| journal[*at] != 0).collect();
    let mut refused = 0;
    for step in 0..12 {
        let at = written[written.len() * step / 12];
        let outcome = survives(&mut world, &format!("byte {at} of {}", journal.len()), |store| {
            let mut bytes = journal.clone();
            bytes[at] ^= 0x10;
            fs::write(store.join("journal.0"), bytes).unwrap();
        })
        .await;
        refused += usize::from(outcome == Outcome::Refused);
    }
    assert!(refused > 6, "{refused} of 12 were refused");
}
