//! The endpoint for single credentials, for comparison: its throughput, and its latency at a steady, low rate.

#![expect(clippy::indexing_slicing, reason = "the lists have something in them, and places are within them")]

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::http::{Connection, Request};
use crate::{ACCOUNT, World};

/// Clients, each with one request in flight.
pub const CLIENTS: usize = 32;
/// Duration of the measurement.
const TIME: Duration = Duration::from_secs(20);
/// Clients that send at a steady rate, and the interval of each.
const STEADY: u32 = 8;
const EVERY: Duration = Duration::from_millis(200);

/// One unit of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A credential for an existing linked account: one request.
    Credential,
    /// A linked account and its first credential: two requests, as much as one import row for a new account does.
    AccountAndCredential,
}

/// The server's address, and the credentials that requests carry.
#[derive(Clone)]
struct Client {
    address: SocketAddr,
    key: String,
    bodies: Arc<Vec<Vec<u8>>>,
}

impl Client {
    fn of(world: &World, credentials: &[(&'static str, Value)]) -> Self {
        let bodies = credentials
            .iter()
            .map(|(slug, auth_object)| json!({"slug": slug, "auth_object": auth_object}).to_string().into_bytes());
        Self { address: world.server.address(), key: world.api_key.clone(), bodies: Arc::new(bodies.collect()) }
    }

    fn migration(&self, account: &str, place: usize) -> Request {
        Request::new("PUT", "/api/v2/public/migrate-token")
            .header("x-api-key", &self.key)
            .header("linked_account_id", account)
            .header("prefer", "account-change=replace")
            .body("application/json", self.bodies[place % self.bodies.len()].clone())
    }

    fn account(&self, account: &str) -> Request {
        Request::new("POST", "/api/v2/public/linked-account")
            .header("x-api-key", &self.key)
            .json(&json!({ "account_id": account }))
    }
}

/// The prefix of the ids of accounts that the measurement creates.
pub const MADE: &str = "single_";

/// Units of work per second, over all credentials. `name` is part of the ids of the accounts that it creates.
pub async fn rate(
    world: &World,
    credentials: &[(&'static str, Value)],
    unit: Unit,
    name: &str,
) -> Result<f64, Box<dyn Error>> {
    let done = Arc::new(AtomicU64::new(0));
    let (client, end) = (Client::of(world, credentials), Instant::now() + TIME);
    let mut running = JoinSet::new();
    for number in 0..CLIENTS {
        let (client, done, name) = (client.clone(), Arc::clone(&done), name.to_owned());
        running.spawn(async move {
            let mut connection = Connection::open(client.address).await.map_err(|error| error.to_string())?;
            let mut place = number;
            while Instant::now() < end {
                place += CLIENTS;
                let account = match unit {
                    Unit::Credential => ACCOUNT.to_owned(),
                    Unit::AccountAndCredential => {
                        let account = format!("{MADE}{name}_{place}");
                        let made =
                            connection.send(client.account(&account)).await.map_err(|error| error.to_string())?;
                        if made.status != 200 && made.status != 201 {
                            return Err(made.text());
                        }
                        account
                    }
                };
                let answer =
                    connection.send(client.migration(&account, place)).await.map_err(|error| error.to_string())?;
                // Several clients write the same credential of one account, so some get a conflict and try again.
                if answer.text().contains("success") {
                    done.fetch_add(1, Ordering::Relaxed);
                } else if unit == Unit::AccountAndCredential {
                    return Err(answer.text());
                }
            }
            Ok(())
        });
    }
    running.join_all().await.into_iter().collect::<Result<(), String>>()?;
    Ok(f64::from(u32::try_from(done.load(Ordering::Relaxed))?) / TIME.as_secs_f64())
}

/// Latencies of requests, counted from the moment at which each request was due.
pub struct Times(Vec<Duration>);

impl Times {
    fn new(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self(times)
    }

    /// The number of requests.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The latency that `percent` of the requests did not exceed.
    pub fn percentile(&self, percent: usize) -> Duration {
        let place = (self.0.len() * percent).div_ceil(100).saturating_sub(1);
        self.0.get(place).copied().unwrap_or_default()
    }
}

/// Sends requests at a steady rate far below the server's capacity until `done` resolves. Returns their latencies.
pub async fn beside<T>(
    world: &World,
    credentials: &[(&'static str, Value)],
    done: impl Future<Output = T>,
) -> Result<(Times, T), Box<dyn Error>> {
    let client = Client::of(world, credentials);
    let ended = Arc::new(AtomicBool::new(false));
    let mut running = JoinSet::new();
    for number in 0..STEADY {
        let (client, ended) = (client.clone(), Arc::clone(&ended));
        running.spawn(async move {
            let mut connection = Connection::open(client.address).await.map_err(|error| error.to_string())?;
            let mut times = Vec::new();
            let mut intended = tokio::time::Instant::now() + EVERY * number / STEADY;
            let account = format!("steady_{number}");
            connection.send(client.account(&account)).await.map_err(|error| error.to_string())?;
            for place in 0.. {
                tokio::time::sleep_until(intended).await;
                if ended.load(Ordering::Relaxed) {
                    break;
                }
                let answer =
                    connection.send(client.migration(&account, place)).await.map_err(|error| error.to_string())?;
                if !answer.text().contains("success") {
                    return Err(answer.text());
                }
                times.push(intended.elapsed());
                intended += EVERY;
            }
            Ok(times)
        });
    }
    let came = done.await;
    ended.store(true, Ordering::Relaxed);
    let times = running.join_all().await.into_iter().collect::<Result<Vec<_>, String>>()?;
    Ok((Times::new(times.concat()), came))
}

/// The latencies without a concurrent import.
pub async fn alone(world: &World, credentials: &[(&'static str, Value)]) -> Result<Times, Box<dyn Error>> {
    Ok(beside(world, credentials, tokio::time::sleep(TIME)).await?.0)
}
