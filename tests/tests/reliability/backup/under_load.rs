//! Backups of a store that is written meanwhile.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use keyferry_mock_providers::apps::demo;
use keyferry_test_postgres::Cluster;
use keyferry_tests::http::Request;
use keyferry_tests::{ORG, World};
use serde_json::{Value, json};

use super::stage::*;

const ACCOUNTS: &str = "/api/v2/public/linked-account";

/// Creates accounts with a credential, one after the other, until it is stopped.
struct Load {
    /// Accounts whose credential was acknowledged.
    done: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<()>,
}

impl Load {
    fn begin(world: &World) -> Self {
        let (done, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (counter, stopped) = (Arc::clone(&done), Arc::clone(&stop));
        let (address, key) = (world.server.address(), world.api_key.clone());
        let task = tokio::spawn(async move {
            for number in 0.. {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let account = format!("load_{number:05}");
                let create = Request::new("POST", ACCOUNTS).json(&json!({"account_id": account}));
                let migrate = Request::new("PUT", "/api/v2/public/migrate-token").header("linked_account_id", &account);
                let migrate = migrate.json(&json!({"slug": "stripe", "auth_object": stripe()}));
                for request in [create, migrate] {
                    let response = request.header("x-api-key", &key).send(address).await;
                    assert_eq!(response.status, 200, "{}", response.text());
                }
                counter.store(number + 1, Ordering::SeqCst);
            }
        });
        Self { done, stop, task }
    }

    fn done(&self) -> usize {
        self.done.load(Ordering::SeqCst)
    }

    async fn reaches(&self, number: usize) {
        let until = Instant::now() + PATIENCE;
        while self.done() < number {
            assert!(Instant::now() < until && !self.task.is_finished(), "the load stands at {}", self.done());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn end(self) -> usize {
        self.stop.store(true, Ordering::SeqCst);
        self.task.await.unwrap();
        self.done.load(Ordering::SeqCst)
    }
}

/// The accounts of a [`Load`] in an export, by number.
fn of_load(export: &str) -> Vec<usize> {
    let account =
        |line: &str| serde_json::from_str::<Value>(line).unwrap()["linked_account_id"].as_str().unwrap().to_owned();
    let numbers = export.lines().filter_map(|line| account(line).strip_prefix("load_")?.parse().ok());
    numbers.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_under_load_is_of_one_moment_and_serves_on_the_other_kind_of_store() {
    let Some(cluster) = Cluster::shared() else { return };
    let mut world = World::start().await;
    let key = reading_key(&world).await;
    let load = Load::begin(&world);
    load.reaches(20).await;
    let before = load.done();
    let file = world.folder().join("under-load.kfb");
    let (code, out, err) = world.command(&["backup", &shown(&file), "--json"]).await;
    let after = load.done() + 1;
    assert_eq!(code, Some(0), "{err}");
    let made: Value = serde_json::from_str(&out).unwrap();
    load.reaches(after + 5).await;
    load.end().await;
    let bytes = fs::read(&file).unwrap();
    assert!(!bytes.windows(demo::STRIPE_SECRET_KEY.len()).any(|part| part == demo::STRIPE_SECRET_KEY.as_bytes()));
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);

    let verified = keyferry(&["backup", "--verify", &shown(&file), "--json"]).await.json();
    assert_eq!(verified, made);
    let (data, database) = (folder_with_key(&world, "restored"), cluster.database());
    let restore = ["restore", "--data", &shown(&data), "--store", &database.url(), &shown(&file), "--json"];
    let restored = keyferry(&restore).await.json();
    assert_eq!((&restored["backup"], &restored["organisations"]), (&made["id"], &json!(1)));
    let server = server_on(&mut world, &data, Some(&database)).await;
    let found = of_load(&exported(&server, &key).await);
    let moment = found.len();
    assert_eq!(found, (0..moment).collect::<Vec<_>>(), "an account is missing before the last one");
    assert!(before <= moment && moment <= after, "{before} <= {moment} <= {after}");
    println!("{before} accounts before the backup, {moment} in it, {after} at its end");
    let verify = ["audit", "verify", "--org", ORG, "--data", &shown(&data)];
    assert_eq!(keyferry(&verify).await.code, Some(0));
    // From another data folder, as from another machine: reading needs no lease.
    let (beside, third) = (folder_with_key(&world, "beside"), world.folder().join("beside.kfb"));
    let backup = ["backup", "--data", &shown(&beside), "--store", &database.url(), &shown(&third), "--json"];
    let rows = keyferry(&backup).await.json()["rows"].clone();
    let of = |table: &str| rows.as_array().unwrap().iter().find(|row| row["table"] == table).unwrap()["rows"].clone();
    assert_eq!(of("integrations"), moment);
    drop(server);

    // Without load, and from PostgreSQL back into a folder: the same credentials, byte by byte.
    let all = exported(&world.server, &key).await;
    let quiet = world.folder().join("quiet.kfb");
    let (code, _, err) = world.command(&["backup", &shown(&quiet)]).await;
    assert_eq!(code, Some(0), "{err}");
    let (second, database) = (folder_with_key(&world, "second"), cluster.database());
    let restore = ["restore", "--data", &shown(&second), "--store", &database.url(), &shown(&quiet)];
    assert_eq!(keyferry(&restore).await.code, Some(0));
    // No server runs on that data folder: the database is read directly.
    let again = world.folder().join("again.kfb");
    let backup = ["backup", "--data", &shown(&second), "--store", &database.url(), &shown(&again), "--json"];
    assert_eq!(keyferry(&backup).await.json()["store"]["kind"], "postgres");
    let third = folder_with_key(&world, "third");
    assert_eq!(keyferry(&["restore", "--data", &shown(&third), &shown(&again)]).await.code, Some(0));
    let server = server_on(&mut world, &third, None).await;
    assert_eq!(exported(&server, &key).await, all);
}
