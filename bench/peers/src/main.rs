//! Keyferry's sandbox and its store next to their alternatives, in one run.
//!
//! | module | what it is for |
//! |---|---|
//! | `sandbox` | calls of a plugin: Keyferry's sandbox, Extism, and the runtime alone |
//! | `store` | durable writes: Keyferry's store, other engines, and the disk alone |
//! | `rounds` | runs contestants in turn, round after round, and summarises them |
//! | `report` | the figures, for people and for programs |
//! | `allocator` | the treatment of freed memory, which is part of the cost of a call |
//! | `process` | the resources that this process has used, as the kernel reports them |
//! | `effort` | how many rounds are measured |
//! | `outcome` | errors that name the failed step |

mod allocator;
mod effort;
mod outcome;
mod process;
mod report;
mod rounds;
mod sandbox;
mod store;

use clap::{Parser, Subcommand};

use effort::Effort;
use outcome::Outcome;
use report::Report;

/// Keyferry's sandbox and its store next to their alternatives.
#[derive(Parser)]
#[command(version)]
struct Command {
    #[command(subcommand)]
    part: Part,
    /// Print JSON, for the report.
    #[arg(long, global = true)]
    json: bool,
    /// Fewer and shorter rounds: to test the program, not to quote.
    #[arg(long, global = true)]
    quick: bool,
}

#[derive(Subcommand)]
enum Part {
    /// Calls of a plugin: Keyferry's sandbox, Extism, and the runtime alone.
    Sandbox(sandbox::Choice),
    /// Durable writes: Keyferry's store, other engines, and the disk alone.
    Store(store::Choice),
    /// All contestants of both parts.
    All,
    /// The process of one contestant of `store`.
    #[command(hide = true)]
    StoreWorker(store::Duty),
}

fn main() -> Outcome<()> {
    let command = Command::parse();
    let effort = if command.quick { Effort::Quick } else { Effort::Full };
    let sections = match &command.part {
        Part::StoreWorker(duty) => return store::work(duty),
        Part::Store(choice) => store::sections(choice, effort)?,
        Part::Sandbox(choice) => sandbox::sections(choice, effort)?,
        Part::All => {
            let mut sections = sandbox::sections(&sandbox::Choice::default(), effort)?;
            sections.extend(store::sections(&store::Choice::default(), effort)?);
            sections
        }
    };
    Report { sections }.print(command.json)
}
