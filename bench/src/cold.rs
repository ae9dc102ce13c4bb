//! Starts, sizes, memory.

use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

use clap::Args;
use keyferry_tests::binary;
use keyferry_tests::process::kernel_tells;

use crate::bench_server::{AccessLog, BenchServer};
use crate::figures::{Spread, figure, shown};
use crate::node::NodeServer;
use crate::plugin_copies;
use crate::section::Section;
use crate::table::Table;
use crate::wasmtime_serve;

const PLUGINS: usize = 50;

#[derive(Args, Clone)]
pub(crate) struct ColdOptions {
    /// Starts of each kind
    #[arg(long = "cold-rounds", id = "cold_rounds", default_value_t = 5)]
    rounds: usize,
}

pub(crate) async fn cold(options: &ColdOptions, quick: bool) -> Result<Section, Box<dyn Error>> {
    let rounds = if quick { 2 } else { options.rounds };
    let folder = tempfile::tempdir()?;
    plugin_copies::copies(PLUGINS, folder.path())?;
    let source = folder.path().to_owned();
    let mut site = BenchServer::start(1, AccessLog::Written, None, move |options| options.plugins = source).await?;
    let cache = site.world.data().join("cache");
    let (mut warm, mut cold, mut memory, mut own_memory) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        warm.push(millis(restarted(&mut site).await));
        memory.push(resident(site.world.server.pid()));
        own_memory.push(mib(kernel_tells(site.world.server.pid(), "RssAnon:") * 1024));
        site.world.server.kill();
        if !cache.is_dir() {
            return Err(format!("there is no compile cache at {}", cache.display()).into());
        }
        std::fs::remove_dir_all(&cache)?;
        cold.push(millis(restarted(&mut site).await));
    }
    let node = NodeServer::start(&site.world)?;
    let node_memory = resident(node.pid());
    let wasmtime = resident(wasmtime_serve::start(site.world.folder())?.pid());
    let mut table = Table::new(["", "median (lowest to highest)"]);
    let spread = |figures: Vec<f64>| Spread::of(figures).ok_or("there were no rounds");
    table.row([format!("exec to ready, {PLUGINS} plugins, compiled before, ms"), spread(warm)?.to_string()]);
    table.row([format!("exec to ready, {PLUGINS} plugins, nothing compiled, ms"), spread(cold)?.to_string()]);
    table.row([format!("resident when idle, {PLUGINS} plugins, MiB"), spread(memory)?.to_string()]);
    table.row(["of it not of files, MiB".to_owned(), spread(own_memory)?.to_string()]);
    table.row(["resident when idle, the server in Node.js without its database, MiB".to_owned(), shown(node_memory)]);
    table.row([
        format!("resident when idle, `wasmtime serve` {} with one component, MiB", wasmtime_serve::VERSION),
        shown(wasmtime),
    ]);
    table.row(["the release binary, MiB".to_owned(), shown(file_mib(binary::keyferry())?)]);
    table.row(["the installed binary of wasmtime, MiB".to_owned(), shown(file_mib(&wasmtime_serve::installed()?)?)]);
    Ok(Section {
        text: format!(
            "Each start follows a SIGKILL and ends when `/readyz` responds with 200, polled every 20 ms. {rounds} \
             starts of each kind. The plugins are one small component under {PLUGINS} slugs."
        ),
        tables: vec![table],
        plots: Vec::new(),
        goals: Vec::new(),
    })
}

/// How long the server takes from its start until it is ready.
pub(crate) async fn restarted(site: &mut BenchServer) -> Duration {
    site.world.server.kill();
    let began = Instant::now();
    site.world.server.restart().await;
    began.elapsed()
}

pub(crate) fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// MiB of resident memory of a process.
pub(crate) fn resident(pid: u32) -> f64 {
    mib(kernel_tells(pid, "VmRSS:") * 1024)
}

/// MiB of a file.
pub(crate) fn file_mib(file: &Path) -> Result<f64, Box<dyn Error>> {
    let size = std::fs::metadata(file).map_err(|error| format!("size of {}: {error}", file.display()))?.len();
    Ok(mib(usize::try_from(size)?))
}

fn mib(bytes: usize) -> f64 {
    figure(u64::try_from(bytes).unwrap_or(u64::MAX)) / 1024.0 / 1024.0
}
