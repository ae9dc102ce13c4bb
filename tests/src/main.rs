//! The long forms of what the suite does a few rounds of. Each run writes down or prints what it found.
//!
//! ```sh
//! cargo run -p keyferry-tests -- reliability
//! cargo run -p keyferry-tests -- timing
//! cargo run -p keyferry-tests -- hostile
//! ```

use std::error::Error;
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Parser, Subcommand};
use keyferry_tests::World;
use keyferry_tests::hostile::{self, Holdings, hostile_world};
use keyferry_tests::leaks::timing::{Class, Comparison, Keys, TOLD_APART, measure_loopback};
use keyferry_tests::reliability::{Ending, Figures, Loop, PowerCut, Report, Survivors};

#[derive(Parser)]
#[command(about = "Long runs of the proofs that cargo test has in a short form")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Kills and power cuts under load: whether anything acknowledged is ever lost
    Reliability {
        /// Rounds that end with SIGKILL
        #[arg(long, default_value_t = 500)]
        kills: u64,
        /// Rounds that end with a power cut after which nothing that was not synced survives
        #[arg(long, default_value_t = 200)]
        cuts: u64,
        /// Rounds that end with a power cut after which any sectors that were not synced survive
        #[arg(long, default_value_t = 200)]
        torn: u64,
        /// What all choices follow from; by default the clock
        #[arg(long)]
        seed: Option<u64>,
        /// Where the report goes
        #[arg(long, default_value = "tests/RELIABILITY.md")]
        report: PathBuf,
    },
    /// Whether the time that the look-up of an API key takes depends on the key
    Timing {
        /// Look-ups of each class of keys in this process
        #[arg(long, default_value_t = 200_000)]
        lookups: usize,
        /// Requests of each class to a server
        #[arg(long, default_value_t = 20_000)]
        requests: usize,
    },
    /// Hostile plugins, again and again: whether one hurts the server, and what a neighbour notices
    Hostile {
        /// How often the corpus is dropped in
        #[arg(long, default_value_t = 5)]
        rounds: u64,
        /// Only this family of the corpus
        #[arg(long)]
        only: Option<String>,
        /// Only write the components into this folder, for a look at one
        #[arg(long)]
        write: Option<PathBuf>,
    },
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    match Arguments::parse().command {
        Command::Reliability { kills, cuts, torn, seed, report } => {
            let seed = seed.unwrap_or_else(|| fastrand::Rng::new().u64(..));
            reliability([kills, cuts, torn], seed, &report).await
        }
        Command::Timing { lookups, requests } => timing(lookups, requests).await,
        Command::Hostile { write: Some(folder), .. } => write_corpus(&folder),
        Command::Hostile { rounds, only, write: None } => hostile_plugins(rounds, only.as_deref()).await,
    }
}

async fn timing(lookups: usize, requests: usize) -> Result<(), Box<dyn Error>> {
    let keys = Keys::make().await;
    let show = |title: &str, comparisons: &[Comparison]| {
        println!("{title}");
        comparisons.iter().for_each(|comparison| println!("  {comparison}"));
    };
    show("a careless look-up, to show that the measurement sees something", &keys.measure_careless_lookup(lookups / 4));
    let lookups = keys.measure_lookup(lookups).await;
    show("the look-up of a request: parse, hash, find, compare", &lookups);
    let requests = measure_loopback(&World::start().await, requests).await;
    show("whole requests over loopback", &requests);
    // What a key begins with must not show. That a record was found does, as the answer itself says.
    let begins = |one: &&Comparison| (one.first, one.second) == (Class::UnknownBeginsLive, Class::Unknown);
    for (what, comparisons) in [("the look-up", &lookups), ("a request", &requests)] {
        match comparisons.iter().find(begins) {
            Some(one) if one.t.abs() > TOLD_APART => {
                return Err(format!("the time of {what} tells how a key begins: t = {:.2}", one.t).into());
            }
            Some(one) => println!("{what}: how a key begins does not show (t = {:.2})", one.t),
            None => return Err(format!("{what}: there are no figures").into()),
        }
    }
    Ok(())
}

async fn reliability([kills, cuts, torn]: [u64; 3], seed: u64, file: &Path) -> Result<(), Box<dyn Error>> {
    let mut report = Report::new(seed)?;
    let power_cut = |survivors| PowerCut::new(survivors).ok_or("power cuts need a C compiler");
    let runs = [
        ("SIGKILL", Ending::Kill, kills),
        ("power cut: nothing that was not synced survives", Ending::PowerCut(power_cut(Survivors::None)?), cuts),
        (
            "power cut: half of the sectors that were not synced survive",
            Ending::PowerCut(power_cut(Survivors::SomeSectors)?),
            torn,
        ),
    ];
    for (name, ending, rounds) in runs {
        println!("{name}: {rounds} rounds, seed {seed}");
        let figures = Loop::new(ending, seed).await.run(rounds, |figures| progress(figures, rounds)).await;
        println!("{figures}");
        report.add(name, figures);
    }
    std::fs::write(file, report.to_string())?;
    println!("written to {}", file.display());
    Ok(())
}

/// Prints a section in Markdown: what the neighbour noticed, and what the server held before and after.
async fn hostile_plugins(rounds: u64, only: Option<&str>) -> Result<(), Box<dyn Error>> {
    let world = Arc::new(hostile_world().await);
    let mut figures = hostile::Figures::default();
    let mut held = vec![Holdings::of(world.server.pid())];
    for _ in 0..rounds {
        figures.round(&world, only).await;
        held.push(Holdings::of(world.server.pid()));
    }
    println!("## Beside hostile plugins\n");
    println!("{rounds} rounds, each family of the corpus dropped in while a good plugin's caller goes on.\n");
    println!("{figures}");
    println!("| after round | the server holds |\n|---|---|");
    held.iter().enumerate().for_each(|(round, held)| println!("| {round} | {held} |"));
    let wrong: Vec<&String> = figures.wrong.iter().chain(figures.failures()).collect();
    if wrong.is_empty() { Ok(()) } else { Err(format!("{wrong:#?}").into()) }
}

fn write_corpus(folder: &Path) -> Result<(), Box<dyn Error>> {
    std::fs::create_dir_all(folder)?;
    for hostile in hostile::corpus() {
        std::fs::write(folder.join(format!("{}.wasm", hostile.name)), hostile.component())?;
    }
    Ok(())
}

/// A line that is written over, where somebody is looking.
fn progress(figures: &Figures, rounds: u64) {
    let mut stdout = std::io::stdout();
    if stdout.is_terminal() {
        let _ = write!(stdout, "\r{}/{rounds} rounds, {} writes acknowledged ", figures.rounds, figures.acknowledged);
        let _ = stdout.flush();
    } else if figures.rounds.is_multiple_of(50) {
        println!("{}/{rounds} rounds, {} writes acknowledged", figures.rounds, figures.acknowledged);
    }
}
