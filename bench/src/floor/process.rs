//! Starts a floor as a process, and is that process.

use std::error::Error;
use std::io::Write as _;
use std::net::SocketAddr;

use clap::ValueEnum as _;

use super::committer::Committer;
use super::job::{Failed, Job};
use super::log::Log;
use super::settings::{Floor, FloorSettings};
use super::tree::Tree;
use super::{cores, threads};
use crate::server_process::{ServerProcess, settings_of_this_process, this_program};

/// Starts one, under another program where one is given, and waits until it listens.
pub(crate) fn start(floor: Floor, settings: &FloorSettings, under: &[String]) -> Result<ServerProcess, Box<dyn Error>> {
    let name = floor.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
    std::fs::create_dir_all(&settings.data)?;
    ServerProcess::start(this_program(under, &["floor", &name])?, settings)
}

/// The process of a floor: serves until stdin is closed.
pub(crate) fn run(floor: Floor) -> Result<(), Box<dyn Error>> {
    serve(floor, &settings_of_this_process()?).map_err(|failed| -> Box<dyn Error> { failed })
}

fn serve(floor: Floor, settings: &FloorSettings) -> Result<(), Failed> {
    let listening = |address: SocketAddr| -> Result<(), Failed> {
        println!("{address}");
        Ok(std::io::stdout().flush()?)
    };
    match floor {
        Floor::Cores => {
            let committer = Committer::start(Log::create(&settings.data)?);
            cores::serve(settings, Job::new(&settings.api_key, committer)?, listening)
        }
        Floor::Threads => {
            let committer = Committer::start(Tree::open(&settings.data)?);
            threads::serve(settings, Job::new(&settings.api_key, committer)?, listening)
        }
    }
}
