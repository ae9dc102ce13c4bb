//! The long forms of tests that the suite runs for a few rounds. `reliability` runs all of them; each writes its
//! results into its section of the report.
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
const HOSTS: &str = "What survived on two servers and one database";
const HOSTILE: &str = "Beside hostile plugins";
const MUTANTS: &str = "Mutated requests";
const TIMING: &str = "The time of a look-up";
const FUZZ: &str = "Fuzzing";
const IMPORTS: &str = "One large import";
const BESIDE: &str = "Requests beside an import";

#[derive(Parser)]
#[command(about = "Long runs of the proofs that cargo test has in a short form")]
struct Arguments {
    /// The file of the report
    #[arg(long, global = true, default_value = "tests/RELIABILITY.md")]
    report: PathBuf,
    /// The seed of all random choices; by default the clock
    #[arg(long, global = true)]
    seed: Option<u64>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// All long runs
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
    /// Kills and power cuts under load: whether an acknowledged write is ever lost
    Endings(Endings),
    /// Two servers on one PostgreSQL database: whether an acknowledged write is lost when servers, or the database, end
    Hosts {
        /// Rounds
        #[arg(long, default_value_t = 500)]
        rounds: u64,
    },
    /// Hostile plugins in repeated rounds: whether one harms the server, and the latency of other plugins' callers
    Hostile {
        #[command(flatten)]
        plugins: Plugins,
        /// Run only this family of the corpus, and only print the results
        #[arg(long)]
        only: Option<String>,
        /// Only write the components into this folder, for inspection
        #[arg(long)]
        write: Option<PathBuf>,
    },
    /// Mutations of valid requests
    Mutants(Mutants),
    /// Whether the duration of the look-up of an API key depends on the key
    Timing(Timing),
    /// Every fuzz target; needs cargo-fuzz
    Fuzz(Fuzz),
    /// One large import: kills, memory, rate, and undo
    Import(long::Imports),
    /// The latency of requests beside an import
    Beside(long::Beside),
}

#[derive(Args)]
struct Endings {
    /// Rounds that end with SIGKILL
    #[arg(long, default_value_t = 500)]
    kills: u64,
    /// Rounds that end with a power cut after which only synced data survives
    #[arg(long, default_value_t = 200)]
    cuts: u64,
    /// Rounds that end with a power cut after which some unsynced sectors survive, too
    #[arg(long, default_value_t = 200)]
    torn: u64,
}

#[derive(Args)]
struct Plugins {
    /// Rounds of the corpus of hostile plugins
    #[arg(long, default_value_t = 5)]
    rounds: u64,
}

#[derive(Args)]
struct Mutants {
    /// Mutated requests
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
        Command::Hosts { rounds } => report.write(HOSTS, long::hosts(rounds, seed).await?)?,
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
