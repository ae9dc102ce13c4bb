//! `keyferry plugin build`: compiles plugins to components.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::cli::config::DataFolder;
use crate::cli::error::CliResult;
use crate::cli::term;
use keyferry_devkit::{BuildOptions, Selection, build};
use keyferry_types::path_text::ShowPath as _;

/// The plugin folder of a server with the default data folder.
const DEFAULT_OUT: &str = "keyferry-data/plugins";

#[derive(Args)]
pub(in crate::cli) struct BuildArgs {
    /// The plugins' folders.
    #[arg(value_name = "DIR", required_unless_present = "all")]
    dirs: Vec<PathBuf>,
    /// Every plugin of the workspace that the current folder is in.
    #[arg(long, conflicts_with = "dirs")]
    all: bool,
    /// The output folder of the .wasm files.
    #[arg(long, value_name = "DIR", default_value = DEFAULT_OUT)]
    out: PathBuf,
}

pub(in crate::cli) async fn run(args: BuildArgs) -> CliResult {
    let selection = if args.all { Selection::All(std::env::current_dir()?) } else { Selection::Packages(args.dirs) };
    // The first command of many installations: the folder is for its owner only, whichever command creates it.
    if let Some(data) = args.out.parent().filter(|_| args.out.ends_with(DEFAULT_OUT)) {
        DataFolder::open_and_tell(data)?;
    }
    let options = BuildOptions { selection, out: args.out };
    for built in tokio::task::spawn_blocking(move || build(&options)).await?? {
        term::print(&format!("{}  {} bytes  sha256 {}", built.file.shown(), built.bytes, built.sha256));
    }
    Ok(ExitCode::SUCCESS)
}
