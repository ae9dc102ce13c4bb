//! The one thread of this process that writes.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio_postgres::Client;

use super::batch::{BatchId, OVERTAKEN, Outcome, Tidying, Writing, attempt, was_committed};
use super::connect::Connector;
use super::fault::{Fault, Kind};
use super::lease::Lease;
use super::places::Places;
use super::rows::{Waiter, in_time};
use super::standing::Standing;
use crate::records::{Batch, Job, Queue, reply_to_all};
use crate::{DatabaseFault, StoreError};
use keyferry_telemetry::metrics;

/// How often the database is asked whether it still is there, while nothing is written.
const PROBE_EVERY: Duration = Duration::from_secs(1);

/// State of the thread.
pub(super) struct Committer {
    pub(super) connector: Arc<Connector>,
    /// A runtime of its own: the thread that waits for a commit drives the connection itself.
    pub(super) runtime: Runtime,
    pub(super) client: Option<Client>,
    pub(super) lease: Lease,
    pub(super) places: Places,
    pub(super) standing: Arc<Standing>,
    /// Whether this server does what one of all servers has to do.
    pub(super) leads: Arc<AtomicBool>,
    /// Whether audit events are left that the last batch had no room for.
    pub(super) backlog: Cell<bool>,
    pub(super) sweep_every: Duration,
    /// How long a batch is tried again.
    pub(super) patience: Duration,
}

/// Why a batch was not done.
enum Undone {
    /// Nothing of it was written.
    Nothing(Fault),
    /// It may have been.
    Unknown(Fault),
    /// This process can write nothing more.
    Panicked,
}

impl Committer {
    /// Runs until the queue is closed. A panic counts as a failure of the store.
    pub(super) fn run(mut self, queue: &Queue) {
        let standing = Arc::clone(&self.standing);
        if catch_unwind(AssertUnwindSafe(|| self.work(queue))).is_err() {
            standing.fail("the thread that writes has panicked");
        }
        // Callers that are still queued notice it, and find the reason in `standing`.
        queue.abandon();
    }

    fn work(&mut self, queue: &Queue) {
        let mut expected = 1;
        let (mut swept, mut linked) = (Instant::now(), Instant::now());
        loop {
            let pause = if self.backlog.get() { Duration::ZERO } else { self.sweep_every.min(PROBE_EVERY) };
            let Batch { jobs, closing } = queue.take(expected, pause);
            expected = jobs.len().max(1);
            let leads = self.leads.load(Ordering::Relaxed);
            let tidying = Tidying {
                link: leads && (self.backlog.replace(false) || linked.elapsed() >= PROBE_EVERY),
                sweep: leads && swept.elapsed() >= self.sweep_every,
            };
            if tidying.link {
                linked = Instant::now();
            }
            if tidying.sweep {
                swept = Instant::now();
            }
            match jobs.is_empty() && !tidying.link && !tidying.sweep && closing.is_none() {
                true => self.probe(),
                false if jobs.is_empty() && closing.is_some() => {}
                false => self.commit(jobs, tidying),
            }
            if let Some(reply) = closing {
                self.release();
                let _ = reply.send(self.standing.failure().map_or(Ok(()), Err));
                return;
            }
        }
    }

    /// Carries out a batch and replies, in this order.
    fn commit(&mut self, mut jobs: Vec<Box<dyn Job>>, tidying: Tidying) {
        if self.standing.failure().is_some() {
            reply_to_all(jobs, || Err(self.standing.failure().unwrap_or(StoreError::Closed)));
            return;
        }
        let (writes, began) = (jobs.len(), Instant::now());
        let fate = catch_unwind(AssertUnwindSafe(|| self.persist(&mut jobs, tidying)));
        match fate.unwrap_or(Err(Undone::Panicked)) {
            Ok(()) => {
                self.standing.works();
                if writes > 0 {
                    metrics::commit(writes, began.elapsed());
                }
                reply_to_all(jobs, || Ok(()));
            }
            Err(Undone::Nothing(fault)) if fault.kind == Kind::Overtaken => {
                self.standing.fail(&fault.reason);
                reply_to_all(jobs, || Err(self.standing.failure().unwrap_or(StoreError::Closed)));
            }
            Err(Undone::Nothing(fault)) if fault.kind == Kind::Met && jobs.is_empty() => {}
            Err(Undone::Nothing(fault)) => {
                self.standing.fails(&fault.reason);
                reply_to_all(jobs, || Err(fault.clone().into_error()));
            }
            Err(Undone::Unknown(fault)) => {
                self.standing.fails(&fault.reason);
                reply_to_all(jobs, || Err(StoreError::Unknown { source: DatabaseFault(Arc::clone(&fault.reason)) }));
            }
            Err(Undone::Panicked) => {
                self.standing.fail("the thread that writes has panicked");
                reply_to_all(jobs, || Err(self.standing.failure().unwrap_or(StoreError::Closed)));
            }
        }
    }

    /// Commits a batch, as often as it takes. While the database is known to be away, it is tried once.
    fn persist(&mut self, jobs: &mut [Box<dyn Job>], tidying: Tidying) -> Result<(), Undone> {
        // Without writes, nothing is lost by a failure, and the next look finds out whether the database is there.
        let patience = if self.standing.is_down() || jobs.is_empty() { Duration::ZERO } else { self.patience };
        let deadline = Instant::now() + patience;
        let mut tries = 0;
        loop {
            let fault = match self.attempt(jobs, tidying) {
                Ok(()) => return Ok(()),
                Err(Undone::Nothing(fault)) => fault,
                Err(other) => return Err(other),
            };
            if fault.kind != Kind::Met {
                // A standby, or a server about to end: another connection may lead elsewhere.
                self.client = None;
            }
            if matches!(fault.kind, Kind::Refused | Kind::Overtaken) || Instant::now() >= deadline {
                return Err(Undone::Nothing(fault));
            }
            metrics::batch_retried();
            tracing::debug!(reason = %fault.reason, tries, "a batch of writes is carried out again");
            thread::sleep(pause(fault.kind, tries));
            tries += 1;
        }
    }

    fn attempt(&mut self, jobs: &mut [Box<dyn Job>], tidying: Tidying) -> Result<(), Undone> {
        let id = BatchId::generate().map_err(Undone::Nothing)?;
        self.connect().map_err(Undone::Nothing)?;
        let Some(client) = &self.client else { return Err(Undone::Nothing(Fault::lost("there is no connection"))) };
        let writing =
            Writing { lease: &self.lease, places: &self.places, standing: &self.standing, backlog: &self.backlog };
        match attempt(client, &self.runtime, writing, jobs, tidying, &id) {
            Outcome::Committed => Ok(()),
            Outcome::RolledBack(fault) => Err(Undone::Nothing(fault)),
            Outcome::Unknown(fault) => match self.find_out(&id) {
                Some(true) => Ok(()),
                Some(false) => Err(Undone::Nothing(fault)),
                None => Err(Undone::Unknown(fault)),
            },
        }
    }

    /// Whether a batch was committed whose connection was lost; `None` where the database does not come back in time.
    fn find_out(&mut self, id: &BatchId) -> Option<bool> {
        let deadline = Instant::now() + self.patience;
        let mut tries = 0;
        loop {
            self.client = None;
            let asked = self.connect().and_then(|()| match &self.client {
                Some(client) => Waiter::Own(&self.runtime).wait(was_committed(client, id)),
                None => Err(Fault::lost("there is no connection")),
            });
            match asked {
                Ok(was_committed) => {
                    tracing::info!(was_committed, "the connection to the database was lost during a commit");
                    return Some(was_committed);
                }
                Err(fault) if Instant::now() >= deadline => {
                    tracing::error!(reason = %fault.reason, "what became of a commit is not known");
                    return None;
                }
                Err(fault) => thread::sleep(pause(fault.kind, tries)),
            }
            tries += 1;
        }
    }

    /// Connects, unless it is connected.
    fn connect(&mut self) -> Result<(), Fault> {
        if self.client.as_ref().is_none_or(Client::is_closed) {
            self.client = None;
            let client = self.runtime.block_on(self.connector.connect_to_write())?;
            self.client = Some(client);
        }
        Ok(())
    }

    /// Looks whether the database is there. One that was away must take a transaction to count as back.
    fn probe(&mut self) {
        if self.standing.failure().is_some() {
            return;
        }
        if self.standing.is_down() {
            return self.commit(Vec::new(), Tidying { sweep: true, link: false });
        }
        if self.lease.is_readers() {
            return self.standing.renewed(Instant::now());
        }
        let began = Instant::now();
        let asked = self.connect().and_then(|()| match &self.client {
            Some(client) => Waiter::Own(&self.runtime).wait(self.lease.renew(client)),
            None => Err(Fault::lost("there is no connection")),
        });
        match asked {
            Ok(Some(_)) => self.standing.renewed(began),
            Ok(None) => self.standing.fail(OVERTAKEN),
            Err(fault) => {
                self.client = None;
                self.standing.fails(&fault.reason);
            }
        }
    }

    /// Lets others have this server's work at once. Where that fails, its lease ends by time.
    fn release(&mut self) {
        if self.standing.failure().is_none()
            && self.connect().is_ok()
            && let Some(client) = &self.client
        {
            let _ = self.runtime.block_on(in_time(self.lease.release(client)));
        }
    }
}

/// How long to wait before the next try: of several writers that met, each another time.
fn pause(kind: Kind, tries: u32) -> Duration {
    let most = match kind {
        Kind::Met => 2 << tries.min(5),
        _ => 50 << tries.min(4),
    };
    Duration::from_millis(fastrand::u64(1..=most))
}
