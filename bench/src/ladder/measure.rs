//! Measuring the rungs: each under the same load, one after the other, in several rounds.

use std::error::Error;

use clap::Args;
use keyferry_tests::binary;
use tempfile::TempDir;

use super::process::{RungSettings, start};
use super::step::Step;
use crate::bench_server::{AccessLog, BenchServer, Length, load};
use crate::figures::{Spread, shown};
use crate::load::{Pace, Run, measure};
use crate::pause::Paused;
use crate::plot;
use crate::prepare;
use crate::processor;
use crate::section::{Goal, Plot, Section};
use crate::server_process::ServerProcess;
use crate::table::Table;
use crate::wasmtime_serve;

#[derive(Args, Clone)]
pub(crate) struct LadderOptions {
    /// Rounds; each puts every rung under load once.
    #[arg(long = "ladder-rounds", id = "ladder_rounds", default_value_t = 7)]
    rounds: usize,
    /// Seconds that are counted of each load.
    #[arg(long = "ladder-seconds", id = "ladder_seconds", default_value_t = 4.0)]
    seconds: f64,
    /// Connections of the generator.
    #[arg(long, default_value_t = 64)]
    connections: usize,
}

/// A rung of the ladder.
enum Rung<'a> {
    Own(Step, ServerProcess),
    Server(&'static str, &'a BenchServer),
    /// A server beside the ladder, which does no part of the job.
    Beside(&'static str, ServerProcess),
}

impl Rung<'_> {
    fn title(&self) -> &'static str {
        match self {
            Self::Own(step, _) => step.title(),
            Self::Server(title, _) | Self::Beside(title, _) => title,
        }
    }

    fn pid(&self) -> u32 {
        match self {
            Self::Own(_, served) | Self::Beside(_, served) => served.pid(),
            Self::Server(_, site) => site.world.server.pid(),
        }
    }

    async fn run(
        &self,
        accounts: usize,
        api_key: &str,
        connections: usize,
        length: Length,
    ) -> Result<Run, Box<dyn Error>> {
        let of_process = async |served: &ServerProcess, slug: &str| {
            let load = load(served.address(), api_key, slug, accounts, connections, length, Pace::Closed);
            measure(load, || processor::used_by(served.pid())).await
        };
        let run = match self {
            Self::Own(step, served) => of_process(served, step.slug()).await?,
            Self::Beside(_, served) => of_process(served, Step::Hello.slug()).await?,
            Self::Server(_, site) => site.measure(site.load(connections, length, Pace::Closed)).await?,
        };
        run.all_good(self.title())
    }
}

pub(crate) async fn ladder(options: &LadderOptions, quick: bool) -> Result<Section, Box<dyn Error>> {
    let rounds = if quick { 2 } else { options.rounds };
    let length = Length::of(if quick { 1.0 } else { options.seconds });
    let accounts = options.connections * 4;
    let folder = TempDir::new()?;
    let plugins = folder.path().join("plugins");
    binary::copy(["stripe"], &plugins);
    std::fs::write(plugins.join("quiet.wasm"), prepare::quiet_plugin()?)?;
    let silent = BenchServer::start(accounts, AccessLog::Off, None, |_| ()).await?;
    let logging = BenchServer::start(accounts, AccessLog::Written, None, |_| ()).await?;
    let mut rungs = Vec::new();
    for step in Step::ALL {
        let settings = RungSettings {
            api_key: silent.world.api_key.clone(),
            ca: silent.world.folder().join("ca.pem"),
            resolve: silent.world.providers.resolve_flags(),
            plugins: plugins.clone(),
            data: folder.path().join(format!("{step:?}")),
            accounts,
        };
        rungs.push(Rung::Own(step, start(step, &settings)?));
    }
    rungs.push(Rung::Server("the whole server, its access log off", &silent));
    rungs.push(Rung::Server("the whole server as it is started by default", &logging));
    rungs
        .push(Rung::Beside("`wasmtime serve` with a component that says hello", wasmtime_serve::start(folder.path())?));

    let mut runs: Vec<Vec<Run>> = rungs.iter().map(|_| Vec::new()).collect();
    for round in 1..=rounds {
        for (rung, runs) in rungs.iter().zip(&mut runs) {
            let others: Vec<u32> = rungs.iter().map(Rung::pid).filter(|pid| *pid != rung.pid()).collect();
            let _paused = Paused::new(others)?;
            let run = rung.run(accounts, &silent.world.api_key, options.connections, length).await?;
            println!(
                "round {round} of {rounds}: {}: {} us, {} a second",
                rung.title(),
                shown(run.micros_a_request()),
                shown(run.rate())
            );
            runs.push(run);
        }
    }
    section(&rungs, &runs, options.connections, rounds, length)
}

/// The runs of a rung.
struct Measured<'a> {
    title: &'static str,
    runs: &'a [Run],
    micros: Vec<f64>,
}

impl<'a> Measured<'a> {
    fn new(rung: &Rung<'_>, runs: &'a [Run]) -> Self {
        Self { title: rung.title(), runs, micros: runs.iter().map(Run::micros_a_request).collect() }
    }

    fn spread(&self) -> Result<Spread, Box<dyn Error>> {
        Ok(Spread::of(self.micros.iter().copied()).ok_or("a rung was not measured")?)
    }

    fn rate(&self) -> Result<Spread, Box<dyn Error>> {
        Ok(Spread::of(self.runs.iter().map(Run::rate)).ok_or("a rung has no rate")?)
    }

    /// The ratio of this rung's processor time to the other's, in the same rounds.
    fn to(&self, other: &Self) -> Result<Spread, Box<dyn Error>> {
        Ok(Spread::of_ratios(&self.micros, &other.micros).ok_or("a rung has no figures")?)
    }
}

fn section(
    rungs: &[Rung<'_>],
    runs: &[Vec<Run>],
    connections: usize,
    rounds: usize,
    length: Length,
) -> Result<Section, Box<dyn Error>> {
    let (mut ladder, mut beside, mut sandbox) = (Vec::new(), Vec::new(), None);
    for (rung, runs) in rungs.iter().zip(runs) {
        match rung {
            Rung::Beside(..) => beside.push(Measured::new(rung, runs)),
            Rung::Own(Step::Sandbox, _) => {
                sandbox = Some(ladder.len());
                ladder.push(Measured::new(rung, runs));
            }
            Rung::Own(..) | Rung::Server(..) => ladder.push(Measured::new(rung, runs)),
        }
    }
    let (Some(hello), Some(whole)) = (ladder.first(), ladder.last()) else { return Err("no rung was measured".into()) };
    let sandbox = sandbox.and_then(|place| ladder.get(place)).ok_or("the sandbox was not measured")?;
    let mut table = Table::new([
        "rung",
        "CPU us a request",
        "more than the rung before",
        "hello's share of it",
        "requests a second",
    ]);
    let mut bars = Vec::new();
    let mut before: Option<f64> = None;
    for rung in &ladder {
        let (spread, share) = (rung.spread()?, hello.to(rung)?);
        let [median, low, high] = [share.median, share.low, share.high].map(|share| shown(share * 100.0));
        table.row([
            rung.title.to_owned(),
            spread.to_string(),
            before.map_or_else(|| "-".to_owned(), |before| shown(spread.median - before)),
            format!("{median} % ({low} to {high})"),
            rung.rate()?.to_string(),
        ]);
        before = Some(spread.median);
        bars.push((rung.title.to_owned(), spread));
    }
    let mut components =
        Table::new(["HTTP answered by a component", "CPU us a request", "to Keyferry's", "requests a second"]);
    for rung in [sandbox].into_iter().chain(&beside) {
        components.row([
            rung.title.to_owned(),
            rung.spread()?.to_string(),
            rung.to(sandbox)?.to_string(),
            rung.rate()?.to_string(),
        ]);
    }
    Ok(Section {
        text: format!(
            "Each rung is a server process of its own that does more of the job than the one before, put together from the \
             library's modules; the last two are the real `keyferry serve`. What counts is the server process' own time in user \
             code and in the system, from `/proc`; the generator of load ({connections} connections, closed loop) and the \
             provider's stand-in are other processes on the same processors, and are not counted. {rounds} rounds of {} s a rung, one \
             rung after the other and then all again, with the others standing still: medians, with the lowest and the highest in \
             brackets. In the same rounds, `wasmtime serve` {} as it is by default has a component answer the bytes that a good \
             migration is answered with (`bench/hello`), and does nothing else of the job: what it is put next to is the rung up to \
             the sandbox, where a request has a component's instance of its own, too.",
            shown(length.counted.as_secs_f64()),
            wasmtime_serve::VERSION,
        ),
        tables: vec![table, components],
        plots: vec![Plot {
            name: "ladder",
            title: "Processor time of a request, rung by rung",
            svg: plot::bars("CPU us a request", &bars),
        }],
        goals: vec![Goal::at_least(
            "whole job, as a share of hyper hello by processor time",
            0.25,
            hello.to(whole)?.median,
        )],
    })
}
