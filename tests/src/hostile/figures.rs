//! The effect on a neighbour, as a table.

use std::process::{Child, Command};
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use serde_json::json;

use super::{Distance, Hostile, Latencies, NOT_FAR, Neighbour, Trials, families};
use crate::World;

/// The pause between two requests of the neighbour.
const PAUSE: Duration = Duration::from_millis(10);
/// How long the neighbour is measured alone, before each family, and at least beside it: a p99 takes some hundred
/// requests.
const LONG_ENOUGH: Duration = Duration::from_secs(5);
/// Concurrent requests to a plugin that loops.
const SPINNERS: usize = 8;

/// Latencies of the neighbours, alone and beside each family.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    alone: Seen,
    /// Beside an unrelated process that computes: the effect of sharing a processor with any process.
    busy: Seen,
    beside: Vec<(&'static str, usize, Seen)>,
    /// Components whose behaviour was not as expected.
    pub wrong: Vec<String>,
}

/// Latencies of two neighbours: one with a provider on this machine, and one with a provider nearby.
#[derive(Debug, Clone, Default)]
struct Seen {
    near: Latencies,
    not_far: Latencies,
}

impl Seen {
    fn extend(&mut self, other: Self) {
        self.near.extend(other.near);
        self.not_far.extend(other.not_far);
    }

    fn failures(&self) -> impl Iterator<Item = &String> {
        self.near.failures.iter().chain(&self.not_far.failures)
    }
}

/// Both neighbours, while they send requests.
struct Both {
    near: Neighbour,
    not_far: Neighbour,
}

impl Both {
    fn start(world: &Arc<World>) -> Self {
        let start = |distance| Neighbour::start(Arc::clone(world), PAUSE, distance);
        Self { near: start(Distance::None), not_far: start(Distance::NotFar) }
    }

    async fn finish(self) -> Seen {
        Seen { near: self.near.finish().await, not_far: self.not_far.finish().await }
    }
}

impl Figures {
    /// One round: every family, or the one of that name, and then many callers of one plugin that loops.
    pub async fn round(&mut self, world: &Arc<World>, only: Option<&str>) {
        let trials = Trials::new(Arc::clone(world));
        for (family, hostiles) in families().into_iter().filter(|(name, _)| only.is_none_or(|only| only == *name)) {
            self.rest(world).await;
            // Built before, so that the neighbour is not measured during the build.
            let components: Vec<Vec<u8>> = hostiles.iter().map(Hostile::component).collect();
            let neighbours = Both::start(world);
            let began = tokio::time::Instant::now();
            while began.elapsed() < LONG_ENOUGH {
                for (hostile, component) in hostiles.iter().zip(&components) {
                    if let Err(error) = trials.run(hostile, component).await {
                        self.wrong.push(format!("{}, which tries {}: {error}", hostile.name, hostile.tries));
                    }
                }
            }
            self.add(family, hostiles.len(), neighbours.finish().await);
        }
        self.rest(world).await;
        match Busy::start() {
            Ok(_busy) => self.busy.extend(rest(world).await),
            Err(error) => self.wrong.push(format!("a process that computes does not start: {error}")),
        }
        self.rest(world).await;
        self.spin(world, &trials).await;
    }

    async fn rest(&mut self, world: &Arc<World>) {
        self.alone.extend(rest(world).await);
    }

    /// Concurrent callers of one plugin that loops, for as long as the neighbour is measured alone.
    async fn spin(&mut self, world: &Arc<World>, trials: &Trials) {
        let all = families().into_iter().flat_map(|(_, hostiles)| hostiles);
        let Some(looping) = all.into_iter().find(|hostile: &Hostile| hostile.name == "loop-in-verify") else { return };
        trials.drop_in(looping.name, &looping.component());
        let _served = trials.status(looping.name).await;
        let neighbours = Both::start(world);
        let until = tokio::time::Instant::now() + LONG_ENOUGH;
        let callers: Vec<_> = (0..SPINNERS)
            .map(|_| {
                let world = Arc::clone(world);
                tokio::spawn(async move {
                    let body = json!({"slug": "loop-in-verify", "auth_object": {"keybased": {"api_key": "unread"}}});
                    while tokio::time::Instant::now() < until {
                        world.send(world.migrate_request(&body)).await;
                    }
                })
            })
            .collect();
        for caller in callers {
            let _ended = caller.await;
        }
        self.add("8 callers of one that loops", 1, neighbours.finish().await);
        trials.take_out(looping.name);
    }

    fn add(&mut self, family: &'static str, components: usize, seen: Seen) {
        match self.beside.iter_mut().find(|(known, ..)| *known == family) {
            Some((_, _, known)) => known.extend(seen),
            None => self.beside.push((family, components, seen)),
        }
    }

    /// Requests of the neighbours that failed.
    pub fn failures(&self) -> impl Iterator<Item = &String> {
        let beside = self.beside.iter().flat_map(|(_, _, seen)| seen.failures());
        self.alone.failures().chain(self.busy.failures()).chain(beside)
    }
}

/// Measures the neighbours without a hostile plugin.
async fn rest(world: &Arc<World>) -> Seen {
    let neighbours = Both::start(world);
    tokio::time::sleep(LONG_ENOUGH).await;
    neighbours.finish().await
}

/// A process that computes until it is dropped.
struct Busy(Child);

impl Busy {
    fn start() -> io::Result<Self> {
        Command::new("sh").args(["-c", "while :; do :; done"]).spawn().map(Self)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let _gone = self.0.kill().and_then(|()| self.0.wait());
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |duration: Duration| format!("{:.1} ms", duration.as_secs_f64() * 1000.0);
        let p99 = |latencies: &Latencies| latencies.quantile(0.99).as_secs_f64().max(f64::MIN_POSITIVE);
        let far = NOT_FAR.as_millis();
        writeln!(
            f,
            "| beside | components | requests | failed | p50 | p99 | against alone | against beside that process | \
             provider {far} ms away: p50 | p99 | against alone |"
        )?;
        writeln!(f, "|---|---|---|---|---|---|---|---|---|---|---|")?;
        let controls = [("nothing", 0, &self.alone), ("only an unrelated process that computes", 0, &self.busy)];
        let families = self.beside.iter().map(|(family, components, seen)| (*family, *components, seen));
        for (family, components, seen) in controls.into_iter().chain(families) {
            let Seen { near, not_far } = seen;
            let (answered, failed) = (near.answered() + not_far.answered(), seen.failures().count());
            writeln!(
                f,
                "| {family} | {components} | {answered} | {failed} | {} | {} | {:.1} | {:.1} | {} | {} | {:.1} |",
                ms(near.quantile(0.5)),
                ms(near.quantile(0.99)),
                p99(near) / p99(&self.alone.near),
                p99(near) / p99(&self.busy.near),
                ms(not_far.quantile(0.5)),
                ms(not_far.quantile(0.99)),
                p99(not_far) / p99(&self.alone.not_far),
            )?;
        }
        Ok(())
    }
}
