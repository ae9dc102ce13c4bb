//! Stores that are copied into others; and the commands of the page.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use keyferry_test_postgres::{Cluster, Database, PASSWORD, USER_WITH_PASSWORD};
use keyferry_tests::documents::Document;
use keyferry_tests::{World, binary};
use serde_json::json;

use super::stage::*;

/// Holds a lock on a table, until it is released.
struct TableLock<'a> {
    database: &'a Database<'static>,
    thread: thread::JoinHandle<()>,
}

impl<'a> TableLock<'a> {
    fn take(database: &'a Database<'static>, table: &str) -> Self {
        let (url, sql) =
            (database.cluster, format!("BEGIN; LOCK TABLE {table} IN EXCLUSIVE MODE; SELECT pg_sleep(600)"));
        let held = Database { cluster: url, name: database.name.clone() };
        let thread = thread::spawn(move || {
            // It is ended by `release`.
            let _ = catch_unwind(AssertUnwindSafe(|| held.sql(&sql)));
        });
        let until = Instant::now() + PATIENCE;
        while database.sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'") != "1" {
            assert!(Instant::now() < until, "the table is not locked");
            thread::sleep(Duration::from_millis(20));
        }
        Self { database, thread }
    }

    fn release(self) {
        self.database.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'");
        self.thread.join().unwrap();
    }
}

fn begin(arguments: &[&str]) -> Child {
    let mut command = binary::command(binary::keyferry());
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_was_killed_continues_and_is_compared_and_served() {
    // The lock is looked for in the whole cluster.
    let Some(cluster) = Cluster::start().map(|cluster| &*Box::leak(Box::new(cluster))) else { return };
    let mut world = World::start().await;
    import(&world, 1_000).await;
    let key = reading_key(&world).await;
    let all = exported(&world.server, &key).await;
    let database = cluster.database();
    let from = format!("sled:{}", shown(&world.data()));
    let url = database.url();
    let copy = ["store", "copy", "--from", &from, "--to", &url, "--json"];
    keyferry(&copy).await.fails(&["is in use by another process"]);
    assert!(world.server.terminate().await.success());
    let migrate = ["store", "migrate", "--store", &url];
    assert_eq!(keyferry(&migrate).await.code, Some(0));

    // The copy waits for a table in the middle, and is killed there.
    let lock = TableLock::take(&database, "keyferry_import_rows");
    let mut child = begin(&copy);
    let until = Instant::now() + PATIENCE;
    while database.sql("SELECT count(*) FROM keyferry_integrations") != "1000" {
        assert!(Instant::now() < until && child.try_wait().unwrap().is_none(), "the copy does not come so far");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    child.kill().unwrap();
    child.wait().unwrap();
    lock.release();
    assert_eq!(database.sql("SELECT count(*) FROM keyferry_meta WHERE key = 'unfinished'"), "1");
    let list = ["org", "list", "--data", &shown(&world.data()), "--store", &url];
    keyferry(&list).await.fails(&["is incomplete: the copy of sled:"]);

    let copied = keyferry(&copy).await.json();
    assert_eq!((&copied["resumed"], &copied["organisations"]), (&json!(true), &json!(1)), "{copied:#}");
    let rows = |table: &str| {
        copied["rows"].as_array().unwrap().iter().find(|row| row["table"] == table).unwrap()["rows"].clone()
    };
    assert_eq!(rows("import_rows"), 1_000);
    keyferry(&copy).await.fails(&["is not empty"]);
    let data = folder_with_key(&world, "moved");
    let mut server = server_on(&mut world, &data, Some(&database)).await;
    assert_eq!(exported(&server, &key).await, all);
    assert!(server.terminate().await.success());

    // And back into a folder.
    let back = folder_with_key(&world, "back");
    let to = format!("sled:{}", shown(&back));
    let copied = keyferry(&["store", "copy", "--from", &url, "--to", &to, "--json"]).await.json();
    assert_eq!(copied["resumed"], false);
    let server = server_on(&mut world, &back, None).await;
    assert_eq!(exported(&server, &key).await, all);
}

#[tokio::test]
async fn every_command_of_the_page_works() {
    let Some(cluster) = Cluster::shared() else { return };
    let mut world = World::start().await;
    let database = cluster.database();
    let secret = world.folder().join("password");
    fs::write(&secret, PASSWORD).unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    let (folder, secret) = (world.folder().to_owned(), shown(&secret));
    folder_with_key(&world, "restored");
    std::os::unix::fs::symlink(world.data(), folder.join("keyferry-data")).unwrap();
    let mut ran = 0;
    for line in Document::read("docs/operations/backup.md").commands() {
        let line = line.replace(
            "postgres://keyferry@db.example.com/keyferry",
            &format!("'{}'", database.url_of(USER_WITH_PASSWORD)),
        );
        let words = shlex::split(&line.replace("/run/secrets/db", &secret)).unwrap();
        if words.get(1).is_some_and(|word| word == "store") {
            assert!(world.server.terminate().await.success());
        }
        let mut command = tokio::process::Command::from(binary::command(binary::keyferry()));
        let output = command.args(&words[1..]).current_dir(&folder).output().await.unwrap();
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        ran += 1;
    }
    assert_eq!(ran, 4);
}
