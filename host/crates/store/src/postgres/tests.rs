//! PostgreSQL's own: lost connections, servers that end, several stores on one database.

use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use keyferry_test_postgres::Cluster;

use super::{Access, PostgresSettings, PostgresStore, migrate};
use crate::tests::records::*;
use crate::*;
use keyferry_types::ids::Environment;

mod address;
mod servers;

async fn open(url: &str) -> PostgresStore {
    PostgresStore::open(url.parse().unwrap()).await.unwrap()
}

/// One of several stores on a database.
async fn open_shared(url: &str) -> Arc<PostgresStore> {
    Arc::new(PostgresStore::open(with(url, Access::Host)).await.unwrap())
}

fn with(url: &str, access: Access) -> PostgresSettings {
    let mut settings: PostgresSettings = url.parse().unwrap();
    settings.access = access;
    settings
}

async fn refusal(settings: PostgresSettings) -> String {
    PostgresStore::open(settings).await.err().unwrap().to_string()
}

/// Waits until something is so, for a minute at most.
async fn until(what: impl Fn() -> bool) {
    let began = Instant::now();
    while !what() {
        assert!(began.elapsed() < Duration::from_secs(60), "it does not happen");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_of_the_database_amid_writes_loses_nothing_acknowledged_and_needs_no_restart_of_ours() {
    let Some(cluster) = Cluster::start() else { return };
    let database = cluster.database();
    let store = Arc::new(open(&database.url()).await);
    let ends = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            let (store, ends) = (Arc::clone(&store), Arc::clone(&ends));
            tokio::spawn(async move {
                let mut acknowledged = Vec::new();
                for number in 0.. {
                    if ends.load(Ordering::SeqCst) {
                        return acknowledged;
                    }
                    let account = format!("user_{writer}_{number}");
                    match store.put_account(put(PutMode::Create, &account)).await {
                        Ok(_) => acknowledged.push(account),
                        Err(StoreError::Unavailable { .. } | StoreError::Unknown { .. }) => {
                            tokio::time::sleep(Duration::from_millis(50)).await;
                        }
                        Err(other) => panic!("{other}"),
                    }
                }
                acknowledged
            })
        })
        .collect();
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_millis(300)).await;
        cluster.stop();
        tokio::time::sleep(Duration::from_millis(200)).await;
        cluster.start_again();
    }
    until(|| store.health() == StoreHealth::Ready).await;
    ends.store(true, Ordering::SeqCst);
    let mut all = 0;
    for writer in writers {
        for account in writer.await.unwrap() {
            assert!(store.has_account(&account_key(&account)).await.unwrap(), "{account} was acknowledged and is lost");
            all += 1;
        }
    }
    assert!(all > 100, "only {all} writes were acknowledged");
    let entries = store.verify_audit(&org()).await.unwrap().entries;
    let page = ListAccounts { page: 1, limit: 1, search: None, after: None };
    let accounts = store.accounts(&org(), account_key("a").environment, page).await.unwrap().total;
    assert_eq!(entries, accounts as u64, "an account was written without its event, or twice");
}

#[tokio::test]
async fn while_the_database_is_away_writes_and_reads_are_refused_and_then_they_are_not() {
    let Some(cluster) = Cluster::start() else { return };
    let database = cluster.database();
    let mut settings: PostgresSettings = database.url().parse().unwrap();
    settings.patience = Duration::from_millis(200);
    let store = PostgresStore::open(settings).await.unwrap();
    with_account(&store, "before").await;
    assert_eq!(store.health(), StoreHealth::Ready);
    cluster.stop();
    // It is noticed without a write.
    until(|| matches!(store.health(), StoreHealth::Unavailable(_))).await;
    let refused = store.put_account(put(PutMode::Create, "refused")).await.unwrap_err();
    assert!(matches!(refused, StoreError::Unavailable { .. }), "{refused}");
    let refused = store.account(&account_key("before")).await.unwrap_err();
    assert!(matches!(refused, StoreError::Unavailable { .. }), "{refused}");
    cluster.start_again();
    until(|| store.health() == StoreHealth::Ready).await;
    assert!(store.account(&account_key("before")).await.unwrap().is_some());
    assert!(store.account(&account_key("refused")).await.unwrap().is_none());
    with_account(&store, "after").await;
    store.close().await.unwrap();
    assert!(matches!(store.put_account(put(PutMode::Create, "late")).await, Err(StoreError::Closed)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_writers_on_two_hosts_each_version_and_each_idempotency_key_has_one() {
    let Some(cluster) = Cluster::shared() else { return };
    let database = cluster.database();
    let hosts = [open_shared(&database.url()).await, open_shared(&database.url()).await];
    with_account(&*hosts[0], "a").await;
    let kept = |fingerprint| IdempotencyRecord {
        key: IdempotencyKey { org: org(), environment: account_key("a").environment, key: "k".to_owned() },
        fingerprint: [fingerprint; 32],
        status: 200,
        headers: Vec::new(),
        body: Vec::new(),
        expires_at: Timestamp::now().after(Duration::from_secs(3600)),
    };
    let kept = [kept(1), kept(1)];
    // The same request on both.
    let both: Vec<_> = (0..2)
        .map(|number| {
            let host = Arc::clone(&hosts[number]);
            let write = MigrationWrite { idempotency: Some(kept[number].clone()), ..migration("a", "hubspot", 1) };
            tokio::spawn(async move { host.commit_migration(write).await })
        })
        .collect();
    let mut stored = 0;
    for one in both {
        match one.await.unwrap() {
            Ok(()) => stored += 1,
            Err(StoreError::IdempotencyReplay(known)) => assert!(kept.contains(&known)),
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(stored, 1);
    // Many on both that expect the same version, again and again: transactions meet.
    for version in 2..12 {
        let tries: Vec<_> = (0..6)
            .map(|number| {
                let host = Arc::clone(&hosts[number % 2]);
                tokio::spawn(async move { host.commit_migration(migration("a", "hubspot", version)).await })
            })
            .collect();
        let mut won = 0;
        for one in tries {
            match one.await.unwrap() {
                Ok(()) => won += 1,
                Err(StoreError::Conflict { current }) => assert_eq!(current, Some(version)),
                Err(other) => panic!("{other}"),
            }
        }
        assert_eq!(won, 1, "version {version}");
    }
    assert_eq!(hosts[1].verify_audit(&org()).await.unwrap().entries, 12);
    let rolled_back = format!("SELECT xact_rollback FROM pg_stat_database WHERE datname = '{}'", database.name);
    until(|| database.sql(&rolled_back).parse::<u64>().unwrap() > 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_hosts_write_side_by_side_is_all_there_in_one_chain() {
    let Some(cluster) = Cluster::shared() else { return };
    let database = cluster.database();
    let hosts = [open_shared(&database.url()).await, open_shared(&database.url()).await];
    let writers: Vec<_> = (0..2)
        .flat_map(|host| (0..4).map(move |writer| (host, writer)))
        .map(|(host, writer)| {
            let store = Arc::clone(&hosts[host]);
            tokio::spawn(async move {
                for number in 0..15 {
                    with_account(&*store, &format!("user_{host}_{writer}_{number}")).await;
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(hosts[0].verify_audit(&org()).await.unwrap().entries, 2 * 4 * 15);
}

/// Stands between a store and its database, and can cut a connection at the `COMMIT` of its transaction.
struct Proxy {
    folder: tempfile::TempDir,
    cut: Arc<CutAt>,
}

#[derive(Default)]
struct CutAt {
    /// The next `COMMIT` reaches the database, and its reply does not come back.
    after: AtomicBool,
    /// The next `COMMIT` does not reach the database.
    before: AtomicBool,
    /// No new connections.
    closed: AtomicBool,
}

impl Proxy {
    fn start(database: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join(".s.PGSQL.5432")).unwrap();
        let cut = Arc::new(CutAt::default());
        let (socket, seen) = (database.join(".s.PGSQL.5432"), Arc::clone(&cut));
        thread::spawn(move || {
            for client in listener.incoming() {
                let Ok(client) = client else { return };
                if seen.closed.load(Ordering::SeqCst) {
                    continue;
                }
                let server = UnixStream::connect(&socket).unwrap();
                let (to_server, from_server) = (server.try_clone().unwrap(), server);
                let (to_client, seen) = (client.try_clone().unwrap(), Arc::clone(&seen));
                thread::spawn(move || back(from_server, to_client));
                thread::spawn(move || forth(client, to_server, &seen));
            }
        });
        Self { folder, cut }
    }
}

fn back(mut from: UnixStream, mut to: UnixStream) {
    let mut buffer = [0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        if to.write_all(&buffer[..length]).is_err() {
            return;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Both);
}

fn forth(mut from: UnixStream, mut to: UnixStream, cut: &CutAt) {
    let mut buffer = [0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        let sent = &buffer[..length];
        let commits = sent.windows(7).any(|window| window == b"COMMIT\0");
        if commits && cut.before.swap(false, Ordering::SeqCst) {
            let _ = from.shutdown(std::net::Shutdown::Both);
            // The database is not told: the transaction stays open for a while.
            thread::sleep(Duration::from_secs(2));
            return;
        }
        if commits && cut.after.swap(false, Ordering::SeqCst) {
            let _ = from.shutdown(std::net::Shutdown::Both);
            to.write_all(sent).unwrap();
            thread::sleep(Duration::from_millis(500));
            return;
        }
        if to.write_all(sent).is_err() {
            return;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Both);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_whose_connection_is_lost_at_its_commit_is_written_once() {
    let Some(cluster) = Cluster::shared() else { return };
    let database = cluster.database();
    let proxy = Proxy::start(cluster.folder());
    let url = format!("postgres://keyferry@/{}?host={}", database.name, proxy.folder.path().display());
    let store = open(&url).await;
    with_account(&store, "first").await;
    for (which, flag) in [("before", &proxy.cut.before), ("after", &proxy.cut.after)] {
        for number in 0..3 {
            let account = format!("{which}_{number}");
            flag.store(true, Ordering::SeqCst);
            // `Create`: a second attempt at what was committed would say that the account exists.
            let made = store.put_account(put(PutMode::Create, &account)).await.unwrap();
            assert_eq!(made.outcome, PutOutcome::Created, "{account}");
            assert!(!flag.load(Ordering::SeqCst), "{account}: nothing was cut");
        }
    }
    assert_eq!(store.verify_audit(&org()).await.unwrap().entries, 7);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_the_database_stays_away_at_a_commit_it_is_said_that_the_fate_is_unknown() {
    let Some(cluster) = Cluster::shared() else { return };
    let database = cluster.database();
    let proxy = Proxy::start(cluster.folder());
    let url = format!("postgres://keyferry@/{}?host={}", database.name, proxy.folder.path().display());
    let mut settings: PostgresSettings = url.parse().unwrap();
    settings.patience = Duration::from_millis(300);
    let store = PostgresStore::open(settings).await.unwrap();
    with_account(&store, "first").await;
    proxy.cut.after.store(true, Ordering::SeqCst);
    proxy.cut.closed.store(true, Ordering::SeqCst);
    let unknown = store.put_account(put(PutMode::Create, "second")).await.unwrap_err();
    assert!(matches!(unknown, StoreError::Unknown { .. }), "{unknown}");
    proxy.cut.closed.store(false, Ordering::SeqCst);
    until(|| store.health() == StoreHealth::Ready).await;
    with_account(&store, "third").await;
}

#[tokio::test]
async fn a_database_that_does_not_keep_what_it_commits_is_refused() {
    let Some(cluster) = Cluster::shared() else { return };
    let database = cluster.database();
    database.sql(&format!("ALTER DATABASE {} SET synchronous_commit = off", database.name));
    let said = refusal(database.url().parse().unwrap()).await;
    assert!(said.contains("synchronous_commit is off") && said.contains(&database.name), "{said}");
}

#[tokio::test]
async fn tables_of_another_version_are_refused_and_it_is_said_what_to_run() {
    let Some(cluster) = Cluster::shared() else { return };
    let database = cluster.database();
    let settings: PostgresSettings = database.url().parse().unwrap();
    assert_eq!(migrate(&settings).await.unwrap().from, 0);
    let store = open(&database.url()).await;
    with_account(&store, "a").await;
    drop(store);
    let again = migrate(&settings).await.unwrap();
    assert_eq!(again.from, again.to, "nothing is left to do");
    // As the version before has left it.
    database.sql("DROP TABLE keyferry_oauth_clients; UPDATE keyferry_schema SET version = 1");
    let said = refusal(settings.clone()).await;
    assert!(said.contains("run `keyferry store migrate`"), "{said}");
    assert_eq!(migrate(&settings).await.unwrap().from, 1);
    let store = open(&database.url()).await;
    assert!(store.account(&account_key("a")).await.unwrap().is_some(), "what was there stays");
    assert_eq!(store.oauth_clients(&org(), Environment::Test, None).await.unwrap(), []);
    drop(store);
    database.sql("UPDATE keyferry_schema SET version = 7");
    for said in [refusal(settings.clone()).await, migrate(&settings).await.unwrap_err().to_string()] {
        assert!(said.contains("version 7") && said.contains("run the Keyferry that migrated them"), "{said}");
    }
    database.sql("UPDATE keyferry_schema SET version = 0");
    for said in [refusal(settings.clone()).await, migrate(&settings).await.unwrap_err().to_string()] {
        assert!(said.contains("says version 0, and tables of a later version are there"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_begin_at_once_make_the_tables_together() {
    let Some(cluster) = Cluster::shared() else { return };
    let database = cluster.database();
    let url = database.url();
    let opened: Vec<_> = (0..6)
        .map(|_| {
            let url = url.clone();
            tokio::spawn(async move { open_shared(&url).await })
        })
        .collect();
    for one in opened {
        let store = one.await.unwrap();
        assert_eq!(store.verify_audit(&org()).await.unwrap().entries, 0);
    }
}
