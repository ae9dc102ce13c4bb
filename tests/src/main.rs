//! The long forms of what the suite does a few rounds of. `reliability` runs all of them and writes down what it found; the
//! others run one and print it.
//!
//! ```sh
//! cargo run -p keyferry-tests -- reliability
//! cargo run -p keyferry-tests -- hostile
//! cargo run -p keyferry-tests -- mutants
//! cargo run -p keyferry-tests -- timing
//! fuzz/run
//! ```

mod long;

use std::error::Error;
use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand};
use keyferry_tests::hostile;
use keyferry_tests::reliability::Report;

#[derive(Parser)]
#[command(about = "Long runs of the proofs that cargo test has in a short form")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// All of it: kills and power cuts under load, hostile plugins, mutated requests, the time of look-ups, fuzzing
    Reliability {
        #[command(flatten)]
        endings: Endings,
        #[command(flatten)]
        plugins: Plugins,
        #[command(flatten)]
        mutants: Mutants,
        #[command(flatten)]
        timing: Timing,
        /// Seconds for each fuzz target; 0 leaves fuzzing out, which takes cargo-fuzz
        #[arg(long, default_value_t = 60)]
        fuzz_seconds: u64,
        #[command(flatten)]
        seed: Seed,
        /// Where the report goes
        #[arg(long, default_value = "tests/RELIABILITY.md")]
        report: PathBuf,
    },
    /// Hostile plugins, again and again: whether one hurts the server, and what a neighbour notices
    Hostile {
        #[command(flatten)]
        plugins: Plugins,
        /// Only this family of the corpus
        #[arg(long)]
        only: Option<String>,
        /// Only write the components into this folder, for a look at one
        #[arg(long)]
        write: Option<PathBuf>,
    },
    /// Requests that were good once
    Mutants {
        #[command(flatten)]
        mutants: Mutants,
        #[command(flatten)]
        seed: Seed,
    },
    /// Whether the time that the look-up of an API key takes depends on the key
    Timing(Timing),
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
struct Seed {
    /// What all choices follow from; by default the clock
    #[arg(long)]
    seed: Option<u64>,
}

impl Seed {
    fn get(&self) -> u64 {
        self.seed.unwrap_or_else(|| fastrand::Rng::new().u64(..))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    match Arguments::parse().command {
        Command::Reliability { endings, plugins, mutants, timing, fuzz_seconds, seed, report } => {
            let seed = seed.get();
            let mut found = Report::new(seed)?;
            if fuzz_seconds > 0 {
                // First: it is the part that can find something missing.
                found.add("Fuzzing", long::fuzz(fuzz_seconds)?);
            }
            found.add("What survived", long::endings(&endings, seed).await?);
            found.add("Beside hostile plugins", long::hostile_plugins(plugins.rounds, None).await?);
            found.add("Mutated requests", long::mutants(mutants.mutants, seed).await);
            found.add("The time of a look-up", long::timing(&timing).await?);
            std::fs::write(&report, found.to_string())?;
            println!("written to {}", report.display());
        }
        Command::Hostile { write: Some(folder), .. } => write_corpus(&folder)?,
        Command::Hostile { plugins, only, write: None } => {
            println!("{}", long::hostile_plugins(plugins.rounds, only.as_deref()).await?);
        }
        Command::Mutants { mutants, seed } => println!("{}", long::mutants(mutants.mutants, seed.get()).await),
        Command::Timing(timing) => println!("{}", long::timing(&timing).await?),
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
