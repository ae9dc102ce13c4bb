//! Starting a rung as a process.

use std::error::Error;
use std::path::PathBuf;

use clap::ValueEnum as _;
use serde::{Deserialize, Serialize};

use super::step::Step;
use crate::server_process::{ServerProcess, this_program};

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
    ServerProcess::start(this_program(&[], &["rung", &name])?, settings)
}
