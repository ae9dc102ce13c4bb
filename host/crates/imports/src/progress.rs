//! [`Progress`]: the rate of an import, and the rows that wait.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use keyferry_store::Timestamp;
use keyferry_types::ids::Slug;

/// The time over which a rate is taken, and the time from one look to the next.
const WINDOW: Duration = Duration::from_secs(10);
const STEP: Duration = Duration::from_millis(250);

/// Why an app's rows wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitingFor {
    /// The provider's rate limit.
    RateLimit,
    /// Its provider cannot be reached, or fails.
    Provider,
    /// Something of this server's is in the way.
    Server,
}

impl WaitingFor {
    /// The serialised form, such as `rate_limit`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RateLimit => "rate_limit",
            Self::Provider => "provider",
            Self::Server => "server",
        }
    }
}

/// An app whose rows wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The reason of the wait.
    pub reason: WaitingFor,
    /// The start of the wait.
    pub since: Timestamp,
    /// Until when, as it looks now: the next try.
    pub until: Timestamp,
    /// The outcome of the last row, for people.
    pub detail: String,
    /// The rows that wait.
    pub rows: WaitingRows,
}

/// Which of an app's rows wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitingRows {
    /// All that are not settled.
    All,
    /// This number of rows; the others are being worked on.
    Some(u64),
}

/// Why a single row waits that was begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowWaiting {
    /// The start of the wait.
    pub since: Timestamp,
    /// Until when; `None` where it waits until its host responds.
    pub until: Option<Timestamp>,
    /// How often it was tried.
    pub attempts: u32,
    /// The outcome of its last attempt, for people.
    pub detail: Option<String>,
}

/// The progress of an import in this process.
#[derive(Debug, Default)]
pub(super) struct Progress(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    settled: u64,
    seen: VecDeque<(Instant, u64)>,
    waiting: BTreeMap<Slug, Waiting>,
    rows: BTreeMap<u64, RowWaiting>,
}

impl Progress {
    /// Counts a settled row.
    pub(super) fn settled(&self, now: Instant) {
        let mut inner = self.0.lock();
        inner.settled += 1;
        if inner.seen.back().is_none_or(|(last, _)| now.duration_since(*last) >= STEP) {
            let settled = inner.settled;
            inner.seen.push_back((now, settled));
        }
        while inner.seen.front().is_some_and(|(first, _)| now.duration_since(*first) > WINDOW) {
            inner.seen.pop_front();
        }
    }

    /// Rows a second over the last seconds.
    pub(super) fn rate(&self, now: Instant) -> f64 {
        let inner = self.0.lock();
        let Some((first, before)) = inner.seen.iter().find(|(at, _)| now.duration_since(*at) <= WINDOW) else {
            return 0.0;
        };
        let rows = u32::try_from(inner.settled.saturating_sub(*before)).unwrap_or(u32::MAX);
        f64::from(rows) / now.duration_since(*first).as_secs_f64().max(STEP.as_secs_f64())
    }

    /// An app's rows wait, or continue.
    pub(super) fn wait(&self, slug: &Slug, waiting: Option<Waiting>) {
        let mut inner = self.0.lock();
        match waiting {
            Some(waiting) => inner.waiting.insert(slug.clone(), waiting),
            None => inner.waiting.remove(slug),
        };
    }

    /// A started row waits, or continues.
    pub(super) fn wait_row(&self, number: u64, waiting: Option<RowWaiting>) {
        let mut inner = self.0.lock();
        match waiting {
            Some(waiting) => inner.rows.insert(number, waiting),
            None => inner.rows.remove(&number),
        };
    }

    /// Whether single rows wait.
    pub(super) fn has_rows(&self) -> bool {
        !self.0.lock().rows.is_empty()
    }

    /// Why a single row waits, if it does.
    pub(super) fn waiting_row(&self, number: u64) -> Option<RowWaiting> {
        self.0.lock().rows.get(&number).cloned()
    }

    /// The apps whose rows wait.
    pub(super) fn waiting(&self) -> BTreeMap<Slug, Waiting> {
        self.0.lock().waiting.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_the_last_seconds() {
        let (progress, began) = (Progress::default(), Instant::now());
        assert!(progress.rate(began) < f64::EPSILON);
        for tenth in 0..200 {
            progress.settled(began + Duration::from_millis(100) * tenth);
        }
        let rate = progress.rate(began + Duration::from_secs(20));
        assert!((9.0..11.0).contains(&rate), "{rate}");
        assert!(progress.rate(began + Duration::from_secs(60)) < f64::EPSILON, "nothing for a minute");
    }
}
