//! Measurements with many stored credentials.

use std::error::Error;
use std::time::Instant;

use super::fill::fill;
use super::options::{GrowthOptions, decades};
use crate::bench_server::{AccessLog, BenchServer, Length};
use crate::cold::{file_mib, resident, restarted};
use crate::figures::{Spread, figure, shown};
use crate::load::Pace;
use crate::plot;
use crate::section::{Goal, Plot, Section};
use crate::table::Table;

const CONNECTIONS: usize = 64;
const ACCOUNTS: usize = 1024;

/// The measurements with one number of credentials.
struct Seen {
    count: f64,
    rate: f64,
    /// Seconds of a start that reads the writes since the store was last opened.
    first_start: f64,
    /// Seconds of the next start.
    start: f64,
    /// Resident MiB.
    memory: f64,
}

pub(super) async fn credentials(options: &GrowthOptions) -> Result<Section, Box<dyn Error>> {
    let mut site = BenchServer::start(ACCOUNTS, AccessLog::Written, None, |_| ()).await?;
    let mut table = Table::new([
        "credentials stored",
        "made a second, by the library",
        "start after SIGKILL, s",
        "once more, s",
        "requests a second",
        "CPU us a request",
        "resident after the load, MiB",
        "on disk, MiB",
    ]);
    let (mut stored, mut seen) = (0, Vec::new());
    for count in decades(10_000, options.most_credentials) {
        site.world.server.kill();
        let began = Instant::now();
        fill(site.world.data().join("store"), stored..count)?;
        let filled = figure(u64::try_from(count - stored)?) / began.elapsed().as_secs_f64();
        stored = count;
        // The first start reads all writes since the store was last opened; the second one reads next to nothing.
        let first_start = restarted(&mut site).await.as_secs_f64();
        let start = restarted(&mut site).await.as_secs_f64();
        let length = Length::of(options.seconds);
        let (mut rates, mut costs) = (Vec::new(), Vec::new());
        for _ in 0..options.rounds {
            let run = site
                .measure(site.load(CONNECTIONS, length, Pace::Closed))
                .await?
                .all_good("beside many credentials")?;
            rates.push(run.rate());
            costs.push(run.micros_a_request());
        }
        let rate = Spread::of(rates).ok_or("there were no rounds")?;
        let cost = Spread::of(costs).ok_or("there were no rounds")?;
        let memory = resident(site.world.server.pid());
        println!(
            "{count} credentials: start {} s, {} s, {rate} a second, {} MiB",
            shown(first_start),
            shown(start),
            shown(memory)
        );
        let disk = file_mib(&site.world.data().join("store/db"))?;
        table.row([
            count.to_string(),
            shown(filled),
            shown(first_start),
            shown(start),
            rate.to_string(),
            cost.to_string(),
            shown(memory),
            shown(disk),
        ]);
        seen.push(Seen { count: figure(u64::try_from(count)?), rate: rate.median, first_start, start, memory });
    }
    let (Some(first), Some(last)) = (seen.first(), seen.last()) else {
        return Err("no credentials were stored".into());
    };
    Ok(Section {
        text: "The whole server with many stored credentials. Between two rows, a separate process puts credentials \
               into the store with the store's library, and is killed when all of them are durable. The first start \
               therefore reads all new records; the second start finds only the writes of the first. Both follow a \
               SIGKILL and end when `/readyz` responds with 200, polled every 20 ms; rates are those of a closed loop \
               with 64 connections."
            .to_owned(),
        goals: vec![
            Goal::at_least(
                &format!("rate with {} credentials, to that with {}", shown(last.count), shown(first.count)),
                0.8,
                last.rate / first.rate,
            ),
            Goal::at_most(&format!("start with {} credentials, s", shown(last.count)), 5.0, last.start),
            Goal::at_most(
                &format!(
                    "start with {} credentials of which nine in ten were written since the last one, s",
                    shown(last.count)
                ),
                10.0,
                last.first_start,
            ),
            Goal::at_most(&format!("resident with {} credentials, MiB", shown(last.count)), 500.0, last.memory),
        ],
        tables: vec![table],
        plots: vec![Plot {
            name: "credentials",
            title: "Requests a second by credentials stored",
            svg: plot::line(
                "credentials",
                "requests a second",
                &[("rate".to_owned(), seen.iter().map(|seen| (seen.count, seen.rate)).collect())],
            ),
        }],
    })
}
