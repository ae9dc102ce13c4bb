//! Measurements with many connections, and with many verifications that wait for a provider.

use std::error::Error;
use std::time::Duration;

use keyferry_mock_providers::MockProviders;
use keyferry_mock_providers::apps::demo::{STRIPE_HOST, stripe_state};
use keyferry_mock_providers::apps::stripe;

use super::options::GrowthOptions;
use crate::bench_server::{AccessLog, BenchServer, Length};
use crate::cold::resident;
use crate::figures::{figure, shown};
use crate::load::Pace;
use crate::plot;
use crate::section::{Goal, Plot, Section};
use crate::table::Table;

/// The delay of the slow provider.
const SLOW: Duration = Duration::from_millis(200);
const MOST_CONNECTIONS: usize = 4096;

pub(super) async fn connections(options: &GrowthOptions) -> Result<Section, Box<dyn Error>> {
    let site = BenchServer::start(MOST_CONNECTIONS, AccessLog::Written, None, |_| ()).await?;
    ramp("connections", &site, &[1, 16, 64, 256, 1024, MOST_CONNECTIONS], options).await
}

pub(super) async fn verifications(options: &GrowthOptions) -> Result<Section, Box<dyn Error>> {
    let mut providers = MockProviders::start().await?;
    let handler = stripe(stripe_state());
    let slow = move |request| {
        let mut reply = handler(request);
        reply.delay = SLOW;
        reply
    };
    providers.add(STRIPE_HOST, slow).await?;
    let site = BenchServer::start(2048, AccessLog::Written, Some(providers), |_| ()).await?;
    ramp("concurrent verifications, provider responds after 200 ms", &site, &[1, 16, 64, 256, 1024, 2000], options)
        .await
}

async fn ramp(
    what: &str,
    site: &BenchServer,
    counts: &[usize],
    options: &GrowthOptions,
) -> Result<Section, Box<dyn Error>> {
    // Requests wait in the queue for seconds: counting starts when it is full, and lasts until all of it has been
    // replaced.
    let length = Length { warm_up: Duration::from_secs(4), counted: Duration::from_secs_f64(options.seconds.max(6.0)) };
    let mut table = Table::new([
        what,
        "done a second",
        "p50 ms",
        "p99 ms",
        "503 with Retry-After a second",
        "otherwise bad",
        "resident, MiB",
    ]);
    let (mut points, mut bad) = (Vec::new(), 0);
    let (most, heeding) = (counts.last().copied(), Pace::Heeding);
    let loads = counts.iter().map(|count| (*count, heeding)).chain(most.map(|most| (most, Pace::Closed)));
    for (count, pace) in loads {
        let run = site.measure(site.load(count, length, pace)).await?;
        let (rate, latency) = (run.rate(), run.told.latency);
        let other = run.told.bad().saturating_sub(run.told.said_when);
        bad += other;
        println!("{count} {what}: {} a second, {} turned away", shown(rate), run.told.said_when);
        table.row([
            if pace == heeding { count.to_string() } else { format!("{count}, repeated at once") },
            shown(rate),
            shown(latency.p50 / 1e3),
            shown(latency.p99 / 1e3),
            shown(figure(run.told.said_when) / run.told.seconds),
            other.to_string(),
            shown(resident(site.world.server.pid())),
        ]);
        if pace == heeding {
            points.push((figure(u64::try_from(count)?), rate));
        }
    }
    let best = points.iter().map(|(_, rate)| *rate).fold(1e-9, f64::max);
    let last = points.last().map_or(0.0, |(_, rate)| *rate);
    let name = if what == "connections" { "connections" } else { "verifications" };
    Ok(Section {
        text: String::new(),
        goals: vec![
            Goal::at_least(&format!("rate with most {name}, to the best rate"), 0.8, last / best),
            Goal::at_most(
                &format!("responses with many {name} that are neither 200 nor 503 with Retry-After"),
                0.0,
                figure(bad),
            ),
        ],
        tables: vec![table],
        plots: vec![Plot {
            name,
            title: "Done a second",
            svg: plot::line(what, "done a second", &[("rate".to_owned(), points)]),
        }],
    })
}
