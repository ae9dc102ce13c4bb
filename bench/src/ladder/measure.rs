//! Measuring the rungs: each under the same load, one after the other, in several rounds.

use std::error::Error;

use clap::Args;
use keyferry_mock_providers::apps::demo::STRIPE_HOST;
use keyferry_tests::binary;
use tempfile::TempDir;

use super::process::{RungSettings, start};
use super::report::{Kind, Measured, section};
use super::step::Step;
use crate::bench_server::{AccessLog, BenchServer, Length, load};
use crate::figures::shown;
use crate::floor::{self, Floor, FloorSettings};
use crate::load::{Pace, Run, measure};
use crate::pause::Paused;
use crate::prepare;
use crate::section::Section;
use crate::server_process::ServerProcess;
use crate::usage::Used;
use crate::wasmtime_serve;

#[derive(Args, Clone)]
pub(crate) struct LadderOptions {
    /// Rounds; each puts every rung under load once.
    #[arg(long = "ladder-rounds", id = "ladder_rounds", default_value_t = 7)]
    rounds: usize,
    /// Seconds that each load is counted
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
    /// The job in the simplest way.
    Floor(Floor, ServerProcess),
    /// A server beside the ladder, which does not do the job.
    Beside(&'static str, ServerProcess),
}

impl Rung<'_> {
    fn title(&self) -> &'static str {
        match self {
            Self::Own(step, _) => step.title(),
            Self::Floor(floor, _) => floor.title(),
            Self::Server(title, _) | Self::Beside(title, _) => title,
        }
    }

    fn pid(&self) -> u32 {
        match self {
            Self::Own(_, served) | Self::Floor(_, served) | Self::Beside(_, served) => served.pid(),
            Self::Server(_, site) => site.world.server.pid(),
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Own(step, _) => Kind::Own(*step),
            Self::Server(..) => Kind::Server,
            Self::Floor(floor, _) => Kind::Floor(*floor),
            Self::Beside(..) => Kind::Beside,
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
            measure(load, || Used::by(served.pid())).await
        };
        let run = match self {
            Self::Own(step, served) => of_process(served, step.slug()).await?,
            Self::Floor(_, served) | Self::Beside(_, served) => of_process(served, Step::Hello.slug()).await?,
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
    for kind in Floor::ALL {
        let settings = FloorSettings {
            api_key: silent.world.api_key.clone(),
            ca: silent.world.folder().join("ca.pem"),
            provider: silent.world.providers.address_of(STRIPE_HOST).ok_or("there is no provider")?,
            data: folder.path().join(format!("floor-{kind:?}")),
        };
        rungs.push(Rung::Floor(kind, floor::start(kind, &settings, &[])?));
    }
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
    let measured = rungs.iter().zip(runs).map(|(rung, runs)| Measured::new(rung.kind(), rung.title(), runs)).collect();
    section(measured, options.connections, rounds, length)
}
