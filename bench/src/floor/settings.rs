//! The floors, and the settings of one.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// A server that does the job in the simplest way that the libraries allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Floor {
    /// One runtime per core, hyper's client, a log of its own.
    Cores,
    /// One runtime with many threads, reqwest, sled.
    Threads,
}

impl Floor {
    pub(crate) const ALL: [Self; 2] = [Self::Cores, Self::Threads];

    /// The title in tables.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Cores => "floor: one runtime a core, hyper's client, a log of its own with fdatasync",
            Self::Threads => "floor: multi-thread tokio, reqwest, one sled batch, flush, fdatasync",
        }
    }
}

/// The settings of a floor, sent to its standard input.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct FloorSettings {
    /// The API key that requests carry.
    pub(crate) api_key: String,
    /// The certificate authority of the mock provider.
    pub(crate) ca: PathBuf,
    /// The address of Stripe's host.
    pub(crate) provider: SocketAddr,
    /// The floor's own folder.
    pub(crate) data: PathBuf,
}
