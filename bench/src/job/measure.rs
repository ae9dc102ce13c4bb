//! Both servers under every load, in turns. The server that is not measured is stopped.

use std::error::Error;

use clap::Args;

use super::report::section;
use super::runs::{CLOSED, Closed, OPEN, Runs};
use crate::bench_server::{AccessLog, BenchServer, Length, load};
use crate::figures::shown;
use crate::load::{Pace, Run, measure};
use crate::node::NodeServer;
use crate::pause::Paused;
use crate::section::Section;

/// Connections of the open loop: enough that a request rarely waits for one.
const CONNECTIONS: usize = 256;
const ACCOUNTS: usize = 1024;

#[derive(Args, Clone)]
pub(crate) struct JobOptions {
    /// Rounds; each has every load once
    #[arg(long = "job-rounds", id = "job_rounds", default_value_t = 5)]
    rounds: usize,
    /// Seconds that each load is counted
    #[arg(long = "job-seconds", id = "job_seconds", default_value_t = 4.0)]
    seconds: f64,
    /// Seconds that a load in open loop is counted
    #[arg(long = "job-open-seconds", id = "job_open_seconds", default_value_t = 10.0)]
    open_seconds: f64,
}

/// The server under measurement, and the one that is stopped meanwhile.
struct Both {
    site: BenchServer,
    node: NodeServer,
}

pub(crate) async fn job(options: &JobOptions, quick: bool) -> Result<Section, Box<dyn Error>> {
    let rounds = if quick { 1 } else { options.rounds };
    let length = Length::of(if quick { 1.0 } else { options.seconds });
    let open_length = Length::of(if quick { 3.0 } else { options.open_seconds });
    let site = BenchServer::start(ACCOUNTS, AccessLog::Written, None, |_| ()).await?;
    let node = NodeServer::start(&site.world)?;
    let both = Both { site, node };
    let (mut ours, mut theirs) = (Runs::default(), Runs::default());
    for round in 1..=rounds {
        for load in CLOSED {
            let Closed { connections, one_account } = load;
            let accounts = if one_account { 1 } else { ACCOUNTS };
            let what = format!("{connections} connections, {accounts} accounts");
            let run = both.keyferry(connections, accounts, length, Pace::Closed).await?.all_good("keyferry")?;
            say(&format!("round {round}: keyferry, {what}"), &run);
            ours.note_closed(load, run);
            let run =
                both.node(connections, accounts, length, Pace::Closed).await?.all_good("the server in Node.js")?;
            say(&format!("round {round}: node, {what}"), &run);
            theirs.note_closed(load, run);
        }
        for share in OPEN {
            let pace = |runs: &Runs| Pace::Open { per_second: runs.capacity() * share };
            let run = both.keyferry(CONNECTIONS, ACCOUNTS, open_length, pace(&ours)).await?;
            say(&format!("round {round}: keyferry, open loop, {share} of capacity"), &run);
            ours.note_open(share, run);
            let run = both.node(CONNECTIONS, ACCOUNTS, open_length, pace(&theirs)).await?;
            say(&format!("round {round}: node, open loop, {share} of capacity"), &run);
            theirs.note_open(share, run);
        }
    }
    section(&ours, &theirs, rounds, length, open_length)
}

impl Both {
    async fn keyferry(
        &self,
        connections: usize,
        accounts: usize,
        length: Length,
        pace: Pace,
    ) -> Result<Run, Box<dyn Error>> {
        let _paused = self.node.paused()?;
        let mut load = self.site.load(connections, length, pace);
        load.accounts = accounts;
        self.site.measure(load).await
    }

    async fn node(
        &self,
        connections: usize,
        accounts: usize,
        length: Length,
        pace: Pace,
    ) -> Result<Run, Box<dyn Error>> {
        let _paused = Paused::new([self.site.world.server.pid()])?;
        let load = load(self.node.address(), &self.site.world.api_key, "stripe", accounts, connections, length, pace);
        measure(load, || self.node.used()).await
    }
}

/// Prints the results of a load.
fn say(what: &str, run: &Run) {
    let latency = run.told.latency;
    println!(
        "{what}: {} a second, {} us CPU, p50 {} p99 {} us",
        shown(run.rate()),
        shown(run.micros_a_request()),
        shown(latency.p50),
        shown(latency.p99)
    );
}
