//! The rows of one app of one import: as many at once as its provider lets, those that can be tried again included.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::outcome::{Outcome, WAIT};
use super::pace::{Hold, Pace, Went};
use super::progress::{Waiting, WaitingFor};
use super::run::Tally;
use super::work::{Bench, Pending, Worked};
use crate::plugins::Reach;
use crate::store::{RowState, Timestamp};
use crate::telemetry::metrics;

/// Rows that are read from the ledger at a time.
const READ_AT_ONCE: usize = 128;
/// How often a row is tried while its provider works for others, and how often while it is refused for being too fast.
const MOST_FAILURES: u32 = 4;
const MOST_ATTEMPTS: u32 = 50;
/// How long a row waits after its first failure; twice as long after each further one.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// Rows that wait to be tried again, at most: each of them is kept with its sealed credential.
const MOST_OPEN: usize = 512;
/// Nothing to wait for but what is under way.
const LONG: Duration = Duration::from_secs(3600);

/// How the work on an app's rows ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum LaneEnd {
    /// All of them are settled.
    Done,
    /// The import stops.
    Halted,
    /// The provider has been down for too long.
    GivenUp(String),
}

/// The rows of one app.
pub(super) struct Lane {
    bench: Arc<Bench>,
    tally: Arc<Tally>,
    pace: Pace,
    /// Read from the ledger and not begun.
    fresh: VecDeque<Pending>,
    /// The last one that was read; whether there are more.
    cursor: Option<u64>,
    more: bool,
    /// To be tried again.
    open: Vec<Pending>,
    under_way: JoinSet<(Pending, Worked)>,
    /// Something of ours is in the way until then.
    blocked: Option<(Instant, String)>,
    /// What was said last of why rows wait.
    said: String,
}

impl Lane {
    pub(super) fn new(bench: Bench, tally: Arc<Tally>) -> Self {
        // An app that is not in service settles its rows without asking anybody.
        let reach = bench.importer.migrator.app(bench.slug.as_str()).map_or(Reach::SameHosts, |app| app.grants.reach());
        Self {
            pace: Pace::new(bench.importer.settings.per_app, reach),
            bench: Arc::new(bench),
            tally,
            fresh: VecDeque::new(),
            cursor: None,
            more: true,
            open: Vec::new(),
            under_way: JoinSet::new(),
            blocked: None,
            said: String::new(),
        }
    }

    /// Works until there is nothing more to do, or it is to stop.
    pub(super) async fn run(mut self, mut stop: watch::Receiver<bool>) -> LaneEnd {
        let end = loop {
            if *stop.borrow_and_update() || self.tally.is_full() {
                break LaneEnd::Halted;
            }
            if let Some(since) = self.pace.down_since()
                && since.elapsed() >= self.bench.importer.settings.patience
            {
                let (slug, minutes) = (&self.bench.slug, since.elapsed().as_secs().div_ceil(60));
                break LaneEnd::GivenUp(format!(
                    "{slug} has been down for {minutes} min ({}); resume to go on",
                    self.said
                ));
            }
            self.refill().await;
            let now = Instant::now();
            self.begin_some(now);
            if self.under_way.is_empty() && self.fresh.is_empty() && self.open.is_empty() && !self.more {
                break LaneEnd::Done;
            }
            self.tell(now);
            let wake = self.wake(now);
            tokio::select! {
                Some(ended) = self.under_way.join_next() => {
                    if let Ok((pending, worked)) = ended {
                        self.ended(pending, worked).await;
                    }
                }
                () = tokio::time::sleep_until(wake) => {}
                _ = stop.changed() => {}
            }
        };
        // What has begun is not broken off: it may be about to be stored.
        while let Some(ended) = self.under_way.join_next().await {
            if let Ok((pending, worked)) = ended {
                self.ended(pending, worked).await;
            }
        }
        self.bench.job.progress.wait(&self.bench.slug, None);
        end
    }

    async fn refill(&mut self) {
        if !self.more
            || !self.fresh.is_empty()
            || self.blocked.as_ref().is_some_and(|(until, _)| *until > Instant::now())
        {
            return;
        }
        let Bench { importer, record, slug, .. } = &*self.bench;
        match importer.store.queued_rows(record.key.id, slug, self.cursor, READ_AT_ONCE).await {
            Ok(inputs) => {
                self.more = inputs.len() == READ_AT_ONCE;
                self.cursor = inputs.last().map(|input| input.number).or(self.cursor);
                self.fresh.extend(inputs.into_iter().map(Pending::new));
            }
            Err(error) => self.block(WAIT, error.to_string()),
        }
    }

    fn begin_some(&mut self, now: Instant) {
        if self.blocked.as_ref().is_some_and(|(until, _)| *until > now) {
            return;
        }
        self.blocked = None;
        while self.under_way.len() < self.pace.room(now) {
            let Some(mut pending) = self.next(now) else {
                return;
            };
            let bench = Arc::clone(&self.bench);
            self.under_way.spawn(async move {
                let worked = bench.attempt(&mut pending).await;
                (pending, worked)
            });
        }
    }

    /// What can be begun: what was begun before goes first.
    fn next(&mut self, now: Instant) -> Option<Pending> {
        let due = self.open.iter().position(|pending| pending.due.is_none_or(|due| due <= now));
        match due {
            Some(at) => Some(self.open.swap_remove(at)),
            None if self.open.len() >= MOST_OPEN => None,
            None => self.fresh.pop_front(),
        }
    }

    async fn ended(&mut self, mut pending: Pending, worked: Worked) {
        let now = Instant::now();
        match worked {
            Worked::Settled { state, went } => self.settled(pending.input.number, state, went, now),
            Worked::InTheWay(in_the_way) => {
                // The provider was not asked, or nobody will know what it said.
                pending.attempts = pending.attempts.saturating_sub(1);
                self.block(in_the_way.wait, in_the_way.reason);
                self.open.push(pending);
            }
            Worked::NotBegun => self.open.push(pending),
            Worked::Open(outcome) => {
                let alone = self.pace.ended(pending.input.number, outcome.went, now);
                self.said = outcome.detail.clone().unwrap_or_default();
                pending.due = alone;
                let is_down = outcome.went == Went::Down && self.pace.down_since().is_some();
                if outcome.went == Went::Down && !is_down {
                    pending.failures += 1;
                    pending.due = Some(now + FIRST_WAIT * 2_u32.saturating_pow(pending.failures - 1));
                }
                if pending.failures >= MOST_FAILURES || pending.attempts >= MOST_ATTEMPTS {
                    self.give_up(pending, outcome).await;
                } else {
                    self.open.push(pending);
                }
            }
        }
    }

    /// Settles a row that was tried often enough. It can be tried again by `retry-failed`.
    async fn give_up(&mut self, pending: Pending, outcome: Outcome) {
        match self.bench.settle(&pending, &outcome).await {
            Worked::Settled { state, .. } => {
                self.count(state, Instant::now());
            }
            Worked::InTheWay(in_the_way) => {
                self.block(in_the_way.wait, in_the_way.reason);
                self.open.push(pending);
            }
            Worked::Open(_) | Worked::NotBegun => self.open.push(pending),
        }
    }

    fn settled(&mut self, number: u64, state: RowState, went: Went, now: Instant) {
        self.pace.ended(number, went, now);
        self.count(state, now);
    }

    fn count(&self, state: RowState, now: Instant) {
        metrics::import_row(state.as_str());
        self.bench.job.progress.settled(now);
        self.tally.settled(state);
    }

    fn block(&mut self, wait: Duration, reason: String) {
        tracing::warn!(app = %self.bench.slug, reason, "rows of an import wait");
        self.blocked = Some((Instant::now() + wait, reason));
    }

    /// Tells whoever looks why nothing is begun.
    fn tell(&self, now: Instant) {
        let waiting = match (&self.blocked, self.pace.hold()) {
            (Some((until, reason)), _) => Some((WaitingFor::Server, *until, reason)),
            (None, Some((Hold::RateLimited, until))) => Some((WaitingFor::RateLimit, until, &self.said)),
            (None, Some((Hold::Down, until))) => Some((WaitingFor::Provider, until, &self.said)),
            // Each row that there is waits for itself.
            (None, None) if self.under_way.is_empty() => {
                let first = self.open.iter().filter_map(|pending| pending.due).min();
                first.map(|until| (self.pace.waits_alone_for(), until, &self.said))
            }
            (None, None) => None,
        };
        let waiting = waiting.map(|(reason, until, detail)| Waiting {
            reason,
            until: Timestamp::now().after(until.saturating_duration_since(now)),
            detail: detail.clone(),
        });
        self.bench.job.progress.wait(&self.bench.slug, waiting);
    }

    /// When there may be something to begin, if nothing that is under way ends before.
    fn wake(&self, now: Instant) -> Instant {
        let blocked = self.blocked.as_ref().map(|(until, _)| *until);
        let hold = self.pace.hold().map(|(_, until)| until);
        if let Some(until) = blocked.max(hold) {
            return until;
        }
        self.open.iter().filter_map(|pending| pending.due).min().unwrap_or(now + LONG).max(now)
    }
}
