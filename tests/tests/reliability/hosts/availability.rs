//! A standby that is promoted, servers behind a load balancer, and what `/readyz` says.

use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use keyferry_test_postgres::Cluster;
use keyferry_tests::http::{Request, get};
use keyferry_tests::{ORG, ServerOptions, World, WorldOptions, run_in};
use serde_json::json;
use tokio::task::JoinHandle;

use super::{ACCOUNTS, PATIENCE, migration, two_servers};

#[tokio::test]
async fn each_of_them_says_whether_it_should_get_requests() {
    let Some(cluster) = Cluster::start().map(|cluster| &*Box::leak(Box::new(cluster))) else { return };
    let (world, second, _) = two_servers(cluster).await;
    let ready = async |status: u16| {
        let deadline = Instant::now() + PATIENCE;
        for server in [&world.server, &second] {
            while get(server.address(), "/readyz").await.status != status {
                assert!(Instant::now() < deadline, "readiness is not {status}");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    };
    ready(200).await;
    cluster.stop();
    ready(503).await;
    // Longer than a lease: neither takes the other for dead.
    tokio::time::sleep(Duration::from_secs(12)).await;
    cluster.start_again();
    ready(200).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    for server in [&world.server, &second] {
        assert_eq!(world.send_to(server, migration("user_1")).await.status, 200, "{}", server.logs());
    }
}

/// Creates accounts at several addresses in turns until `ends` is set. Returns those that were acknowledged, and all other responses.
/// Counts the former in `count`.
async fn create_accounts(
    writer: usize,
    key: String,
    addresses: Vec<SocketAddr>,
    ends: Arc<AtomicBool>,
    count: Arc<AtomicUsize>,
) -> (Vec<String>, Vec<String>) {
    let (mut acknowledged, mut others) = (Vec::new(), Vec::new());
    for number in 0.. {
        if ends.load(Ordering::SeqCst) {
            break;
        }
        let account = format!("user_{writer}_{number}");
        let request = Request::new("POST", ACCOUNTS).json(&json!({"account_id": account})).header("x-api-key", &key);
        match request.try_send(addresses[number % addresses.len()]).await {
            Ok(response) if response.status == 200 => {
                acknowledged.push(account);
                count.fetch_add(1, Ordering::SeqCst);
            }
            Ok(response) => others.push(format!("{}: {}", response.status, response.text())),
            Err(error) => others.push(error.to_string()),
        }
    }
    (acknowledged, others)
}

/// Callers that create accounts, until they are to end.
struct Writers {
    ends: Arc<AtomicBool>,
    count: Arc<AtomicUsize>,
    tasks: Vec<JoinHandle<(Vec<String>, Vec<String>)>>,
}

impl Writers {
    fn start(key: &str, addresses: &[SocketAddr]) -> Self {
        let (ends, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let task = |writer| {
            let (key, addresses) = (key.to_owned(), addresses.to_vec());
            tokio::spawn(create_accounts(writer, key, addresses, Arc::clone(&ends), Arc::clone(&count)))
        };
        let tasks = (0..4).map(task).collect();
        Self { ends, count, tasks }
    }

    /// Waits until that many more writes are acknowledged.
    async fn write(&self, more: usize) {
        let (wanted, deadline) = (self.count.load(Ordering::SeqCst) + more, Instant::now() + PATIENCE);
        while self.count.load(Ordering::SeqCst) < wanted {
            assert!(Instant::now() < deadline, "only {} writes were acknowledged", self.count.load(Ordering::SeqCst));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Returns what was acknowledged, and all other responses.
    async fn end(self) -> (Vec<String>, Vec<String>) {
        self.ends.store(true, Ordering::SeqCst);
        let (mut acknowledged, mut others) = (Vec::new(), Vec::new());
        for task in self.tasks {
            let (some, rest) = task.await.unwrap();
            acknowledged.extend(some);
            others.extend(rest);
        }
        (acknowledged, others)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standby_that_is_promoted_has_all_that_two_servers_have_acknowledged() {
    let Some(primary) = Cluster::start().map(|cluster| &*Box::leak(Box::new(cluster))) else { return };
    let database = primary.database();
    let standby = primary.standby();
    let url = format!("{}&host={}", database.url(), standby.folder().display());
    let change = move |options: &mut ServerOptions| {
        options.environment.retain(|(name, _)| name != "KEYFERRY_STORE_URL");
        options.environment.push(("KEYFERRY_STORE_URL".to_owned(), url));
    };
    let options = WorldOptions { server: Some(Box::new(change)), ..WorldOptions::default() };
    let mut world = World::start_on(database, options).await;
    let second = world.another_server("second").await;
    let writers = Writers::start(&world.api_key, &[world.server.address(), second.address()]);
    writers.write(60).await;
    primary.stop();
    standby.promote();
    let deadline = Instant::now() + PATIENCE;
    for server in [&world.server, &second] {
        while get(server.address(), "/readyz").await.status != 200 {
            assert!(Instant::now() < deadline, "{}", server.logs());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    writers.write(60).await;
    for account in writers.end().await.0 {
        let found = world.send_to(&second, Request::new("GET", &format!("{ACCOUNTS}/{account}"))).await;
        assert_eq!(found.status, 200, "{account} was acknowledged and is lost");
    }
    let (code, verified, said) = operate_raw(&mut world, &["audit", "verify", "--org", ORG]).await;
    assert_eq!(code, Some(0), "{verified}{said}");
}

/// Runs a command on the data folder of the first server, which has the address of its database in its environment.
async fn operate_raw(world: &mut World, arguments: &[&str]) -> (Option<i32>, String, String) {
    let data = world.data().display().to_string();
    let environment = world.server.options_mut().environment.clone();
    let output = run_in(&environment, arguments.iter().copied().chain(["--data", &data])).await;
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// HAProxy with the configuration of the page; it ends when this is dropped.
struct Balancer {
    process: Child,
    address: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Balancer {
    /// `None` if HAProxy is not installed; in CI that is a failure.
    fn start(servers: [SocketAddr; 2]) -> Option<Self> {
        let haproxy = ["/usr/sbin/haproxy", "/usr/bin/haproxy"].into_iter().find(|path| std::fs::exists(path).unwrap());
        let Some(haproxy) = haproxy else {
            assert!(std::env::var_os("CI").is_none(), "HAProxy is not installed, and CI has to run everything");
            println!("skipped: HAProxy is not installed");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let page = std::fs::read_to_string("../docs/operations/haproxy.cfg").unwrap();
        let mut configuration = page.replace("bind :8700", &format!("bind {address}"));
        for (written, server) in ["10.0.0.11:8700", "10.0.0.12:8700"].into_iter().zip(servers) {
            assert!(configuration.contains(written));
            configuration = configuration.replace(written, &server.to_string());
        }
        let file = folder.path().join("haproxy.cfg");
        std::fs::write(&file, configuration).unwrap();
        let mut command = Command::new(haproxy);
        command.arg("-db").arg("-f").arg(&file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Some(Self { process: command.spawn().unwrap(), address, _folder: folder })
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        let _gone = self.process.kill();
        let _reaped = self.process.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_behind_haproxy_are_replaced_one_after_the_other_without_a_failed_request() {
    let Some(cluster) = Cluster::shared() else { return };
    let (mut world, mut second, _) = two_servers(cluster).await;
    for server in [&mut world.server, &mut second] {
        server.options_mut().listen = server.address().to_string();
    }
    let Some(balancer) = Balancer::start([world.server.address(), second.address()]) else { return };
    let deadline = Instant::now() + PATIENCE;
    while Request::new("GET", "/readyz")
        .try_send(balancer.address)
        .await
        .is_ok_and(|response| response.status == 200)
        .eq(&false)
    {
        assert!(Instant::now() < deadline, "HAProxy does not pass requests on");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let writers = Writers::start(&world.api_key, &[balancer.address]);
    for _ in 0..2 {
        for server in [&mut world.server, &mut second] {
            assert!(server.terminate().await.success());
            server.restart().await;
            // The balancer has to see it before the next one goes.
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
    writers.write(60).await;
    assert_eq!(writers.end().await.1, Vec::<String>::new());
}
