//! The server under test, with its providers and linked accounts, and the load that it is put under.

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};
use keyferry_mock_providers::MockProviders;
use keyferry_mock_providers::apps::demo::STRIPE_SECRET_KEY;
use keyferry_tests::http::{Connection, Request};
use keyferry_tests::{ServerChange, ServerOptions, World, WorldOptions};
use serde_json::json;

use crate::load::{Load, Pace, Run, measure};
use crate::usage::Used;

/// Connections for the creation of accounts.
const MAKERS: usize = 64;

/// The server's access log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AccessLog {
    /// One line a request, the default.
    Written,
    /// No line a request: `KEYFERRY_LOG=warn`.
    Off,
}

/// The duration of a load.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Length {
    pub(crate) warm_up: Duration,
    pub(crate) counted: Duration,
}

impl Length {
    /// Counts for `seconds`, after a warm-up of a quarter of that, at least half a second.
    pub(crate) fn of(seconds: f64) -> Self {
        let counted = Duration::from_secs_f64(seconds.max(0.1));
        Self { warm_up: (counted / 4).max(Duration::from_millis(500)), counted }
    }
}

/// A real server with `accounts` linked accounts, `bench_0` and so on.
pub(crate) struct BenchServer {
    pub(crate) world: World,
    pub(crate) accounts: usize,
}

impl BenchServer {
    /// Starts one, with a change to the server's options.
    pub(crate) async fn start(
        accounts: usize,
        log: AccessLog,
        providers: Option<MockProviders>,
        change: impl FnOnce(&mut ServerOptions) + Send + 'static,
    ) -> Result<Self, Box<dyn Error>> {
        let server: ServerChange = Box::new(move |options| {
            if log == AccessLog::Off {
                options.environment.push(("KEYFERRY_LOG".to_owned(), "warn".to_owned()));
            }
            change(options);
        });
        let world = World::start_with(WorldOptions { providers, server: Some(server) }).await;
        let site = Self { world, accounts };
        site.make_accounts().await?;
        Ok(site)
    }

    async fn make_accounts(&self) -> Result<(), Box<dyn Error>> {
        let (address, key) = (self.world.server.address(), self.world.api_key.as_str());
        let makers = stream::iter(0..MAKERS.min(self.accounts)).map(|first| async move {
            let mut connection = Connection::open(address).await.map_err(|error| error.to_string())?;
            for number in (first..self.accounts).step_by(MAKERS) {
                let request = Request::new("POST", "/api/v2/public/linked-account")
                    .header("x-api-key", key)
                    .json(&json!({ "account_id": format!("bench_{number}") }));
                let response = connection.send(request).await.map_err(|error| error.to_string())?;
                if response.status != 200 {
                    return Err(format!("a linked account was not made: {}", response.text()));
                }
            }
            Ok::<_, String>(())
        });
        let made: Vec<_> = makers.buffer_unordered(MAKERS).collect().await;
        Ok(made.into_iter().collect::<Result<(), String>>()?)
    }

    /// A load of migrations, each with all steps of the job.
    pub(crate) fn load(&self, connections: usize, length: Length, pace: Pace) -> Load {
        let address = self.world.server.address();
        load(address, &self.world.api_key, "stripe", self.accounts, connections, length, pace)
    }

    /// Puts it under a load and reads the resources that it used.
    pub(crate) async fn measure(&self, load: Load) -> Result<Run, Box<dyn Error>> {
        let pid = self.world.server.pid();
        measure(load, || Used::by(pid)).await
    }
}

/// Migrations of a credential of that app to linked accounts one after the other.
pub(crate) fn load(
    address: SocketAddr,
    api_key: &str,
    slug: &str,
    accounts: usize,
    connections: usize,
    length: Length,
    pace: Pace,
) -> Load {
    let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    Load {
        address,
        method_and_target: "PUT /api/v2/public/migrate-token".to_owned(),
        headers: vec![
            ("x-api-key".to_owned(), api_key.to_owned()),
            ("content-type".to_owned(), "application/json".to_owned()),
        ],
        body: json!({ "slug": slug, "auth_object": { "keybased": { "api_key": STRIPE_SECRET_KEY } } }).to_string(),
        accounts,
        connections,
        warm_up_millis: millis(length.warm_up),
        millis: millis(length.counted),
        pace,
    }
}
