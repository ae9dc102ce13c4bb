//! [`AppWorker`]: works on the rows of one app of one import, in the order of the file, with the concurrency that its provider
//! allows, and tries rows again if that can help. A failed row does not stop others.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::failure_count::FailureCount;
use super::host_health::{Access, HostHealth};
use super::job::Stop;
use super::outcome::WAIT;
use super::queued_rows::QueuedRows;
use super::rate_controller::RateController;
use super::retry_queue::{RetryQueue, StartedRow};
use super::row_worker::{Asked, Pending, RowWorker, Worked};
use keyferry_store::{RowInput, Timestamp};

/// A provider's host name.
pub(super) type Host = Arc<str>;

/// How the work on an app's rows ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum WorkerEnd {
    /// All of them are settled.
    Done,
    /// The import stops; no more rows are started.
    Halted,
    /// The provider has been down for too long.
    GivenUp(String),
}

/// The rows of one app.
pub(super) struct AppWorker {
    pub(super) worker: Arc<RowWorker>,
    pub(super) failures: Arc<FailureCount>,
    pub(super) rate: RateController,
    pub(super) queued: QueuedRows,
    pub(super) retries: RetryQueue,
    pub(super) hosts: HashMap<Host, HostHealth>,
    /// The host that all rows wait for, as the rows that were begun last have shown.
    pub(super) blocking_host: Option<Host>,
    /// Hosts that are down and that not all rows need: other rows get responses elsewhere.
    pub(super) bypassed_hosts: HashSet<Host>,
    /// First attempts in a row that failed at a host that is the same for all rows.
    pub(super) fresh_failed: usize,
    /// Verified rows by host: they distinguish a host that is down from credentials that it fails.
    pub(super) verified: HashMap<Host, RowInput>,
    under_way: JoinSet<Ended>,
    /// A condition of this server that stops all rows, and its end.
    pub(super) blocked: Option<Blocked>,
    /// Number of probes so far: it selects the kind of row that probes next.
    pub(super) probes: usize,
    /// Whether a row of the retry queue is begun next.
    pub(super) is_retrys_turn: bool,
}

/// A condition of this server that stops all rows.
pub(super) struct Blocked {
    pub(super) since: Timestamp,
    pub(super) until: Instant,
    pub(super) reason: String,
}

/// The next row to start.
pub(super) enum Next {
    /// A row that was not begun before.
    Fresh(RowInput),
    /// A row that was started before.
    Retry(StartedRow),
    /// A row that has waited for too long is settled as it is.
    Settle(StartedRow),
    /// A row that was verified is verified again, to probe its host.
    Verified(Host, RowInput),
}

/// A finished piece of work.
#[expect(
    clippy::large_enum_variant,
    reason = "one is made and taken apart for each attempt, which costs far more than the move"
)]
enum Ended {
    Row {
        pending: Pending,
        worked: Worked,
        attempt: Attempt,
    },
    Verified {
        host: Host,
        input: RowInput,
        asked: Asked,
        began: Instant,
    },
    /// The row could not be read, or was settled meanwhile.
    Unread {
        row: StartedRow,
        attempt: Attempt,
        error: Option<String>,
    },
}

/// How and why a row was begun.
#[derive(Debug, Clone)]
pub(super) struct Attempt {
    /// The host whose state the row finds out.
    pub(super) probe: Option<Host>,
    pub(super) is_fresh: bool,
    /// Its provider is not asked again: the row is settled as it is.
    pub(super) is_last: bool,
    pub(super) began: Instant,
}

impl AppWorker {
    pub(super) fn new(worker: RowWorker, failures: Arc<FailureCount>) -> Self {
        Self {
            rate: RateController::new(worker.importer.settings.per_app),
            queued: QueuedRows::new(worker.record.rows),
            worker: Arc::new(worker),
            failures,
            retries: RetryQueue::default(),
            hosts: HashMap::new(),
            blocking_host: None,
            bypassed_hosts: HashSet::new(),
            fresh_failed: 0,
            verified: HashMap::new(),
            under_way: JoinSet::new(),
            blocked: None,
            probes: 0,
            is_retrys_turn: false,
        }
    }

    /// Works until all rows are settled, or the job stops.
    pub(super) async fn run(mut self, mut stop: watch::Receiver<Stop>) -> WorkerEnd {
        let end = loop {
            if *stop.borrow_and_update() != Stop::Not || self.failures.is_full() {
                break WorkerEnd::Halted;
            }
            let now = Instant::now();
            self.begin_some(now).await;
            if self.under_way.is_empty() {
                if self.retries.is_empty() && self.queued.is_over() {
                    break WorkerEnd::Done;
                }
                if let Some(reason) = self.given_up(now) {
                    break WorkerEnd::GivenUp(reason);
                }
            }
            self.report_waits(now);
            let wake = self.wake(now);
            tokio::select! {
                Some(ended) = self.under_way.join_next() => {
                    if let Ok(ended) = ended {
                        self.ended(ended).await;
                    }
                }
                () = tokio::time::sleep_until(wake) => {}
                _ = stop.changed() => {}
            }
        };
        // Started rows are completed while there is time: one may be about to be stored.
        while *stop.borrow_and_update() != Stop::AtOnce && !self.under_way.is_empty() {
            tokio::select! {
                Some(ended) = self.under_way.join_next() => {
                    if let Ok(ended) = ended {
                        self.ended(ended).await;
                    }
                }
                _ = stop.changed() => {}
            }
        }
        self.worker.job.progress.wait(&self.worker.slug, None);
        end
    }

    async fn begin_some(&mut self, now: Instant) {
        if self.blocked.as_ref().is_some_and(|blocked| blocked.until > now) {
            return;
        }
        self.blocked = None;
        if let Err(error) = self.queued.fill(&self.worker).await {
            self.block(WAIT, error.to_string());
            return;
        }
        while self.under_way.len() < self.rate.room() {
            match self.next(now).await {
                Ok(Some((next, probe))) => self.begin(next, probe),
                Ok(None) => return,
                Err(error) => return self.block(WAIT, error.to_string()),
            }
            if let Err(error) = self.queued.fill(&self.worker).await {
                return self.block(WAIT, error.to_string());
            }
        }
    }

    fn begin(&mut self, next: Next, probe: Option<Host>) {
        if let Some(health) = probe.as_ref().and_then(|host| self.hosts.get_mut(host)) {
            health.begin_probe();
        }
        let (worker, began) = (Arc::clone(&self.worker), Instant::now());
        match next {
            Next::Verified(host, input) => {
                self.under_way.spawn(async move {
                    let asked = worker.ask_again(&input, &host).await;
                    Ended::Verified { host, input, asked, began }
                });
            }
            Next::Fresh(input) => {
                let attempt = Attempt { probe, is_fresh: true, is_last: false, began };
                let mut pending = Pending { row: StartedRow::new(input.number), input };
                self.under_way.spawn(async move {
                    let worked = worker.attempt(&mut pending).await;
                    Ended::Row { pending, worked, attempt }
                });
            }
            Next::Retry(row) => self.begin_again(row, Attempt { probe, is_fresh: false, is_last: false, began }),
            Next::Settle(row) => self.begin_again(row, Attempt { probe: None, is_fresh: false, is_last: true, began }),
        }
    }

    fn begin_again(&mut self, row: StartedRow, attempt: Attempt) {
        self.worker.job.progress.wait_row(row.number, None);
        let worker = Arc::clone(&self.worker);
        self.under_way.spawn(async move {
            let input = match worker.load(row.number).await {
                Ok(Some(input)) => input,
                Ok(None) => return Ended::Unread { row, attempt, error: None },
                Err(error) => return Ended::Unread { row, attempt, error: Some(error.to_string()) },
            };
            let mut pending = Pending { input, row };
            let worked = match pending.row.outcome.clone().filter(|_| attempt.is_last) {
                Some(outcome) => Worked::Retry(outcome),
                None => worker.attempt(&mut pending).await,
            };
            Ended::Row { pending, worked, attempt }
        });
    }

    async fn ended(&mut self, ended: Ended) {
        let now = Instant::now();
        match ended {
            Ended::Row { pending, worked, attempt } => {
                let probe = attempt.probe.clone();
                self.row_ended(pending, worked, attempt, now).await;
                self.end_probe(probe, now);
            }
            Ended::Unread { row, attempt, error } => {
                if let Some(reason) = error {
                    self.block(WAIT, reason);
                    self.wait(row, now);
                }
                self.end_probe(attempt.probe, now);
            }
            Ended::Verified { host, input, asked: Asked::Answered, began } => {
                self.verified.insert(host.clone(), input);
                self.host_responded(&host, began, now);
            }
            Ended::Verified { host, input, asked: Asked::NotSent(wait), .. } => {
                if let Some(health) = self.hosts.get_mut(&host) {
                    health.held_back(wait, now);
                    self.verified.insert(host, input);
                }
            }
            // No credential is the cause.
            Ended::Verified { host, asked: Asked::Failed, .. } => {
                if let Some(health) = self.hosts.get_mut(&host) {
                    health.is_certain = true;
                }
            }
        }
    }

    fn end_probe(&mut self, probe: Option<Host>, now: Instant) {
        let Some(host) = probe else { return };
        let search = self.search(&host);
        if let Some(health) = self.hosts.get_mut(&host) {
            health.end_probe(search, now);
        }
    }

    pub(super) fn access(&self, host: &str, now: Instant) -> Access {
        self.hosts.get(host).map_or(Access::Free, |health| health.access(now))
    }

    /// Has a row wait until a time.
    pub(super) fn wait(&mut self, row: StartedRow, until: Instant) {
        self.report_row(&row, Some(until));
        self.retries.wait(row, until);
    }

    /// Has a row wait until its host responds.
    pub(super) fn park(&mut self, row: StartedRow, host: &Host) {
        self.report_row(&row, None);
        self.retries.park(row, host);
    }

    pub(super) fn block(&mut self, wait: Duration, reason: String) {
        tracing::warn!(app = %self.worker.slug, reason, "rows of an import wait");
        let since = self.blocked.as_ref().map_or_else(Timestamp::now, |blocked| blocked.since);
        self.blocked = Some(Blocked { since, until: Instant::now() + wait, reason });
    }
}
