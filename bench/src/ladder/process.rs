//! Starting a rung as a process.

use std::error::Error;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use clap::ValueEnum as _;
use serde::{Deserialize, Serialize};

use super::step::Step;
use crate::server_process::ServerProcess;

/// The settings of a rung, sent to its standard input.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct RungSettings {
    /// An API key, generated for this run.
    pub(crate) api_key: String,
    /// The certificate authority of the mock provider.
    pub(crate) ca: PathBuf,
    /// Addresses of providers, each as `HOST=IP:PORT`.
    pub(crate) resolve: Vec<String>,
    pub(crate) plugins: PathBuf,
    /// The rung's own folder.
    pub(crate) data: PathBuf,
    /// The number of linked accounts: `bench_0` and so on.
    pub(crate) accounts: usize,
}

/// Starts one and waits until it listens.
pub(crate) fn start(step: Step, settings: &RungSettings) -> Result<ServerProcess, Box<dyn Error>> {
    let name = step.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
    std::fs::create_dir_all(&settings.data)?;
    let mut child = Command::new(std::env::current_exe()?)
        .args(["rung", &name])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("start the rung {name}: {error}"))?;
    let (Some(stdin), Some(stdout)) = (&mut child.stdin, child.stdout.take()) else {
        return Err(format!("the rung {name} has no pipes").into());
    };
    writeln!(stdin, "{}", serde_json::to_string(settings)?)?;
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    let address = line.trim().parse().map_err(|_| format!("the rung {name} did not come up: {line:?}"))?;
    Ok(ServerProcess::new(child, address))
}
