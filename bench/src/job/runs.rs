//! The loads, and all runs of one server under them.

use crate::figures::Spread;
use crate::load::Run;

/// A load in closed loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Closed {
    pub(super) connections: usize,
    /// All requests are for one linked account, instead of for many in turn.
    pub(super) one_account: bool,
}

/// With `connections`, each with accounts of its own.
const fn many(connections: usize) -> Closed {
    Closed { connections, one_account: false }
}

pub(super) const ALONE: Closed = many(1);
/// The load at which the two servers are compared and the capacity is measured.
pub(super) const COMPARED: Closed = many(64);
pub(super) const ONE_ACCOUNT: Closed = Closed { connections: COMPARED.connections, one_account: true };
pub(super) const CLOSED: [Closed; 5] = [ALONE, many(16), COMPARED, ONE_ACCOUNT, many(256)];
/// Shares of the capacity in open loop.
pub(super) const HALF: f64 = 0.5;
pub(super) const MOST: f64 = 0.7;
pub(super) const OPEN: [f64; 2] = [HALF, MOST];

/// All runs of one server.
#[derive(Default)]
pub(super) struct Runs {
    closed: Vec<(Closed, Run)>,
    open: Vec<(f64, Run)>,
}

impl Runs {
    pub(super) fn note_closed(&mut self, load: Closed, run: Run) {
        self.closed.push((load, run));
    }

    pub(super) fn note_open(&mut self, share: f64, run: Run) {
        self.open.push((share, run));
    }

    /// The latest rate at [`COMPARED`].
    pub(super) fn capacity(&self) -> f64 {
        self.closed(COMPARED).last().map_or(1.0, Run::rate)
    }

    pub(super) fn closed(&self, load: Closed) -> impl DoubleEndedIterator<Item = &Run> {
        self.closed.iter().filter(move |(known, _)| *known == load).map(|(_, run)| run)
    }

    pub(super) fn open(&self, share: f64) -> impl Iterator<Item = &Run> {
        self.open.iter().filter(move |(known, _)| known.total_cmp(&share).is_eq()).map(|(_, run)| run)
    }

    /// A figure of each round.
    pub(super) fn figures(&self, load: Closed, figure: impl Fn(&Run) -> f64) -> Vec<f64> {
        self.closed(load).map(figure).collect()
    }
}

/// Of at least one run.
pub(super) fn spread<'a>(
    runs: impl Iterator<Item = &'a Run>,
    figure: impl Fn(&Run) -> f64,
) -> Result<Spread, &'static str> {
    Spread::of(runs.map(figure)).ok_or("a load was not measured")
}

/// The p99 latency as a multiple of the median.
pub(super) fn tail(run: &Run) -> f64 {
    run.told.latency.p99 / run.told.latency.p50.max(1.0)
}

/// The p99.9 latency as a multiple of the median.
pub(super) fn far_tail(run: &Run) -> f64 {
    run.told.latency.p999 / run.told.latency.p50.max(1.0)
}
