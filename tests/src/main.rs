//! The long forms of what the suite does a few rounds of. `reliability` runs all of them; each writes what it found into its
//! section of the report.
//!
//! ```sh
//! cargo run -p keyferry-tests -- reliability
//! cargo run -p keyferry-tests -- hostile
//! cargo run -p keyferry-tests -- mutants
//! cargo run -p keyferry-tests -- timing
//! cargo run -p keyferry-tests -- import --rows 1000000
//! cargo run -p keyferry-tests -- beside
//! cargo run -p keyferry-tests -- fuzz
//! ```

mod long;

use std::error::Error;
use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand};
use keyferry_tests::hostile;
use keyferry_tests::reliability::Report;

const ENDINGS: &str = "What survived";
const HOSTILE: &str = "Beside hostile plugins";
const MUTANTS: &str = "Mutated requests";
const TIMING: &str = "The time of a look-up";
const FUZZ: &str = "Fuzzing";
const IMPORTS: &str = "One large import";
const BESIDE: &str = "Requests beside an import";

#[derive(Parser)]
#[command(about = "Long runs of the proofs that cargo test has in a short form")]
struct Arguments {
    /// Where the report goes
    #[arg(long, global = true, default_value = "tests/RELIABILITY.md")]
    report: PathBuf,
    /// What all choices follow from; by default the clock
    #[arg(long, global = true)]
    seed: Option<u64>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// All of it
    Reliability {
        #[command(flatten)]
        endings: Endings,
        #[command(flatten)]
        plugins: Plugins,
        #[command(flatten)]
        mutants: Mutants,
        #[command(flatten)]
        timing: Timing,
        #[command(flatten)]
        fuzz: Fuzz,
        #[command(flatten)]
        imports: long::Imports,
        #[command(flatten)]
        beside: long::Beside,
    },
    /// Kills and power cuts under load: whether anything acknowledged is ever lost
    Endings(Endings),
    /// Hostile plugins, again and again: whether one hurts the server, and what a neighbour notices
    Hostile {
        #[command(flatten)]
        plugins: Plugins,
        /// Only this family of the corpus, and only printed
        #[arg(long)]
        only: Option<String>,
        /// Only write the components into this folder, for a look at one
        #[arg(long)]
        write: Option<PathBuf>,
    },
    /// Requests that were good once
    Mutants(Mutants),
    /// Whether the time that the look-up of an API key takes depends on the key
    Timing(Timing),
    /// Every fuzz target; takes cargo-fuzz
    Fuzz(Fuzz),
    /// One large import: kills on the way, memory, speed, and taking it back
    Import(long::Imports),
    /// How much longer requests take beside an import
    Beside(long::Beside),
}

#[derive(Args)]
struct Endings {
    /// Rounds that end with SIGKILL
    #[arg(long, default_value_t = 500)]
    kills: u64,
    /// Rounds that end with a power cut after which nothing that was not synced survives
    #[arg(long, default_value_t = 200)]
    cuts: u64,
    /// Rounds that end with a power cut after which any sectors that were not synced survive
    #[arg(long, default_value_t = 200)]
    torn: u64,
}

#[derive(Args)]
struct Plugins {
    /// How often the corpus of hostile plugins is dropped in
    #[arg(long, default_value_t = 5)]
    rounds: u64,
}

#[derive(Args)]
struct Mutants {
    /// Requests that are changed and sent
    #[arg(long, default_value_t = 100_000)]
    mutants: usize,
}

#[derive(Args)]
struct Timing {
    /// Look-ups of each class of keys in this process
    #[arg(long, default_value_t = 200_000)]
    lookups: usize,
    /// Requests of each class to a server
    #[arg(long, default_value_t = 20_000)]
    requests: usize,
}

#[derive(Args)]
struct Fuzz {
    /// Seconds for each fuzz target
    #[arg(long, default_value_t = 60)]
    seconds: u64,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let Arguments { report, seed, command } = Arguments::parse();
    let seed = seed.unwrap_or_else(|| fastrand::Rng::new().u64(..));
    let mut report = Report::open(&report)?;
    match command {
        Command::Reliability { endings, plugins, mutants, timing, fuzz, imports, beside } => {
            report.write(ENDINGS, long::endings(&endings, seed).await?)?;
            report.write(HOSTILE, long::hostile_plugins(plugins.rounds, None).await?)?;
            report.write(MUTANTS, long::mutants(mutants.mutants, seed).await)?;
            report.write(TIMING, long::timing(&timing).await?)?;
            report.write(IMPORTS, long::imports(&imports, seed).await?)?;
            report.write(BESIDE, long::beside(&beside, seed).await?)?;
            report.write(FUZZ, long::fuzz(fuzz.seconds)?)?;
        }
        Command::Import(imports) => report.write(IMPORTS, long::imports(&imports, seed).await?)?,
        Command::Beside(options) => report.write(BESIDE, long::beside(&options, seed).await?)?,
        Command::Endings(endings) => report.write(ENDINGS, long::endings(&endings, seed).await?)?,
        Command::Hostile { write: Some(folder), .. } => write_corpus(&folder)?,
        Command::Hostile { plugins, only: Some(only), write: None } => {
            println!("{}", long::hostile_plugins(plugins.rounds, Some(&only)).await?);
        }
        Command::Hostile { plugins, only: None, write: None } => {
            report.write(HOSTILE, long::hostile_plugins(plugins.rounds, None).await?)?;
        }
        Command::Mutants(mutants) => report.write(MUTANTS, long::mutants(mutants.mutants, seed).await)?,
        Command::Timing(timing) => report.write(TIMING, long::timing(&timing).await?)?,
        Command::Fuzz(fuzz) => report.write(FUZZ, long::fuzz(fuzz.seconds)?)?,
    }
    Ok(())
}

fn write_corpus(folder: &Path) -> Result<(), Box<dyn Error>> {
    std::fs::create_dir_all(folder)?;
    for hostile in hostile::corpus() {
        std::fs::write(folder.join(format!("{}.wasm", hostile.name)), hostile.component())?;
    }
    Ok(())
}
