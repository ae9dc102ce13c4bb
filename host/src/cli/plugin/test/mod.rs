//! `keyferry plugin test`: a plugin's cases and the conformance suite, offline.
//!
//! | file | answers |
//! |---|---|
//! | `pretty` | what does a person see? |
//! | `machine` | what do programs read: JSON, JUnit, TAP? |
//! | `watch` | when is it run again? |

mod machine;
mod pretty;
mod watch;

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use crate::cli::error::{CliError, CliResult, chain};
use crate::cli::exit::Exit;
use crate::cli::term;
use keyferry_devkit::cases::{Case, Suite, SuiteReport, find, load};
use keyferry_devkit::{Source, workbench};
use keyferry_sandbox::Workbench;

#[derive(Args)]
pub(in crate::cli) struct TestArgs {
    /// Plugin files (.wasm), or folders of plugins, which are built first.
    #[arg(value_name = "FILE|DIR", required = true)]
    plugins: Vec<PathBuf>,
    /// The folder of the cases (*.toml) [default: `cases` in the plugin's folder, or beside the file].
    #[arg(long, value_name = "DIR")]
    cases: Option<PathBuf>,
    /// The format of the results.
    #[arg(long, value_enum, default_value_t = Format::Pretty)]
    format: Format,
    /// Print JSON: the same as `--format json`.
    #[arg(long, conflicts_with = "format")]
    json: bool,
    /// Run again after each change of a file.
    #[arg(long)]
    watch: bool,
}

/// The format of test results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Text for a terminal.
    Pretty,
    /// One JSON document.
    Json,
    /// JUnit XML, which most CI systems show.
    Junit,
    /// The Test Anything Protocol, version 14.
    Tap,
}

pub(in crate::cli) async fn run(mut args: TestArgs) -> CliResult {
    if args.json {
        args.format = Format::Json;
    }
    let workbench = workbench()?;
    if !args.watch {
        return once(&workbench, &args).await;
    }
    let mut changes = watch::start(args.plugins.iter().chain(&args.cases))?;
    loop {
        // An error is printed; the next save may fix it.
        if let Err(error) = once(&workbench, &args).await {
            term::error(&chain(error.as_ref()));
        }
        term::progress("waiting for a change (Ctrl-C ends it)");
        changes.next().await;
    }
}

async fn once(workbench: &Workbench, args: &TestArgs) -> CliResult {
    let mut reports = Vec::new();
    for path in &args.plugins {
        reports.push(suite(workbench, path, args).await?);
    }
    match args.format {
        Format::Pretty => pretty::total(&reports),
        Format::Json => term::print(&machine::json(&reports)?),
        Format::Junit => term::print(&machine::junit(&reports)?),
        Format::Tap => term::print(&machine::tap(&reports)),
    }
    let failed = reports.iter().any(|report| report.counts().1 > 0);
    Ok(if failed { Exit::Failed } else { Exit::Done })
}

async fn suite(workbench: &Workbench, path: &Path, args: &TestArgs) -> Result<SuiteReport, CliError> {
    let named = path.to_owned();
    let source = tokio::task::spawn_blocking(move || Source::open(&named)).await??;
    let folder = args.cases.as_ref().unwrap_or(&source.cases);
    let cases: Vec<Case> = find(folder)?.iter().map(|file| load(file)).collect::<Result<_, _>>()?;
    let suite = Suite::open(workbench, source.path, source.component, cases).await?;
    if args.format != Format::Pretty {
        return Ok(suite.run(&mut |_| {}).await);
    }
    let progress = pretty::Progress::start(suite.count());
    let report = suite.run(&mut |test| progress.done(test)).await;
    progress.finish();
    pretty::show(&report);
    Ok(report)
}
