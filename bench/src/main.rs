//! Measures keyferry side by side with its alternatives, and writes `docs/performance.md`.
//!
//! ```sh
//! cargo run --profile dist -p keyferry-bench -- all
//! cargo run --profile dist -p keyferry-bench -- ladder --rounds 3
//! cargo run --profile dist -p keyferry-bench -- --write job
//! ```
//!
//! | module | what it is for |
//! |---|---|
//! | `ladder` | the cost of each part of the job |
//! | `floor` | the cost of the same job with the same libraries |
//! | `job` | the whole job, next to a server in Node.js |
//! | `count` | instructions, allocations, system calls and bytes of a migration |
//! | `imports` | a large import, and requests beside one |
//! | `growth` | many plugins, credentials, connections and verifications |
//! | `cold` | starts, sizes, memory |
//! | `peers` | the results of `bench/peers` |
//! | `load` | the load generator |
//! | `bench_server`, `node`, `postgres`, `wasmtime_serve`, `server_process`, `plugin_copies` | the servers under measurement |
//! | `figures`, `processor`, `usage`, `machine`, `section`, `table`, `plot`, `report` | figures, and their report |
//! | `prepare`, `allocator`, `pause` | building before a run, the allocator, and stopping the other servers |
//! | `benches/parts.rs` | parts of the job that only compute, each measured alone |

mod allocator;
mod bench_server;
mod cold;
mod count;
mod figures;
mod floor;
mod growth;
mod imports;
mod job;
mod ladder;
mod load;
mod machine;
mod node;
mod pause;
mod peers;
mod plot;
mod plugin_copies;
mod postgres;
mod prepare;
mod processor;
mod report;
mod section;
mod server_process;
mod table;
mod usage;
mod wasmtime_serve;

use std::error::Error;
use std::path::PathBuf;

use clap::{Parser, Subcommand};

use report::Report;
use section::Section;

const LADDER: &str = "The ladder";
const JOB: &str = "The whole job";
const COUNT: &str = "What a migration costs";
const IMPORTS: &str = "Imports";
const COLD: &str = "Cold";

#[derive(Parser)]
#[command(about = "Measures keyferry next to its alternatives", max_term_width = 120)]
struct Arguments {
    /// Where the report goes
    #[arg(long, global = true, default_value_os_t = prepare::workspace().join("docs/performance.md"), hide_default_value = true)]
    report: PathBuf,
    /// Writes the section into the report; `all` always does
    #[arg(long, global = true)]
    write: bool,
    /// A short form, to test the program: its figures are worth little
    #[arg(long, global = true)]
    quick: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// All of it, including `bench/peers`
    All {
        #[command(flatten)]
        ladder: ladder::LadderOptions,
        #[command(flatten)]
        job: job::JobOptions,
        #[command(flatten)]
        count: count::CountOptions,
        #[command(flatten)]
        imports: imports::ImportsOptions,
        #[command(flatten)]
        growth: growth::GrowthOptions,
        #[command(flatten)]
        cold: cold::ColdOptions,
    },
    /// The cost of each part of the job
    Ladder(ladder::LadderOptions),
    /// The whole job: rates and latencies, next to a server in Node.js
    Job(job::JobOptions),
    /// Instructions, allocations, system calls and bytes of a migration. Needs valgrind and strace
    Count(count::CountOptions),
    /// A large import, and requests beside one
    Imports(imports::ImportsOptions),
    /// Many plugins, credentials, connections and verifications
    Growth(growth::GrowthOptions),
    /// Starts, sizes, memory
    Cold(cold::ColdOptions),
    /// The results of `bench/peers`
    Peers,
    /// Sends a load that stdin describes
    #[command(hide = true)]
    Load,
    /// Serves one rung of the ladder, as stdin describes
    #[command(hide = true)]
    Rung { step: ladder::Step },
    /// Serves the job in the simplest way, as stdin describes
    #[command(hide = true)]
    Floor { kind: floor::Floor },
    /// Puts credentials into a store, as stdin describes
    #[command(hide = true)]
    Fill,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    match arguments.command {
        Command::Load => load::run(),
        Command::Rung { step } => ladder::run(step),
        Command::Floor { kind } => floor::run(kind),
        Command::Fill => growth::fill(),
        _ => {
            prepare::server_is_built()?;
            prepare::raise_open_files();
            tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(measure(arguments))
        }
    }
}

async fn measure(Arguments { report, write, quick, command }: Arguments) -> Result<(), Box<dyn Error>> {
    let is_all = matches!(command, Command::All { .. });
    let mut reporter = Reporter {
        report: Report::open(&report, machine::Machine::here()?)?,
        write: write || is_all,
        command: typed(std::env::args().skip(1)),
    };
    match command {
        Command::All { ladder, job, count, imports, growth, cold } => {
            // First: a failing build of the peers shows before any measurement.
            for (title, section) in peers::peers(quick)? {
                reporter.report(&title, section)?;
            }
            reporter.report(LADDER, ladder::ladder(&ladder, quick).await?)?;
            reporter.report(JOB, job::job(&job, quick).await?)?;
            reporter.report(COUNT, count::count(&count, quick).await?)?;
            reporter.report(IMPORTS, imports::imports(&imports, quick).await?)?;
            reporter.report(COLD, cold::cold(&cold, quick).await?)?;
            for (title, section) in growth::growth(&growth, quick).await? {
                reporter.report(title, section)?;
            }
            println!("\n{}", reporter.report.goals());
            Ok(())
        }
        Command::Ladder(options) => reporter.report(LADDER, ladder::ladder(&options, quick).await?),
        Command::Job(options) => reporter.report(JOB, job::job(&options, quick).await?),
        Command::Count(options) => reporter.report(COUNT, count::count(&options, quick).await?),
        Command::Imports(options) => reporter.report(IMPORTS, imports::imports(&options, quick).await?),
        Command::Growth(options) => {
            let sections = growth::growth(&options, quick).await?;
            sections.into_iter().try_for_each(|(title, section)| reporter.report(title, section))
        }
        Command::Cold(options) => reporter.report(COLD, cold::cold(&options, quick).await?),
        Command::Peers => {
            peers::peers(quick)?.into_iter().try_for_each(|(title, section)| reporter.report(&title, section))
        }
        Command::Load | Command::Rung { .. } | Command::Floor { .. } | Command::Fill => Ok(()),
    }
}

fn typed(arguments: impl Iterator<Item = String>) -> String {
    ["cargo run --profile dist -p keyferry-bench --".to_owned()]
        .into_iter()
        .chain(arguments)
        .collect::<Vec<_>>()
        .join(" ")
}

/// Prints sections, and writes them into the report.
struct Reporter {
    report: Report,
    write: bool,
    /// The command line, so that a reader can repeat the run.
    command: String,
}

impl Reporter {
    /// Prints a section, and writes it into the report if that is wanted.
    fn report(&mut self, title: &str, section: Section) -> Result<(), Box<dyn Error>> {
        println!("\n{title}\n");
        if !section.goals.is_empty() {
            println!("{}", section::goals_table(&section.goals));
        }
        for table in &section.tables {
            println!("{table}");
        }
        if !self.write {
            return Ok(());
        }
        self.report.write(title, &self.command, &section)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_section_names_what_was_typed() {
        let typed = super::typed(["all", "--ladder-rounds", "3"].into_iter().map(str::to_owned));
        assert_eq!(typed, "cargo run --profile dist -p keyferry-bench -- all --ladder-rounds 3");
    }
}
