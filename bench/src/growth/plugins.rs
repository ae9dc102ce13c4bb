//! Many plugins.

use std::error::Error;

use super::{GrowthOptions, decades};
use crate::cold::{millis, resident, restarted};
use crate::figures::{Spread, figure, shown};
use crate::load::Pace;
use crate::many;
use crate::outcome::{Goal, Outcome, Plot};
use crate::plot;
use crate::site::{AccessLog, Length, Site, load};
use crate::table::Table;

const CONNECTIONS: usize = 64;
const ACCOUNTS: usize = 256;

pub(super) async fn plugins(options: &GrowthOptions) -> Result<Outcome, Box<dyn Error>> {
    let mut table = Table::new([
        "plugins",
        "start, compiled before, ms",
        "resident after it, MiB",
        "requests a second",
        "CPU us a request",
    ]);
    let mut seen = Vec::new();
    for count in decades(10, options.most_plugins) {
        let folder = tempfile::tempdir()?;
        many::copies(count, folder.path())?;
        let source = folder.path().to_owned();
        let mut site = Site::start(ACCOUNTS, AccessLog::Written, None, move |options| options.plugins = source).await?;
        let (mut starts, mut memory) = (Vec::new(), Vec::new());
        for _ in 0..options.rounds {
            starts.push(millis(restarted(&mut site).await));
            memory.push(resident(site.world.server.pid()));
        }
        let length = Length::of(options.seconds);
        let (mut rates, mut costs) = (Vec::new(), Vec::new());
        for _ in 0..options.rounds {
            let (address, key) = (site.world.server.address(), site.world.api_key.as_str());
            let load = load(address, key, "q0000", ACCOUNTS, CONNECTIONS, length, Pace::Closed);
            let run = site.measure(load).await?.all_good("a plugin among many")?;
            rates.push(run.rate());
            costs.push(run.micros_a_request());
        }
        let spread = |figures: Vec<f64>| Spread::of(figures).ok_or("there were no rounds");
        let (start, memory, rate, cost) = (spread(starts)?, spread(memory)?, spread(rates)?, spread(costs)?);
        println!("{count} plugins: start {start} ms, {memory} MiB, {rate} a second");
        table.row([count.to_string(), start.to_string(), memory.to_string(), rate.to_string(), cost.to_string()]);
        seen.push((figure(u64::try_from(count)?), start.median, memory.median, rate.median));
    }
    let (Some(first), Some(last)) = (seen.first(), seen.last()) else { return Err("no plugins were loaded".into()) };
    let more = (last.0 - first.0).max(1.0);
    let points = seen.iter().map(|(count, _, _, rate)| (*count, *rate)).collect();
    Ok(Outcome {
        text: String::new(),
        goals: vec![
            Goal::at_most("start with compiled plugins, ms for each more", 2.0, (last.1 - first.1) / more),
            Goal::at_most("memory, MiB for each plugin more", 1.0, (last.2 - first.2) / more),
            Goal::at_least(
                &format!("rate with {} plugins, to that with {}", shown(last.0), shown(first.0)),
                0.8,
                last.3 / first.3,
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
