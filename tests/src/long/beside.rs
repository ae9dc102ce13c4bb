//! The effect of an import on the latency of requests.

use std::error::Error;
use std::time::Duration;

use clap::Args;
use keyferry_tests::bulk::{self, Times, generate, run, start};

#[derive(Args)]
pub(crate) struct Beside {
    /// Rows of the import beside which requests are sent
    #[arg(long = "beside-rows", id = "beside_rows", default_value_t = 16_000)]
    rows: u64,
    /// How often requests are sent alone and beside one, in turns
    #[arg(long = "beside-rounds", id = "beside_rounds", default_value_t = 5)]
    rounds: u64,
}

/// Sends requests alone and beside an import, in turns, so that a stall of the disk affects both.
pub(crate) async fn beside(options: &Beside, seed: u64) -> Result<String, Box<dyn Error>> {
    let (world, credentials) = start().await;
    let mut rounds = Vec::new();
    for round in 1..=options.rounds {
        let alone = bulk::alone(&world, &credentials).await?;
        let path = world.folder().join(format!("rows_{round}.ndjson"));
        generate(&path, &format!("round_{round}"), options.rows, &credentials, seed.wrapping_add(round))?;
        let (beside, ended) = bulk::beside(&world, &credentials, run(&world, &path)).await?;
        ended?;
        let shown = |times: &Times| format!("{:.1?} and {:.1?}", times.percentile(50), times.percentile(99));
        println!("round {round}: p50 and p99 {} alone, {} beside an import", shown(&alone), shown(&beside));
        rounds.push((alone, beside));
    }
    let ratio = |percent| {
        let of = |times: &Times| times.percentile(percent).as_secs_f64();
        let mut ratios: Vec<f64> = rounds.iter().map(|(alone, beside)| of(beside) / of(alone)).collect();
        ratios.sort_by(f64::total_cmp);
        let bound = |ratio: Option<&f64>| ratio.copied().unwrap_or_default();
        format!(
            "{:.1} ({:.1} to {:.1})",
            bound(ratios.get(ratios.len() / 2)),
            bound(ratios.first()),
            bound(ratios.last())
        )
    };
    let list = |figure: &dyn Fn(&(Times, Times)) -> Duration| {
        let figures = rounds.iter().map(|round| format!("{:.1?}", figure(round)));
        figures.collect::<Vec<_>>().join(", ")
    };
    let count = |figure: &dyn Fn(&(Times, Times)) -> usize| rounds.iter().map(figure).sum::<usize>();
    Ok(format!(
        "40 requests a second of 8 clients, the same as in a large import's rows, alone and beside an import of {} \
         rows \
         that is received and processed, in turns; {} and {} of them. Times count from when a request was due.\n\n\
         | | alone, by round | beside, by round | beside against alone, median (lowest to highest) |\n|---|---|---|---|\n\
         | p50 | {} | {} | {} |\n\
         | p99 | {} | {} | {} |\n",
        options.rows,
        count(&|(alone, _)| alone.count()),
        count(&|(_, beside)| beside.count()),
        list(&|(alone, _)| alone.percentile(50)),
        list(&|(_, beside)| beside.percentile(50)),
        ratio(50),
        list(&|(alone, _)| alone.percentile(99)),
        list(&|(_, beside)| beside.percentile(99)),
        ratio(99),
    ))
}
