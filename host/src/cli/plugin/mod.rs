//! `keyferry plugin`: building, trying out and operating plugins, one file a command.

mod check;
mod inspect;
mod live;
mod test;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;
use comfy_table::Table;

use super::operator::{Needs, perform};
use super::settings::FolderArgs;
use super::{CliError, CliResult, term};
use crate::admin::{GrantPlugin, ListPlugins};
use crate::devkit::{BuildOptions, Selection, build};
use crate::plugins::{PluginStatus, WasiGrant};

#[derive(Subcommand)]
pub(super) enum PluginCommand {
    /// Builds plugin crates into components.
    Build {
        /// Folders of plugin crates.
        #[arg(value_name = "DIR", required_unless_present = "all")]
        dirs: Vec<PathBuf>,
        /// Every plugin of the workspace that the current folder is in.
        #[arg(long, conflicts_with = "dirs")]
        all: bool,
        /// Where the .wasm files go.
        #[arg(long, value_name = "DIR", default_value = "keyferry-data/plugins")]
        out: PathBuf,
    },
    /// Shows what a plugin file is: schema, imports, what it asks for.
    Inspect(inspect::InspectArgs),
    /// Looks a plugin through for what is wrong with it, or will be.
    Check(check::CheckArgs),
    /// Runs a plugin's cases and the conformance suite, offline.
    Test(test::TestArgs),
    /// Has a plugin verify one credential with the real provider, and shows what went over the wire, without secrets.
    Call(live::CallArgs),
    /// The same, written down as a case: every secret is replaced by its field's name.
    Record(live::RecordArgs),
    /// Lists the plugin files and what became of each.
    List {
        /// For programs.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        folders: FolderArgs,
    },
    /// Shows what a plugin asks for and grants it, to this very file.
    Grant {
        /// A slug or a file name.
        target: String,
        /// Show it only.
        #[arg(long)]
        dry_run: bool,
        /// Let it import WASI, with nothing behind it.
        #[arg(long, value_parser = ["sealed"])]
        wasi: Option<String>,
        #[command(flatten)]
        folders: FolderArgs,
    },
}

pub(super) async fn run(command: PluginCommand) -> CliResult {
    match command {
        PluginCommand::Build { dirs, all, out } => {
            let selection = if all { Selection::All(std::env::current_dir()?) } else { Selection::Packages(dirs) };
            for built in build(&BuildOptions { selection, out })? {
                term::print(&format!("{}  {} bytes  sha256 {}", built.file.display(), built.bytes, built.sha256));
            }
        }
        PluginCommand::Inspect(args) => return inspect::run(args).await,
        PluginCommand::Check(args) => return check::run(args).await,
        PluginCommand::Call(args) => return live::run_call(args).await,
        PluginCommand::Record(args) => return live::run_record(args).await,
        PluginCommand::Test(args) => return test::run(args).await,
        PluginCommand::List { json, folders } => {
            let plugins = perform(folders, Needs::Plugins, ListPlugins {}).await?;
            if json {
                term::print(&serde_json::to_string_pretty(&plugins)?);
            } else {
                list(&plugins);
            }
        }
        PluginCommand::Grant { target, dry_run, wasi, folders } => {
            show(&find(folders.clone(), &target).await?);
            if !dry_run {
                let wasi = if wasi.is_some() { WasiGrant::Sealed } else { WasiGrant::None };
                let grant = perform(folders, Needs::Plugins, GrantPlugin { target, wasi }).await?;
                term::print(&format!("granted to sha256 {}", grant.sha256));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn find(folders: FolderArgs, target: &str) -> Result<PluginStatus, CliError> {
    let plugins = perform(folders, Needs::Plugins, ListPlugins {}).await?;
    let titles = plugins.iter().map(PluginStatus::title).collect::<Vec<_>>().join(", ");
    let named = |p: &PluginStatus| p.title() == target || p.file.file_name().is_some_and(|name| name == target);
    let missing = || format!("no plugin is called `{target}`; there are: {titles}").into();
    plugins.into_iter().find(named).ok_or_else(missing)
}

fn list(plugins: &[PluginStatus]) {
    let mut table = Table::new();
    table.set_header(["app", "state", "file", "bytes", "why"]);
    for plugin in plugins {
        let state = serde_json::to_value(plugin.state).ok().and_then(|v| v.as_str().map(str::to_owned));
        table.add_row([
            plugin.title(),
            state.unwrap_or_default(),
            plugin.file.display().to_string(),
            plugin.bytes.to_string(),
            plugin.reason.clone().unwrap_or_default(),
        ]);
    }
    term::print(&table.to_string());
}

fn show(plugin: &PluginStatus) {
    term::print(&format!("{} ({})", plugin.name.as_deref().unwrap_or("?"), plugin.title()));
    term::print(&format!("  file     {} ({} bytes)", plugin.file.display(), plugin.bytes));
    if let Some(digest) = plugin.digest {
        term::print(&format!("  sha256   {digest}"));
    }
    if let Some(reason) = &plugin.reason {
        term::print(&format!("  why      {reason}"));
    }
    for (label, grants) in [("asks for", &plugin.requests), ("may do  ", &plugin.granted)] {
        for grant in grants {
            term::print(&format!("  {label} {grant}"));
        }
    }
}
