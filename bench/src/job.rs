//! The whole job: how much of it, how soon, and next to a server in Node.js with PostgreSQL.

use std::error::Error;

use clap::Args;

use crate::bench_server::{AccessLog, BenchServer, Length, load};
use crate::figures::{Spread, shown};
use crate::load::{Pace, Run, measure};
use crate::node::NodeServer;
use crate::pause::Paused;
use crate::plot;
use crate::section::{Goal, Plot, Section};
use crate::table::Table;

/// Connections of the closed loops.
const CONNECTIONS: [usize; 4] = [1, 16, 64, 256];
/// Those at which the two are compared, and capacity is taken.
const COMPARED: usize = 64;
/// Connections of the open loop: enough that a request seldom waits for one.
const OPEN: usize = 256;
/// Of the capacity; the last one is what is aimed at.
const OPEN_SHARES: [f64; 2] = [0.5, 0.7];
const ACCOUNTS: usize = 1024;

#[derive(Args, Clone)]
pub(crate) struct JobOptions {
    /// Rounds; each has every load once
    #[arg(long = "job-rounds", id = "job_rounds", default_value_t = 5)]
    rounds: usize,
    /// Seconds that are counted of each load
    #[arg(long = "job-seconds", id = "job_seconds", default_value_t = 4.0)]
    seconds: f64,
    /// Seconds that are counted of a load in open loop
    #[arg(long = "job-open-seconds", id = "job_open_seconds", default_value_t = 10.0)]
    open_seconds: f64,
}

/// All runs of one server.
#[derive(Default)]
struct Runs {
    /// By the number of connections.
    closed: Vec<Vec<Run>>,
    /// By the share of the capacity.
    open: Vec<Vec<Run>>,
}

impl Runs {
    fn at(&self, connections: usize) -> &[Run] {
        let place = CONNECTIONS.iter().position(|known| *known == connections).unwrap_or_default();
        self.closed.get(place).map_or(&[], Vec::as_slice)
    }
}

pub(crate) async fn job(options: &JobOptions, quick: bool) -> Result<Section, Box<dyn Error>> {
    let rounds = if quick { 1 } else { options.rounds };
    let length = Length::of(if quick { 1.0 } else { options.seconds });
    let open_length = Length::of(if quick { 3.0 } else { options.open_seconds });
    let site = BenchServer::start(ACCOUNTS, AccessLog::Written, None, |_| ()).await?;
    let node = NodeServer::start(&site.world)?;
    let (mut ours, mut theirs) = (Runs::default(), Runs::default());
    for runs in [&mut ours, &mut theirs] {
        runs.closed = CONNECTIONS.iter().map(|_| Vec::new()).collect();
        runs.open = OPEN_SHARES.iter().map(|_| Vec::new()).collect();
    }
    for round in 1..=rounds {
        for (place, connections) in CONNECTIONS.into_iter().enumerate() {
            let run = of_keyferry(&site, &node, connections, length, Pace::Closed).await?.all_good("keyferry")?;
            note(&mut ours.closed, place, &format!("round {round}: keyferry, {connections} connections"), run);
            let run =
                of_node(&site, &node, connections, length, Pace::Closed).await?.all_good("the server in Node.js")?;
            note(&mut theirs.closed, place, &format!("round {round}: node, {connections} connections"), run);
        }
        let capacity = |runs: &Runs| runs.at(COMPARED).last().map_or(1.0, Run::rate);
        let (our_capacity, their_capacity) = (capacity(&ours), capacity(&theirs));
        for (place, share) in OPEN_SHARES.into_iter().enumerate() {
            let pace = Pace::Open { per_second: our_capacity * share };
            let run = of_keyferry(&site, &node, OPEN, open_length, pace).await?;
            note(&mut ours.open, place, &format!("round {round}: keyferry, open loop, {share} of capacity"), run);
            let pace = Pace::Open { per_second: their_capacity * share };
            let run = of_node(&site, &node, OPEN, open_length, pace).await?;
            note(&mut theirs.open, place, &format!("round {round}: node, open loop, {share} of capacity"), run);
        }
    }
    section(&ours, &theirs, rounds, length, open_length)
}

/// With the other one standing still, as long as it takes.
async fn of_keyferry(
    site: &BenchServer,
    node: &NodeServer,
    connections: usize,
    length: Length,
    pace: Pace,
) -> Result<Run, Box<dyn Error>> {
    let _paused = node.paused()?;
    site.measure(site.load(connections, length, pace)).await
}

/// With the other one standing still, as long as it takes.
async fn of_node(
    site: &BenchServer,
    node: &NodeServer,
    connections: usize,
    length: Length,
    pace: Pace,
) -> Result<Run, Box<dyn Error>> {
    let _paused = Paused::new([site.world.server.pid()])?;
    let load = load(node.address(), &site.world.api_key, "stripe", site.accounts, connections, length, pace);
    measure(load, || node.processor()).await
}

/// Says what a load came to, and keeps it with those of its kind.
fn note(kinds: &mut [Vec<Run>], place: usize, what: &str, run: Run) {
    let latency = run.told.latency;
    println!(
        "{what}: {} a second, {} us CPU, p50 {} p99 {} us",
        shown(run.rate()),
        shown(run.micros_a_request()),
        shown(latency.p50),
        shown(latency.p99)
    );
    if let Some(runs) = kinds.get_mut(place) {
        runs.push(run);
    }
}

fn spread(runs: &[Run], figure: impl Fn(&Run) -> f64) -> Result<Spread, Box<dyn Error>> {
    Ok(Spread::of(runs.iter().map(figure)).ok_or("a load was not measured")?)
}

fn section(ours: &Runs, theirs: &Runs, rounds: usize, length: Length, open: Length) -> Result<Section, Box<dyn Error>> {
    let mut closed =
        Table::new(["closed loop", "connections", "requests a second", "CPU us a request", "p50 ms", "p99 ms"]);
    let mut lines = Vec::new();
    let servers = [("keyferry", ours), ("Node.js and PostgreSQL", theirs)];
    for (name, runs) in servers {
        let mut points = Vec::new();
        for connections in CONNECTIONS {
            let of = runs.at(connections);
            let rate = spread(of, Run::rate)?;
            closed.row([
                name.to_owned(),
                connections.to_string(),
                rate.to_string(),
                spread(of, Run::micros_a_request)?.to_string(),
                spread(of, |run| run.told.latency.p50 / 1e3)?.to_string(),
                spread(of, |run| run.told.latency.p99 / 1e3)?.to_string(),
            ]);
            points.push((f64::from(u32::try_from(connections)?), rate.median));
        }
        lines.push((name.to_owned(), points));
    }
    let mut opened = Table::new([
        "open loop",
        "of capacity",
        "requests a second",
        "p50 ms",
        "p99 ms",
        "p99.9 ms",
        "p99 / p50",
        "not answered",
        "CPU us a request",
        "all processors busy",
    ]);
    let tail = |run: &Run| run.told.latency.p99 / run.told.latency.p50.max(1.0);
    for (name, runs) in servers {
        for (share, runs) in OPEN_SHARES.into_iter().zip(&runs.open) {
            opened.row([
                name.to_owned(),
                format!("{} %", shown(share * 100.0)),
                spread(runs, Run::rate)?.to_string(),
                spread(runs, |run| run.told.latency.p50 / 1e3)?.to_string(),
                spread(runs, |run| run.told.latency.p99 / 1e3)?.to_string(),
                spread(runs, |run| run.told.latency.p999 / 1e3)?.to_string(),
                spread(runs, tail)?.to_string(),
                runs.iter().map(|run| run.told.bad() + run.told.unanswered).sum::<u64>().to_string(),
                spread(runs, Run::micros_a_request)?.to_string(),
                format!("{} %", spread(runs, |run| run.busy * 100.0)?),
            ]);
        }
    }
    let figures = |runs: &Runs, figure: fn(&Run) -> f64| runs.at(COMPARED).iter().map(figure).collect::<Vec<_>>();
    let ratio = |figure: fn(&Run) -> f64| {
        Spread::of_ratios(&figures(ours, figure), &figures(theirs, figure)).ok_or("there are no ratios")
    };
    let (by_processor, by_rate) = (ratio(Run::per_processor_second)?, ratio(Run::rate)?);
    let mut ratios = Table::new(["keyferry to Node.js and PostgreSQL, 64 connections", "ratio"]);
    ratios.row(["requests in a second of processor time".to_owned(), by_processor.to_string()]);
    ratios.row(["requests a second".to_owned(), by_rate.to_string()]);
    Ok(Section {
        text: format!(
            "`PUT /api/v2/public/migrate-token` on the real server as it is started by default, its plugin for Stripe, the provider's \
             stand-in over TLS on loopback; next to it a plain server in Node.js that does the same job the usual way (`bench/node`: \
             ajv, an HTTPS agent that keeps connections, AES-256-GCM, one row a request in PostgreSQL 15 with `fsync` and \
             `synchronous_commit` on), which is spared an audit trail and the look-up of its API key. Generator and provider share \
             the processors with either and are not counted; of the one in Node.js its process and all of PostgreSQL's are. {rounds} \
             rounds of {} s a load, in turns, the one that is not measured standing still. The open loop has a fixed rate, a share of \
             what the same round's closed loop with {COMPARED} connections did, for {} s; latencies count from when a request was \
             due.",
            shown(length.counted.as_secs_f64()),
            shown(open.counted.as_secs_f64()),
        ),
        tables: vec![closed, opened, ratios],
        plots: vec![Plot {
            name: "job",
            title: "Requests a second by connections",
            svg: plot::line("connections", "requests a second", &lines),
        }],
        goals: vec![
            Goal::at_least("whole job to Node.js and PostgreSQL, by processor time", 10.0, by_processor.median),
            Goal::at_most(
                "p99 to p50 in open loop at 70 % of capacity",
                5.0,
                spread(ours.open.last().map_or(&[], Vec::as_slice), tail)?.median,
            ),
        ],
    })
}
