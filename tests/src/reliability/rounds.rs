//! Ends a server repeatedly, and checks the data on disk.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use keyferry_mock_providers::{MockProviders, Reply};
use serde_json::json;
use tempfile::TempDir;

use super::figures::Figures;
use super::inspect;
use super::ledger::Account;
use super::load::{self, Unavailable, Worker};
use super::power::PowerCut;
use crate::binary;
use crate::or_fail::OrFail as _;
use crate::server::{Server, ServerOptions};
use crate::world::{ORG, create_api_key};

const WORKERS: usize = 8;
const ACCOUNTS_EACH: usize = 12;
/// The longest time under load before the server is ended.
const MOST_LOAD: Duration = Duration::from_millis(330);
/// The approximate time of a start: a kill comes at any moment of it.
const START: Duration = Duration::from_millis(400);

/// How a server is ended.
#[derive(Debug)]
pub enum Ending {
    /// By SIGKILL: all of its writes survive, synced or not.
    Kill,
    /// By a power cut.
    PowerCut(PowerCut),
}

/// A data folder that is kept through all rounds.
pub struct Loop {
    options: ServerOptions,
    ending: Ending,
    api_key: String,
    ledger: Vec<Account>,
    random: fastrand::Rng,
    figures: Figures,
    folder: TempDir,
    _providers: MockProviders,
}

impl Loop {
    /// Creates one; the seed determines all choices.
    pub async fn new(ending: Ending, seed: u64) -> Self {
        let folder = TempDir::new().or_fail("make a folder for the loop");
        let (data, plugins) = (folder.path().join("data"), folder.path().join("plugins"));
        let mut providers = MockProviders::start().await.or_fail("start a provider");
        let account = json!({ "id": "acct_1", "business_profile": { "name": "Acme" } });
        providers.add("api.stripe.com", move |_| Reply::json(200, &account)).await.or_fail("start a provider");
        let ca = folder.path().join("ca.pem");
        providers.write_ca_pem(&ca).or_fail("write the throw-away authority");
        binary::copy(["stripe"], &plugins);
        let api_key = create_api_key(&data, ORG, "test").await;
        let mut options = ServerOptions::new(data, plugins);
        options.egress_ca = Some(ca);
        options.resolve = providers.resolve_flags();
        if let Ending::PowerCut(cut) = &ending {
            options.environment.extend(cut.environment(&options.data));
        }
        let ids = (0..WORKERS * ACCOUNTS_EACH).map(|number| Account::new(format!("user_{number}")));
        Self {
            options,
            ending,
            api_key,
            ledger: ids.collect(),
            random: fastrand::Rng::with_seed(seed),
            figures: Figures::default(),
            folder,
            _providers: providers,
        }
    }

    /// Runs this many rounds, prints each, and returns the figures. Fails at the first mismatch.
    pub async fn run(&mut self, rounds: u64, mut tell: impl FnMut(&Figures)) -> Figures {
        let began = Instant::now();
        for round in 1..=rounds {
            // A third of the rounds end before the server is ready.
            if round % 3 == 0 {
                self.end_during_start().await;
            } else {
                self.end_under_load().await;
            }
            self.figures.rounds += 1;
            if let Ending::PowerCut(cut) = &self.ending {
                cut.restore(&self.options.data, &mut self.random);
            }
            inspect::settle(&self.options.data, &mut self.ledger, &mut self.figures).await;
            if let Ending::PowerCut(cut) = &self.ending {
                cut.accept(&self.options.data);
            }
            self.figures.took = began.elapsed();
            tell(&self.figures);
        }
        self.figures.clone()
    }

    /// The data folder, for an inspection after a failure.
    pub fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    async fn end_during_start(&mut self) {
        let after = self.random.u64(..u64::try_from(START.as_micros()).unwrap_or_default());
        Server::start_and_kill(&self.options, Duration::from_micros(after)).await;
        self.figures.during_start += 1;
    }

    async fn end_under_load(&mut self) {
        let mut server = Server::start(self.options.clone()).await;
        self.figures.replayed += load::repeat(server.address(), &self.api_key, &mut self.ledger).await;
        let mut workers = Vec::new();
        for _ in 0..WORKERS {
            let rest = self.ledger.split_off(ACCOUNTS_EACH.min(self.ledger.len()));
            let worker = Worker {
                address: server.address(),
                api_key: self.api_key.clone(),
                accounts: std::mem::replace(&mut self.ledger, rest),
                random: self.random.fork(),
                acknowledged: 0,
                unavailable: Unavailable::IsWrong,
                ends: Arc::default(),
            };
            workers.push(tokio::spawn(worker.run()));
        }
        let alone = self.random.u64(..u64::try_from(MOST_LOAD.as_micros()).unwrap_or_default());
        tokio::time::sleep(Duration::from_micros(alone)).await;
        server.kill();
        for worker in workers {
            let worker = worker.await.or_fail("a worker's end");
            self.figures.acknowledged += worker.acknowledged;
            self.ledger.extend(worker.accounts);
        }
    }
}
