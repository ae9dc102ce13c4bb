//! The servers under measurement, each started under a tool.

use std::error::Error;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use keyferry_mock_providers::MockProviders;
use keyferry_mock_providers::apps::demo::STRIPE_HOST;
use keyferry_mock_providers::apps::demo_providers;
use keyferry_tests::cost::{Migrations, start_under};
use tempfile::TempDir;

use crate::bench_server::{AccessLog, BenchServer};
use crate::floor::{self, Floor, FloorSettings};
use crate::server_process::ServerProcess;

/// Linked accounts of the migrations.
pub(super) const ACCOUNTS: usize = 32;
/// The API key of a floor.
const API_KEY: &str = "the-floors-own-key";

/// A server under measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    Keyferry,
    Floor(Floor),
}

impl Subject {
    pub(super) const ALL: [Self; 3] = [Self::Keyferry, Self::Floor(Floor::Threads), Self::Floor(Floor::Cores)];

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Keyferry => "keyferry, as it is started by default",
            Self::Floor(floor) => floor.title(),
        }
    }

    /// Starts one under the tool of the command; without a command, directly.
    pub(super) async fn start(self, tool: Vec<String>) -> Result<Running, Box<dyn Error>> {
        match self {
            Self::Keyferry => Ok(Running::Keyferry(Box::new(keyferry(tool).await?))),
            Self::Floor(kind) => {
                let (providers, folder) = (demo_providers().await?, TempDir::new()?);
                let ca = folder.path().join("ca.pem");
                providers.write_ca_pem(&ca)?;
                let settings = FloorSettings {
                    api_key: API_KEY.to_owned(),
                    ca,
                    provider: providers.address_of(STRIPE_HOST).ok_or("there is no provider")?,
                    data: folder.path().join("data"),
                };
                let served = floor::start(kind, &settings, &tool)?;
                Ok(Running::Floor { served, data: settings.data, _beside: Box::new((providers, folder)) })
            }
        }
    }
}

async fn keyferry(tool: Vec<String>) -> Result<BenchServer, Box<dyn Error>> {
    BenchServer::start(ACCOUNTS, AccessLog::Written, None, move |options| start_under(options, &tool)).await
}

/// A running server.
pub(super) enum Running {
    Keyferry(Box<BenchServer>),
    Floor { served: ServerProcess, data: PathBuf, _beside: Box<(MockProviders, TempDir)> },
}

impl Running {
    pub(super) fn pid(&self) -> u32 {
        match self {
            Self::Keyferry(site) => site.world.server.pid(),
            Self::Floor { served, .. } => served.pid(),
        }
    }

    /// Its data folder.
    pub(super) fn data(&self) -> PathBuf {
        match self {
            Self::Keyferry(site) => site.world.data(),
            Self::Floor { data, .. } => Path::to_owned(data),
        }
    }

    /// A connection, after each account has got a credential on it.
    pub(super) async fn migrations(&self) -> Migrations {
        let (address, api_key): (SocketAddr, &str) = match self {
            Self::Keyferry(site) => (site.world.server.address(), &site.world.api_key),
            Self::Floor { served, .. } => (served.address(), API_KEY),
        };
        let accounts = (0..ACCOUNTS).map(|number| format!("bench_{number}")).collect();
        let mut migrations = Migrations::open(address, api_key, accounts).await;
        migrations.send(2 * ACCOUNTS).await;
        migrations
    }
}
