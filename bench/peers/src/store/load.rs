//! Writers that each wait for a reply before they write again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::contestants::Contestant;
use crate::outcome::{Outcome, Tried as _};
use crate::process::Used;

/// The results of one round.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Round {
    pub(super) records: u64,
    pub(super) batches: u64,
    pub(super) took: Duration,
    pub(super) used: Used,
}

impl Round {
    pub(super) fn rate(&self) -> f64 {
        self.records as f64 / self.took.as_secs_f64()
    }

    /// The mean number of records in a batch.
    pub(super) fn batch(&self) -> f64 {
        self.records as f64 / self.batches.max(1) as f64
    }

    pub(super) fn cpu_micros(&self) -> f64 {
        self.used.cpu.as_secs_f64() * 1e6 / self.records.max(1) as f64
    }

    pub(super) fn disk_bytes(&self) -> f64 {
        self.used.disk_bytes as f64 / self.records.max(1) as f64
    }
}

/// Runs `writers` concurrent writers for this time; each finishes its write in flight. Record numbers continue from
/// `next`.
pub(super) async fn run(
    contestant: &Arc<Contestant>,
    writers: usize,
    length: Duration,
    next: &Arc<AtomicU64>,
) -> Outcome<Round> {
    let (first, batches, used) = (next.load(Ordering::Relaxed), contestant.batches()?, Used::now()?);
    let began = Instant::now();
    let tasks: Vec<_> = (0..writers)
        .map(|_| {
            let (contestant, next) = (Arc::clone(contestant), Arc::clone(next));
            tokio::spawn(async move {
                while began.elapsed() < length {
                    contestant.write(next.fetch_add(1, Ordering::Relaxed)).await?;
                }
                Ok(())
            })
        })
        .collect();
    for task in tasks {
        let ended: Outcome<()> = task.await.tried("run a writer")?;
        ended?;
    }
    let took = began.elapsed();
    Ok(Round {
        records: next.load(Ordering::Relaxed) - first,
        batches: contestant.batches()? - batches,
        took,
        used: Used::now()?.since(used),
    })
}
