//! [`RetryQueue`]: rows that were begun and wait for another attempt, for a time or for their host.
//!
//! Their sealed credentials are not kept: they are read from the ledger again.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::outcome::Outcome;
use keyferry_store::Timestamp;

/// Rows that can wait. One more is settled as it is.
const MOST: usize = 20_000;
/// Attempts at a row whose host works for others.
pub(super) const MOST_FAILURES: u32 = 4;
/// How long a row waits after its first failure; twice as long after each further one.
const FIRST_WAIT: Duration = Duration::from_millis(500);

/// A row that was begun.
#[derive(Debug, Clone)]
pub(super) struct StartedRow {
    /// Its number in the file.
    pub(super) number: u64,
    /// How often its provider was asked.
    pub(super) attempts: u32,
    /// Number of failures though the host works for others.
    pub(super) failures: u32,
    pub(super) first_attempt: Option<Instant>,
    /// Whether its host has responded to another row since it failed.
    pub(super) is_own_fault: bool,
    /// The start of the wait.
    pub(super) since: Timestamp,
    /// The outcome of its last attempt.
    pub(super) outcome: Option<Outcome>,
}

/// The rows of one app that were begun and are to be tried again.
#[derive(Debug, Default)]
pub(super) struct RetryQueue {
    rows: BTreeMap<u64, StartedRow>,
    due: BTreeSet<(Instant, u64)>,
    parked: HashMap<Arc<str>, BTreeSet<u64>>,
}

impl StartedRow {
    /// A row that was not begun.
    pub(super) fn new(number: u64) -> Self {
        Self {
            number,
            attempts: 0,
            failures: 0,
            first_attempt: None,
            is_own_fault: false,
            since: Timestamp::now(),
            outcome: None,
        }
    }

    /// Counts a failure. Returns the end of the wait, or `None` after the last attempt.
    pub(super) fn fail(&mut self, now: Instant) -> Option<Instant> {
        self.failures += 1;
        let wait = FIRST_WAIT * 2_u32.saturating_pow(self.failures - 1);
        (self.failures < MOST_FAILURES).then(|| now + wait)
    }
}

impl RetryQueue {
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Whether no further row can wait.
    pub(super) fn is_full(&self) -> bool {
        self.rows.len() >= MOST
    }

    /// Has a row wait until a time.
    pub(super) fn wait(&mut self, row: StartedRow, until: Instant) {
        self.due.insert((until, row.number));
        self.rows.insert(row.number, row);
    }

    /// Has a row wait until its host responds.
    pub(super) fn park(&mut self, row: StartedRow, host: &Arc<str>) {
        self.parked.entry(Arc::clone(host)).or_default().insert(row.number);
        self.rows.insert(row.number, row);
    }

    /// The next row whose time has come.
    pub(super) fn due(&mut self, now: Instant) -> Option<StartedRow> {
        let (at, number) = *self.due.first()?;
        if at > now {
            return None;
        }
        self.due.remove(&(at, number));
        self.rows.remove(&number)
    }

    /// One of the rows that wait for a host: the one that was asked least often.
    pub(super) fn parked(&mut self, host: &str) -> Option<StartedRow> {
        let parked = self.parked.get_mut(host)?;
        let attempts = |number: &u64| self.rows.get(number).map_or(0, |row| row.attempts);
        let number = *parked.iter().min_by_key(|number| attempts(number))?;
        parked.remove(&number);
        if parked.is_empty() {
            self.parked.remove(host);
        }
        self.rows.remove(&number)
    }

    /// The hosts that rows wait for.
    pub(super) fn hosts(&self) -> impl Iterator<Item = &Arc<str>> {
        self.parked.keys()
    }

    /// Whether all rows wait for hosts.
    pub(super) fn is_all_parked(&self) -> bool {
        self.due.is_empty()
    }

    /// A host has responded: rows that failed there are tried again, and a further failure is their own.
    pub(super) fn release(&mut self, host: &str, now: Instant) {
        for number in self.parked.remove(host).unwrap_or_default() {
            self.due.insert((now + FIRST_WAIT, number));
        }
        for row in self.rows.values_mut().filter(|row| row.host().is_some_and(|of| &**of == host)) {
            row.is_own_fault = true;
        }
    }

    /// The first row that waits for a time, and that time.
    pub(super) fn first(&self) -> Option<(Instant, &StartedRow)> {
        let (at, number) = self.due.first()?;
        Some((*at, self.rows.get(number)?))
    }
}

impl StartedRow {
    /// The host that it was last tried at.
    pub(super) fn host(&self) -> Option<&Arc<str>> {
        self.outcome.as_ref()?.contact.as_ref().map(|contact| &contact.host)
    }
}
