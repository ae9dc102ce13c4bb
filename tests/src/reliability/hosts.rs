//! Two servers on one PostgreSQL database: servers and database are ended in repeated rounds, and what is stored is compared with what was
//! acknowledged by either.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use keyferry_mock_providers::{MockProviders, Reply};
use keyferry_store::Store as _;
use keyferry_store::postgres::{PostgresSettings, PostgresStore};
use keyferry_test_postgres::{Cluster, Database};
use serde_json::json;
use tempfile::TempDir;

use super::figures::Figures;
use super::inspect;
use super::ledger::Account;
use super::load::{self, Unavailable, Worker};
use crate::binary;
use crate::http::get;
use crate::or_fail::{OrFail as _, fail};
use crate::server::{Server, ServerOptions};
use crate::world::{ORG, create_api_key_in};

const WORKERS: usize = 8;
const ACCOUNTS_EACH: usize = 12;
/// The longest time under load before something ends.
const MOST_LOAD: Duration = Duration::from_millis(600);
/// Longer than a server's lease.
const PAUSE: Duration = Duration::from_secs(13);
/// One of as many rounds has such a pause.
const PAUSE_EVERY: u64 = 10;
/// How long a server may take to be ready.
const PATIENCE: Duration = Duration::from_secs(120);

/// One of the servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    First,
    Second,
}

/// What ends in a round.
#[derive(Debug, Clone, Copy)]
enum Ending {
    /// One server, by SIGKILL.
    Server(Which),
    /// Both.
    Servers,
    /// The database, immediately.
    Database,
    /// The database and one server.
    DatabaseAndServer(Which),
    /// None: one server stands still for longer than its lease.
    Pause(Which),
}

/// Two servers and a database, which are kept through all rounds.
pub struct HostsLoop {
    cluster: &'static Cluster,
    database: Database<'static>,
    first: Server,
    second: Server,
    api_key: String,
    ledger: Vec<Account>,
    random: fastrand::Rng,
    figures: Figures,
    folder: TempDir,
    _providers: MockProviders,
}

impl HostsLoop {
    /// Creates one; the seed determines all choices. `None` where PostgreSQL is not installed.
    pub async fn new(seed: u64) -> Option<Self> {
        let cluster: &'static Cluster = Box::leak(Box::new(Cluster::start()?));
        let database = cluster.database();
        let folder = TempDir::new().or_fail("make a folder for the loop");
        let plugins = folder.path().join("plugins");
        let mut providers = MockProviders::start().await.or_fail("start a provider");
        let account = json!({ "id": "acct_1", "business_profile": { "name": "Acme" } });
        providers.add("api.stripe.com", move |_| Reply::json(200, &account)).await.or_fail("start a provider");
        let ca = folder.path().join("ca.pem");
        providers.write_ca_pem(&ca).or_fail("write the throw-away authority");
        binary::copy(["stripe"], &plugins);
        let first = folder.path().join("first");
        let environment = vec![("KEYFERRY_STORE_URL".to_owned(), database.url())];
        let api_key = create_api_key_in(&environment, &first, ORG, "test").await;
        let key = first.join("keyferry.key").display().to_string();
        let options = |name: &str| {
            let mut options = ServerOptions::new(folder.path().join(name), &plugins);
            options.egress_ca = Some(ca.clone());
            options.resolve = providers.resolve_flags();
            options.environment.clone_from(&environment);
            options.arguments = vec!["--key-file".to_owned(), key.clone()];
            options
        };
        let (first, second) = (Server::start(options("first")).await, Server::start(options("second")).await);
        let ids = (0..WORKERS * ACCOUNTS_EACH).map(|number| Account::new(format!("user_{number}")));
        Some(Self {
            cluster,
            database,
            first,
            second,
            api_key,
            ledger: ids.collect(),
            random: fastrand::Rng::with_seed(seed),
            figures: Figures::default(),
            folder,
            _providers: providers,
        })
    }

    /// Runs this many rounds and returns the figures. Fails at the first mismatch.
    pub async fn run(&mut self, rounds: u64, mut tell: impl FnMut(&Figures)) -> Figures {
        let began = Instant::now();
        for round in 1..=rounds {
            let ending = if round % PAUSE_EVERY == 0 { self.pause() } else { self.choose() };
            self.end_under_load(ending).await;
            self.figures.rounds += 1;
            self.figures.replayed += load::repeat(self.first.address(), &self.api_key, &mut self.ledger).await;
            let settings: PostgresSettings = self.database.url().parse().or_fail("the address of the database");
            let store = PostgresStore::open(settings).await.or_fail("open the store");
            let key = self.folder.path().join("first").join("keyferry.key");
            inspect::settle_in(&store, &key, &mut self.ledger, &mut self.figures).await;
            store.close().await.or_fail("close the store");
            self.figures.took = began.elapsed();
            tell(&self.figures);
        }
        self.figures.clone()
    }

    fn pause(&mut self) -> Ending {
        Ending::Pause(self.which())
    }

    fn which(&mut self) -> Which {
        if self.random.bool() { Which::First } else { Which::Second }
    }

    fn server(&mut self, which: Which) -> &mut Server {
        match which {
            Which::First => &mut self.first,
            Which::Second => &mut self.second,
        }
    }

    fn choose(&mut self) -> Ending {
        match self.random.u8(..4) {
            0 => Ending::Server(self.which()),
            1 => Ending::Servers,
            2 => Ending::Database,
            _ => Ending::DatabaseAndServer(self.which()),
        }
    }

    async fn end_under_load(&mut self, ending: Ending) {
        let ends = Arc::new(AtomicBool::new(false));
        let mut workers = Vec::new();
        for number in 0..WORKERS {
            let rest = self.ledger.split_off(ACCOUNTS_EACH.min(self.ledger.len()));
            let worker = Worker {
                address: self.server(if number % 2 == 0 { Which::First } else { Which::Second }).address(),
                api_key: self.api_key.clone(),
                accounts: std::mem::replace(&mut self.ledger, rest),
                random: self.random.fork(),
                acknowledged: 0,
                unavailable: Unavailable::IsNoResponse,
                ends: Arc::clone(&ends),
            };
            workers.push(tokio::spawn(worker.run()));
        }
        let alone = self.random.u64(..u64::try_from(MOST_LOAD.as_micros()).unwrap_or_default());
        tokio::time::sleep(Duration::from_micros(alone)).await;
        match ending {
            Ending::Server(which) => self.server(which).kill(),
            Ending::Servers => {
                self.first.kill();
                self.second.kill();
            }
            Ending::Database => self.cluster.stop(),
            Ending::DatabaseAndServer(which) => {
                self.cluster.stop();
                self.server(which).kill();
            }
            Ending::Pause(which) => {
                self.server(which).pause();
                tokio::time::sleep(PAUSE).await;
                self.server(which).resume();
            }
        }
        // What goes on is written to for a while.
        tokio::time::sleep(Duration::from_millis(100)).await;
        ends.store(true, Ordering::SeqCst);
        if matches!(ending, Ending::Database | Ending::DatabaseAndServer(_)) {
            self.cluster.start_again();
        }
        for worker in workers {
            let worker = worker.await.or_fail("a worker's end");
            self.figures.acknowledged += worker.acknowledged;
            self.ledger.extend(worker.accounts);
        }
        match ending {
            Ending::Server(which) | Ending::DatabaseAndServer(which) => self.server(which).restart().await,
            Ending::Servers => {
                self.first.restart().await;
                self.second.restart().await;
            }
            Ending::Database => {}
            Ending::Pause(which) => {
                let status = self.server(which).wait().await;
                if status.success() {
                    fail("a server that was overtaken ended without an error");
                }
                self.server(which).restart().await;
            }
        }
        let deadline = Instant::now() + PATIENCE;
        for server in [&self.first, &self.second] {
            while get(server.address(), "/readyz").await.status != 200 {
                if Instant::now() > deadline {
                    fail(format_args!("a server is not ready:\n{}", server.logs()));
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
}
