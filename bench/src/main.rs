//! Measures keyferry side by side with its alternatives, and writes `docs/performance.md`.
//!
//! ```sh
//! cargo run --release -p keyferry-bench -- all
//! cargo run --release -p keyferry-bench -- ladder --rounds 3
//! cargo run --release -p keyferry-bench -- --write job
//! ```
//!
//! | module | what it is for |
//! |---|---|
//! | `ladder` | what each part of the job costs |
//! | `job` | the whole job, next to hyper's hello and to a server in Node.js |
//! | `growth` | many plugins, credentials, connections and verifications |
//! | `cold` | starts, sizes, memory |
//! | `peers` | what `bench/peers` found |
//! | `load`, `site`, `rung`, `many`, `node`, `postgres`, `wasmtime_serve`, `served` | generator, servers |
//! | `figures`, `processor`, `machine`, `outcome`, `table`, `plot`, `report` | figures, and how they are told |
//! | `prepare`, `allocator`, `pause` | what is measured, as it is built, and by itself |
//! | `benches/parts.rs` | parts of the job that only compute, each by itself |

mod allocator;
mod cold;
mod figures;
mod growth;
mod job;
mod ladder;
mod load;
mod machine;
mod many;
mod node;
mod outcome;
mod pause;
mod peers;
mod plot;
mod postgres;
mod prepare;
mod processor;
mod report;
mod rung;
mod served;
mod site;
mod table;
mod wasmtime_serve;

use std::error::Error;
use std::path::PathBuf;

use clap::{Parser, Subcommand};

use outcome::Outcome;
use report::Report;

const LADDER: &str = "The ladder";
const JOB: &str = "The whole job";
const COLD: &str = "Cold";

#[derive(Parser)]
#[command(about = "Measures keyferry next to its alternatives", max_term_width = 120)]
struct Arguments {
    /// Where the report goes
    #[arg(long, global = true, default_value_os_t = prepare::workspace().join("docs/performance.md"), hide_default_value = true)]
    report: PathBuf,
    /// Writes the section into the report; `all` does so by itself
    #[arg(long, global = true)]
    write: bool,
    /// A short form, to see that it works: its figures are worth little
    #[arg(long, global = true)]
    quick: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// All of it, with what `bench/peers` finds
    All {
        #[command(flatten)]
        ladder: ladder::LadderOptions,
        #[command(flatten)]
        job: job::JobOptions,
        #[command(flatten)]
        growth: growth::GrowthOptions,
        #[command(flatten)]
        cold: cold::ColdOptions,
    },
    /// What each part of the job costs
    Ladder(ladder::LadderOptions),
    /// The whole job: rates and latencies, next to a server in Node.js
    Job(job::JobOptions),
    /// Many plugins, credentials, connections and verifications
    Growth(growth::GrowthOptions),
    /// Starts, sizes, memory
    Cold(cold::ColdOptions),
    /// What `bench/peers` finds
    Peers,
    /// Sends a load that stdin describes
    #[command(hide = true)]
    Load,
    /// Serves one rung of the ladder, as stdin describes
    #[command(hide = true)]
    Rung { step: rung::Step },
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    match arguments.command {
        Command::Load => load::run(),
        Command::Rung { step } => rung::run(step),
        _ => {
            prepare::server_is_built()?;
            prepare::raise_open_files();
            tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(measure(arguments))
        }
    }
}

async fn measure(Arguments { report, write, quick, command }: Arguments) -> Result<(), Box<dyn Error>> {
    let is_all = matches!(command, Command::All { .. });
    let mut told = Told {
        report: Report::open(&report, machine::Machine::here()?)?,
        write: write || is_all,
        command: typed(std::env::args().skip(1)),
    };
    match command {
        Command::All { ladder, job, growth, cold } => {
            // First, since they are built by it: what does not build is known before anything has been measured.
            for (title, outcome) in peers::peers(quick)? {
                told.tell(&title, outcome)?;
            }
            told.tell(LADDER, ladder::ladder(&ladder, quick).await?)?;
            told.tell(JOB, job::job(&job, quick).await?)?;
            told.tell(COLD, cold::cold(&cold, quick).await?)?;
            for (title, outcome) in growth::growth(&growth, quick).await? {
                told.tell(title, outcome)?;
            }
            println!("\n{}", told.report.goals());
            Ok(())
        }
        Command::Ladder(options) => told.tell(LADDER, ladder::ladder(&options, quick).await?),
        Command::Job(options) => told.tell(JOB, job::job(&options, quick).await?),
        Command::Growth(options) => {
            let sections = growth::growth(&options, quick).await?;
            sections.into_iter().try_for_each(|(title, outcome)| told.tell(title, outcome))
        }
        Command::Cold(options) => told.tell(COLD, cold::cold(&options, quick).await?),
        Command::Peers => peers::peers(quick)?.into_iter().try_for_each(|(title, outcome)| told.tell(&title, outcome)),
        Command::Load | Command::Rung { .. } => Ok(()),
    }
}

fn typed(arguments: impl Iterator<Item = String>) -> String {
    ["cargo run --release -p keyferry-bench --".to_owned()].into_iter().chain(arguments).collect::<Vec<_>>().join(" ")
}

/// What was found so far.
struct Told {
    report: Report,
    write: bool,
    /// What was typed, for whoever wants to have the same.
    command: String,
}

impl Told {
    /// Prints what a part found, and writes it down where that is asked for.
    fn tell(&mut self, title: &str, outcome: Outcome) -> Result<(), Box<dyn Error>> {
        println!("\n{title}\n");
        if !outcome.goals.is_empty() {
            println!("{}", outcome::table_of(&outcome.goals));
        }
        for table in &outcome.tables {
            println!("{table}");
        }
        if !self.write {
            return Ok(());
        }
        self.report.write(title, &self.command, &outcome)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_section_names_what_was_typed() {
        let typed = super::typed(["all", "--ladder-rounds", "3"].into_iter().map(str::to_owned));
        assert_eq!(typed, "cargo run --release -p keyferry-bench -- all --ladder-rounds 3");
    }
}
