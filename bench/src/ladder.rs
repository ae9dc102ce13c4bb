//! What each part of the job costs: rungs as processes of their own, under the same load, one after the other and again.

use std::error::Error;

use clap::Args;
use keyferry_tests::binary;
use tempfile::TempDir;

use crate::figures::{Spread, shown};
use crate::load::{Pace, Run, measure};
use crate::outcome::{Goal, Outcome, Plot};
use crate::plot;
use crate::prepare;
use crate::processor;
use crate::rung::{RungProcess, Setting, Step};
use crate::site::{AccessLog, Length, Site, load};
use crate::table::Table;

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

/// A rung and what it is called.
enum Rung<'a> {
    Own(Step, RungProcess),
    Server(&'static str, &'a Site),
}

impl Rung<'_> {
    fn title(&self) -> &'static str {
        match self {
            Self::Own(step, _) => step.title(),
            Self::Server(title, _) => title,
        }
    }

    async fn run(
        &self,
        accounts: usize,
        api_key: &str,
        connections: usize,
        length: Length,
    ) -> Result<Run, Box<dyn Error>> {
        let run = match self {
            Self::Own(step, process) => {
                let pid = process.pid();
                let load = load(process.address(), api_key, step.slug(), accounts, connections, length, Pace::Closed);
                measure(load, || processor::used_by(pid)).await?
            }
            Self::Server(_, site) => site.measure(site.load(connections, length, Pace::Closed)).await?,
        };
        run.all_good(self.title())
    }
}

pub(crate) async fn ladder(options: &LadderOptions, quick: bool) -> Result<Outcome, Box<dyn Error>> {
    let rounds = if quick { 2 } else { options.rounds };
    let length = Length::of(if quick { 1.0 } else { options.seconds });
    let accounts = options.connections * 4;
    let folder = TempDir::new()?;
    let plugins = folder.path().join("plugins");
    binary::copy(["stripe"], &plugins);
    std::fs::write(plugins.join("quiet.wasm"), prepare::quiet_plugin()?)?;
    let silent = Site::start(accounts, AccessLog::Off, None, |_| ()).await?;
    let logging = Site::start(accounts, AccessLog::Written, None, |_| ()).await?;
    let mut rungs = Vec::new();
    for step in Step::ALL {
        let setting = Setting {
            api_key: silent.world.api_key.clone(),
            ca: silent.world.folder().join("ca.pem"),
            resolve: silent.world.providers.resolve_flags(),
            plugins: plugins.clone(),
            data: folder.path().join(format!("{step:?}")),
            accounts,
        };
        rungs.push(Rung::Own(step, RungProcess::start(step, &setting)?));
    }
    rungs.push(Rung::Server("the whole server, its access log off", &silent));
    rungs.push(Rung::Server("the whole server as it is started by default", &logging));

    let mut runs: Vec<Vec<Run>> = rungs.iter().map(|_| Vec::new()).collect();
    for round in 1..=rounds {
        for (rung, runs) in rungs.iter().zip(&mut runs) {
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
    outcome(&rungs, &runs, options.connections, rounds, length)
}

fn outcome(
    rungs: &[Rung<'_>],
    runs: &[Vec<Run>],
    connections: usize,
    rounds: usize,
    length: Length,
) -> Result<Outcome, Box<dyn Error>> {
    let micros: Vec<Vec<f64>> = runs.iter().map(|runs| runs.iter().map(Run::micros_a_request).collect()).collect();
    let hello = micros.first().ok_or("no rung was measured")?;
    let mut table = Table::new([
        "rung",
        "CPU us a request",
        "more than the rung before",
        "hello's share of it",
        "requests a second",
    ]);
    let mut bars = Vec::new();
    let mut before: Option<f64> = None;
    let mut whole = None;
    for ((rung, runs), micros) in rungs.iter().zip(runs).zip(&micros) {
        let spread = Spread::of(micros.iter().copied()).ok_or("a rung was not measured")?;
        let share = Spread::of_ratios(hello, micros).ok_or("a rung has no figures")?;
        let rate = Spread::of(runs.iter().map(Run::rate)).ok_or("a rung has no rate")?;
        table.row([
            rung.title().to_owned(),
            spread.to_string(),
            before.map_or_else(|| "-".to_owned(), |before| shown(spread.median - before)),
            format!(
                "{} % ({} to {})",
                shown(share.median * 100.0),
                shown(share.low * 100.0),
                shown(share.high * 100.0)
            ),
            rate.to_string(),
        ]);
        bars.push((rung.title().to_owned(), spread));
        before = Some(spread.median);
        whole = Some(share.median);
    }
    let whole = whole.ok_or("no rung was measured")?;
    Ok(Outcome {
        text: format!(
            "Each rung is a server process of its own that does more of the job than the one before, put together from the \
             library's modules; the last two are the real `keyferry serve`. What counts is the server process' own time in user \
             code and in the system, from `/proc`; the generator of load ({connections} connections, closed loop) and the \
             provider's stand-in are other processes on the same processors, and are not counted. {rounds} rounds of {} s a rung, one \
             rung after the other and then all again: medians, with the lowest and the highest in brackets.",
            shown(length.counted.as_secs_f64())
        ),
        tables: vec![table],
        plots: vec![Plot {
            name: "ladder",
            title: "Processor time of a request, rung by rung",
            svg: plot::bars("CPU us a request", &bars),
        }],
        goals: vec![Goal::at_least("whole job, as a share of hyper hello by processor time", 0.25, whole)],
    })
}
