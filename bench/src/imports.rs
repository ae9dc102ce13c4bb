//! The rate of a large import, and the latency of requests beside one.

use std::error::Error;
use std::time::Instant;

use clap::Args;
use keyferry_tests::World;
use keyferry_tests::bulk::{self, Times};

use crate::cold::millis;
use crate::figures::{Spread, figure, shown};
use crate::section::{Goal, Section};
use crate::table::Table;

/// Rows a second of an import of a million rows by an earlier version of the store, on a machine with two cores
/// (`tests/RELIABILITY.md`).
const FORMER: f64 = 3163.0;
const SEED: u64 = 1;

#[derive(Args, Clone)]
pub(crate) struct ImportsOptions {
    /// Rows of the import whose speed is measured
    #[arg(long = "import-rows", id = "import_rows", default_value_t = 200_000)]
    rows: u64,
    /// Rows of an import beside which requests are sent
    #[arg(long = "beside-rows", id = "beside_rows", default_value_t = 50_000)]
    beside_rows: u64,
    /// How often requests are sent alone and beside one, in turns
    #[arg(long = "import-rounds", id = "import_rounds", default_value_t = 5)]
    rounds: u64,
}

pub(crate) async fn imports(options: &ImportsOptions, quick: bool) -> Result<Section, Box<dyn Error>> {
    let mut options = options.clone();
    if quick {
        options = ImportsOptions { rows: 2_000, beside_rows: 2_000, rounds: 1 };
    }
    let (world, credentials) = bulk::start().await;
    let file = |name: &str| world.folder().join(format!("{name}.ndjson"));
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    for round in 1..=options.rounds {
        let before = bulk::alone(&world, &credentials).await?;
        let (name, path) = (format!("round_{round}"), file("beside"));
        bulk::generate(&path, &name, options.beside_rows, &credentials, SEED + round)?;
        let (meanwhile, ended) = bulk::beside(&world, &credentials, bulk::run(&world, &path)).await?;
        ended?;
        let [p99, p99_beside] = [&before, &meanwhile].map(|times| shown(millis(times.percentile(99))));
        println!("round {round}: p99 {p99} ms alone, {p99_beside} ms beside an import");
        alone.push(before);
        beside.push(meanwhile);
    }
    bulk::generate(&file("rows"), "customer", options.rows, &credentials, SEED)?;
    let rate = rate(&world, &file("rows"), options.rows).await?;
    println!("{} rows a second", shown(rate));
    section(&options, rate, &alone, &beside)
}

/// Rows a second, from the moment at which the whole file has been received.
async fn rate(world: &World, file: &std::path::Path, rows: u64) -> Result<f64, Box<dyn Error>> {
    let import = bulk::upload(world, file).await?;
    let began = Instant::now();
    bulk::ended(world, &import).await?;
    Ok(figure(rows) / began.elapsed().as_secs_f64().max(1e-9))
}

fn section(options: &ImportsOptions, rate: f64, alone: &[Times], beside: &[Times]) -> Result<Section, Box<dyn Error>> {
    let figures = |times: &[Times], percent| -> Vec<f64> {
        times.iter().map(|times| millis(times.percentile(percent))).collect()
    };
    let mut table = Table::new(["requests at a steady rate", "alone, ms", "beside an import, ms", "ratio"]);
    let mut tail = None;
    for percent in [50, 99] {
        let (alone, beside) = (figures(alone, percent), figures(beside, percent));
        let ratio = Spread::of_ratios(&beside, &alone).ok_or("there were no rounds")?;
        let spread = |figures: Vec<f64>| Spread::of(figures).ok_or("there were no rounds");
        table.row([format!("p{percent}"), spread(alone)?.to_string(), spread(beside)?.to_string(), ratio.to_string()]);
        tail = Some(ratio.median);
    }
    let mut speed = Table::new(["rows", "rows a second", "to the former figure"]);
    speed.row([options.rows.to_string(), shown(rate), shown(rate / FORMER)]);
    Ok(Section {
        text: format!(
            "Files with rows for every auth type of 16 apps, a tenth of them bad, with every kind of defect; server \
             and mock providers share the processors. {} rounds of 40 requests a second of 8 clients, alone for 20 s \
             and beside an import of {} rows that is received and processed, in turns; times count from when a request \
             was due. Then an import of {} rows without other requests, from when the whole file has been received. \
             The former figure is {} rows a second of a million rows, measured by `keyferry-tests import` on a machine \
             with two cores.",
            options.rounds,
            options.beside_rows,
            options.rows,
            shown(FORMER),
        ),
        tables: vec![speed, table],
        plots: Vec::new(),
        goals: vec![
            Goal::at_least(&format!("rows a second, to the former figure of {}", shown(FORMER)), 2.0, rate / FORMER),
            Goal::at_most("p99 of a request beside an import, to that alone", 2.0, tail.unwrap_or(f64::NAN)),
        ],
    })
}
