//! `keyferry plugin build`: compiles plugins to components.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::cli::error::CliResult;
use crate::cli::term;
use keyferry_devkit::{BuildOptions, Selection, build};
use keyferry_types::path_text::ShowPath as _;

#[derive(Args)]
pub(in crate::cli) struct BuildArgs {
    /// The plugins' folders.
    #[arg(value_name = "DIR", required_unless_present = "all")]
    dirs: Vec<PathBuf>,
    /// Every plugin of the workspace that the current folder is in.
    #[arg(long, conflicts_with = "dirs")]
    all: bool,
    /// The output folder of the .wasm files.
    #[arg(long, value_name = "DIR", default_value = "keyferry-data/plugins")]
    out: PathBuf,
}

pub(in crate::cli) async fn run(args: BuildArgs) -> CliResult {
    let selection = if args.all { Selection::All(std::env::current_dir()?) } else { Selection::Packages(args.dirs) };
    let options = BuildOptions { selection, out: args.out };
    for built in tokio::task::spawn_blocking(move || build(&options)).await?? {
        term::print(&format!("{}  {} bytes  sha256 {}", built.file.shown(), built.bytes, built.sha256));
    }
    Ok(ExitCode::SUCCESS)
}
