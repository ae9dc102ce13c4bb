//! The caller of a good plugin, who should see no effect.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use keyferry_mock_providers::apps::demo;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::World;
use crate::or_fail::OrFail as _;

/// A request without a response for longer than this counts as failed.
const PATIENCE: Duration = Duration::from_secs(30);

/// The delay of a provider nearby: network latency and work.
pub const NOT_FAR: Duration = Duration::from_millis(20);

/// The distance of the neighbour's provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Distance {
    /// On this machine, without delay. It shows the server's own latency best.
    None,
    /// Responds after [`NOT_FAR`], the least delay of a real provider.
    NotFar,
}

impl Distance {
    fn body(self) -> Value {
        match self {
            Self::None => {
                json!({"slug": "hubspot", "auth_object": {"oauth2": {"access_token": demo::HUBSPOT_ACCESS_TOKEN}}})
            }
            Self::NotFar => {
                json!({"slug": "stripe", "auth_object": {"keybased": {"api_key": demo::STRIPE_SECRET_KEY}}})
            }
        }
    }
}

/// Sends requests for a good plugin repeatedly, in the background.
pub struct Neighbour {
    stop: Arc<AtomicBool>,
    task: JoinHandle<Latencies>,
}

/// Latencies of the requests.
#[derive(Debug, Clone, Default)]
pub struct Latencies {
    times: Vec<Duration>,
    /// Descriptions of the failures.
    pub failures: Vec<String>,
}

impl Neighbour {
    /// Starts, with a pause between requests.
    pub fn start(world: Arc<World>, pause: Duration, distance: Distance) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let task = tokio::spawn(async move {
            let mut seen = Latencies::default();
            while !stopped.load(Ordering::Relaxed) {
                seen.record(&world, &distance.body()).await;
                tokio::time::sleep(pause).await;
            }
            seen
        });
        Self { stop, task }
    }

    /// Stops.
    pub async fn finish(self) -> Latencies {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.or_fail("wait for the neighbour")
    }
}

impl Latencies {
    async fn record(&mut self, world: &World, body: &Value) {
        let request = world.migrate_request(body).header("prefer", "verify=only").header("x-api-key", &world.api_key);
        let began = Instant::now();
        match tokio::time::timeout(PATIENCE, request.try_send(world.server.address())).await {
            Err(_) => self.failures.push(format!("no response within {PATIENCE:?}")),
            Ok(Err(error)) => self.failures.push(error.to_string()),
            Ok(Ok(answer)) if answer.status == 200 && answer.text().contains("\"outcome\":\"verified\"") => {
                self.times.push(began.elapsed());
            }
            Ok(Ok(answer)) => self.failures.push(format!("{} {}", answer.status, answer.text())),
        }
    }

    /// Adds the figures of another run.
    pub fn extend(&mut self, other: Self) {
        self.times.extend(other.times);
        self.failures.extend(other.failures);
    }

    /// The number of successful requests.
    pub fn answered(&self) -> usize {
        self.times.len()
    }

    /// The latency that this share (0 to 1) of the requests did not exceed.
    pub fn quantile(&self, share: f64) -> Duration {
        let mut sorted = self.times.clone();
        sorted.sort_unstable();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a place in a list of some thousands"
        )]
        let place = (share * sorted.len() as f64) as usize;
        sorted.get(place.min(sorted.len().saturating_sub(1))).copied().unwrap_or_default()
    }
}

impl fmt::Display for Latencies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [p50, p99, most] = [0.5, 0.99, 1.0].map(|share| self.quantile(share));
        write!(
            f,
            "{} requests, {} failed, p50 {p50:.1?}, p99 {p99:.1?}, at most {most:.1?}",
            self.answered(),
            self.failures.len()
        )
    }
}
