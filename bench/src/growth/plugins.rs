//! Measurements with many loaded plugins.

use std::error::Error;

use tempfile::TempDir;

use super::options::{GrowthOptions, decades};
use crate::bench_server::{AccessLog, BenchServer, Length, load};
use crate::cold::{millis, resident, restarted};
use crate::figures::{Spread, figure, shown};
use crate::load::Pace;
use crate::pause::Paused;
use crate::plot;
use crate::plugin_copies;
use crate::section::{Goal, Plot, Section};
use crate::table::Table;

const CONNECTIONS: usize = 64;
const ACCOUNTS: usize = 256;

/// A server with `count` plugins, and its measurements.
struct Many {
    count: usize,
    site: BenchServer,
    starts: Vec<f64>,
    memory: Vec<f64>,
    rates: Vec<f64>,
    costs: Vec<f64>,
    _folder: TempDir,
}

impl Many {
    async fn start(count: usize) -> Result<Self, Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        plugin_copies::copies(count, folder.path())?;
        let source = folder.path().to_owned();
        let site =
            BenchServer::start(ACCOUNTS, AccessLog::Written, None, move |options| options.plugins = source).await?;
        let (starts, memory, rates, costs) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Ok(Self { count, site, starts, memory, rates, costs, _folder: folder })
    }

    async fn restart(&mut self) {
        self.starts.push(millis(restarted(&mut self.site).await));
        self.memory.push(resident(self.site.world.server.pid()));
    }

    async fn load(&mut self, length: Length) -> Result<(), Box<dyn Error>> {
        let (address, key) = (self.site.world.server.address(), self.site.world.api_key.as_str());
        let load = load(address, key, "q0000", ACCOUNTS, CONNECTIONS, length, Pace::Closed);
        let run = self.site.measure(load).await?.all_good("a plugin among many")?;
        self.rates.push(run.rate());
        self.costs.push(run.micros_a_request());
        Ok(())
    }
}

pub(super) async fn plugins(options: &GrowthOptions) -> Result<Section, Box<dyn Error>> {
    let mut table = Table::new([
        "plugins",
        "start, compiled before, ms",
        "resident after it, MiB",
        "requests a second",
        "CPU us a request",
    ]);
    let mut servers = Vec::new();
    for count in decades(10, options.most_plugins) {
        servers.push(Many::start(count).await?);
    }
    for _ in 0..options.rounds {
        for server in &mut servers {
            server.restart().await;
        }
    }
    // In turns, so that drift of the machine affects both.
    let pids: Vec<u32> = servers.iter().map(|server| server.site.world.server.pid()).collect();
    for _ in 0..options.rounds {
        for server in &mut servers {
            let own = server.site.world.server.pid();
            let _paused = Paused::new(pids.iter().copied().filter(|pid| *pid != own))?;
            server.load(Length::of(options.seconds)).await?;
        }
    }
    let (Some(first), Some(last)) = (servers.first(), servers.last()) else {
        return Err("no plugins were loaded".into());
    };
    let kept = Spread::of_ratios(&last.rates, &first.rates).ok_or("there were no rounds")?;
    let mut seen = Vec::new();
    for Many { count, starts, memory, rates, costs, .. } in servers {
        let spread = |figures: Vec<f64>| Spread::of(figures).ok_or("there were no rounds");
        let (start, memory, rate, cost) = (spread(starts)?, spread(memory)?, spread(rates)?, spread(costs)?);
        println!("{count} plugins: start {start} ms, {memory} MiB, {rate} a second");
        table.row([count.to_string(), start.to_string(), memory.to_string(), rate.to_string(), cost.to_string()]);
        seen.push((figure(u64::try_from(count)?), start.median, memory.median, rate.median));
    }
    let (Some(first), Some(last)) = (seen.first(), seen.last()) else { return Err("no plugins were loaded".into()) };
    let more = (last.0 - first.0).max(1.0);
    let points = seen.iter().map(|(count, _, _, rate)| (*count, *rate)).collect();
    Ok(Section {
        text: String::new(),
        goals: vec![
            Goal::at_most("start with compiled plugins, ms for each more", 2.0, (last.1 - first.1) / more),
            Goal::at_most("memory, MiB for each plugin more", 1.0, (last.2 - first.2) / more),
            Goal::at_least(
                &format!("rate with {} plugins, to that with {}", shown(last.0), shown(first.0)),
                0.8,
                kept.median,
            ),
        ],
        tables: vec![table],
        plots: vec![Plot {
            name: "plugins",
            title: "Requests a second by plugins loaded",
            svg: plot::line("plugins", "requests a second", &[("rate".to_owned(), points)]),
        }],
    })
}
