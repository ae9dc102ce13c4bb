//! What a neighbour noticed, as a table.

use std::process::{Child, Command};
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use serde_json::json;

use super::{Hostile, Latencies, Neighbour, Trials, families};
use crate::World;

/// Between two requests of the neighbour's.
const PAUSE: Duration = Duration::from_millis(10);
/// How long the neighbour is measured alone, before each family, and at least beside it: a p99 takes some hundred requests.
const LONG_ENOUGH: Duration = Duration::from_secs(5);
/// Requests to a plugin that loops, at once.
const SPINNERS: usize = 8;

/// The neighbour's latencies, alone and beside each family.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    alone: Latencies,
    /// Beside a process of somebody else's that computes: what the machine itself makes of sharing a processor.
    busy: Latencies,
    beside: Vec<(&'static str, usize, Latencies)>,
    /// What became of components otherwise than expected.
    pub wrong: Vec<String>,
}

impl Figures {
    /// One round: every family, or the one of that name, and then many callers of one plugin that loops.
    pub async fn round(&mut self, world: &Arc<World>, only: Option<&str>) {
        let trials = Trials::new(Arc::clone(world));
        for (family, hostiles) in families().into_iter().filter(|(name, _)| only.is_none_or(|only| only == *name)) {
            self.rest(world).await;
            // Made before, so that the neighbour is not measured beside that.
            let components: Vec<Vec<u8>> = hostiles.iter().map(Hostile::component).collect();
            let neighbour = Neighbour::start(Arc::clone(world), PAUSE);
            let began = tokio::time::Instant::now();
            while began.elapsed() < LONG_ENOUGH {
                for (hostile, component) in hostiles.iter().zip(&components) {
                    if let Err(error) = trials.run(hostile, component).await {
                        self.wrong.push(format!("{}, which tries {}: {error}", hostile.name, hostile.tries));
                    }
                }
            }
            self.add(family, hostiles.len(), neighbour.finish().await);
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

    /// Many callers of one plugin that loops, for as long as the neighbour is measured alone.
    async fn spin(&mut self, world: &Arc<World>, trials: &Trials) {
        let all = families().into_iter().flat_map(|(_, hostiles)| hostiles);
        let Some(looping) = all.into_iter().find(|hostile: &Hostile| hostile.name == "loop-in-verify") else { return };
        trials.drop_in(looping.name, &looping.component());
        let _served = trials.status(looping.name).await;
        let neighbour = Neighbour::start(Arc::clone(world), PAUSE);
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
        self.add("8 callers of one that loops", 1, neighbour.finish().await);
        trials.take_out(looping.name);
    }

    fn add(&mut self, family: &'static str, components: usize, latencies: Latencies) {
        match self.beside.iter_mut().find(|(known, ..)| *known == family) {
            Some((_, _, known)) => known.extend(latencies),
            None => self.beside.push((family, components, latencies)),
        }
    }

    /// Requests of the neighbour's that were not answered well.
    pub fn failures(&self) -> impl Iterator<Item = &String> {
        let beside = self.beside.iter().flat_map(|(_, _, latencies)| &latencies.failures);
        self.alone.failures.iter().chain(&self.busy.failures).chain(beside)
    }
}

/// The neighbour, with no hostile plugin there.
async fn rest(world: &Arc<World>) -> Latencies {
    let neighbour = Neighbour::start(Arc::clone(world), PAUSE);
    tokio::time::sleep(LONG_ENOUGH).await;
    neighbour.finish().await
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
        let [alone, busy] = [&self.alone, &self.busy].map(|latencies| latencies.quantile(0.99).as_secs_f64());
        writeln!(
            f,
            "| beside | components | requests | failed | p50 | p99 | against alone | against beside that process |"
        )?;
        writeln!(f, "|---|---|---|---|---|---|---|---|")?;
        let controls =
            [("nothing", 0, &self.alone), ("nothing but a process of somebody else's that computes", 0, &self.busy)];
        let families = self.beside.iter().map(|(family, components, latencies)| (*family, *components, latencies));
        for (family, components, latencies) in controls.into_iter().chain(families) {
            let [p50, p99] = [0.5, 0.99].map(|share| latencies.quantile(share));
            let [to_alone, to_busy] = [alone, busy].map(|of| p99.as_secs_f64() / of.max(f64::MIN_POSITIVE));
            let (answered, failed) = (latencies.answered(), latencies.failures.len());
            let (p50, p99) = (ms(p50), ms(p99));
            writeln!(
                f,
                "| {family} | {components} | {answered} | {failed} | {p50} | {p99} | {to_alone:.1} | {to_busy:.1} |"
            )?;
        }
        Ok(())
    }
}
