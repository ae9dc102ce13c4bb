//! `keyferry plugin build`: compiles plugins to components.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::cli::config::DataFolder;
use crate::cli::error::{CliError, CliResult};
use crate::cli::exit::Exit;
use crate::cli::term;
use keyferry_devkit::{BuildOptions, BuiltPlugin, Selection, build_then};
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
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(in crate::cli) async fn run(args: BuildArgs) -> CliResult {
    let selection = if args.all { Selection::All(std::env::current_dir()?) } else { Selection::Packages(args.dirs) };
    let data = args.out.parent().filter(|_| args.out.ends_with(DEFAULT_OUT)).map(PathBuf::from);
    let options = BuildOptions { selection, out: args.out };
    // The first command of many installations: the folder is for its owner only, whichever command creates it.
    let open_data = move || -> Result<(), CliError> {
        data.map(|data| DataFolder::open_and_tell(&data)).transpose()?;
        Ok(())
    };
    let built = tokio::task::spawn_blocking(move || build_then(&options, open_data)).await??;
    if args.json {
        let shown = |one: &BuiltPlugin| json!({ "slug": one.slug, "file": one.file.shown().to_string(), "bytes": one.bytes, "sha256": one.sha256 });
        term::print_json(&built.iter().map(shown).collect::<Vec<_>>())?;
    } else {
        for built in built {
            term::print(&format!("{}  {} bytes  sha256 {}", built.file.shown(), built.bytes, built.sha256));
        }
    }
    Ok(Exit::Done)
}
