//! The one thread that writes.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::checkpoint::{Checkpointer, Database};
use super::durability::{Progress, Space, Work};
use super::journal::Journal;
use super::watermark::Watermark;
use crate::records::{Batch, Changes, Job, Queue, link, reply_to_all, sweep};
use crate::{StoreError, StoreResult};
use keyferry_telemetry::metrics;

/// Bytes of changes after which a batch is brought to disk before its other writes are applied.
const LARGE: usize = 1 << 20;

/// State of the committer thread.
pub(super) struct Committer {
    pub(super) database: Database,
    pub(super) journal: Journal,
    pub(super) checkpointer: Checkpointer,
    pub(super) watermark: Watermark,
    pub(super) progress: Arc<Progress>,
    pub(super) space: Space,
    pub(super) sweep_every: Duration,
}

impl Committer {
    /// Runs until the queue is closed. A panic counts as a failure of the store.
    pub(super) fn run(mut self, queue: &Queue) {
        let progress = Arc::clone(&self.progress);
        if catch_unwind(AssertUnwindSafe(|| self.work(queue))).is_err() {
            progress.fail("the thread that writes has panicked");
        }
        // Callers that are still queued notice it, and find the reason in `progress`.
        queue.abandon();
    }

    fn work(&mut self, queue: &Queue) {
        let mut expected = 1;
        let mut swept = Instant::now();
        loop {
            let Batch { jobs, closing } = queue.take(expected, self.sweep_every);
            expected = jobs.len().max(1);
            let sweep = swept.elapsed() >= self.sweep_every;
            if sweep {
                swept = Instant::now();
            }
            self.commit(jobs, sweep);
            if let Some(reply) = closing {
                let _ = reply.send(self.last_sync());
                return;
            }
            self.checkpoint_if_due(sweep);
        }
    }

    /// Applies a batch, brings it to disk, and replies: in this order.
    fn commit(&mut self, mut jobs: Vec<Box<dyn Job>>, with_sweep: bool) {
        if let Some(fate) = self.refusal() {
            reply_to_all(jobs, || Err(fate()));
            return;
        }
        // Those who wait must hear of a panic too, and not before the store is known to have failed.
        let fate = catch_unwind(AssertUnwindSafe(|| self.attempt(&mut jobs, with_sweep)))
            .unwrap_or_else(|_| Err("the thread that writes has panicked".to_owned()));
        match fate {
            Ok(()) => reply_to_all(jobs, || Ok(())),
            Err(reason) => {
                self.progress.fail(&reason);
                reply_to_all(jobs, || Err(self.progress.failure().unwrap_or(StoreError::Closed)));
            }
        }
    }

    fn attempt(&mut self, jobs: &mut [Box<dyn Job>], with_sweep: bool) -> Result<(), String> {
        let (mut changes, writes, mut took) = (Changes::default(), jobs.len(), Duration::ZERO);
        for job in jobs {
            job.apply(&self.database.tables, &mut changes);
            // Only now it is known what a write makes of rows that it finds.
            if changes.bytes() >= LARGE {
                took += self.complete(mem::take(&mut changes))?;
            }
        }
        if with_sweep {
            sweep(&self.database.tables, &mut changes);
        }
        took += self.complete(changes)?;
        if !took.is_zero() {
            metrics::commit(writes, took);
        }
        Ok(())
    }

    /// Links a batch's events into their trails and brings it to disk. Returns how long the disk took.
    fn complete(&mut self, mut changes: Changes) -> Result<Duration, String> {
        if changes.is_empty() {
            return Ok(Duration::ZERO);
        }
        link(&mut changes).map_err(|error| format!("the audit trail cannot be written: {error}"))?;
        let began = Instant::now();
        self.persist(&changes)?;
        Ok(began.elapsed())
    }

    /// Why nothing can be written right now.
    fn refusal(&self) -> Option<Box<dyn Fn() -> StoreError + '_>> {
        if self.progress.failure().is_some() {
            return Some(Box::new(|| self.progress.failure().unwrap_or(StoreError::Closed)));
        }
        match self.space.check() {
            Err(StoreError::NoSpace { free, needed, path }) => {
                Some(Box::new(move || StoreError::NoSpace { free, needed, path: path.clone() }))
            }
            _ => None,
        }
    }

    /// Brings a batch to disk by the journal, and makes it visible: in this order, so that nothing is read that a power cut could
    /// take back.
    fn persist(&mut self, changes: &Changes) -> Result<(), String> {
        self.progress.begin(Work::Batch);
        self.make_room(changes.bytes() as u64)?;
        self.journal.write(changes).map_err(|error| format!("a batch cannot be written to the journal: {error}"))?;
        let began = Instant::now();
        let synced = self.journal.sync(&*self.database.syncer);
        synced.map_err(|error| format!("a sync of the journal to disk failed: {error}"))?;
        metrics::sync(began.elapsed());
        // Before any caller gets its result: a result must never be lost in a crash.
        self.watermark.reached(self.journal.last());
        self.database.tables.make_visible(changes).map_err(|error| error.to_string())?;
        self.progress.end(Work::Batch);
        Ok(())
    }

    /// Waits for checkpoints until a batch of that size can be added to what sled has not brought to disk.
    fn make_room(&mut self, bytes: u64) -> Result<(), String> {
        loop {
            let is_running = self.checkpointer.is_running();
            if !is_running {
                self.journal.release();
            }
            if self.journal.has_room(bytes) {
                return Ok(());
            }
            if let Some(failure) = self.progress.failure() {
                return Err(failure.to_string());
            }
            if is_running {
                self.checkpointer.wait();
            } else {
                self.begin_checkpoint()?;
            }
        }
    }

    /// Begins a checkpoint if the journal has taken enough, and no other is under way.
    fn checkpoint_if_due(&mut self, with_sweep: bool) {
        let is_due = self.journal.is_full() || with_sweep && !self.journal.is_empty();
        if !is_due || self.progress.failure().is_some() || self.checkpointer.is_running() {
            return;
        }
        if let Err(reason) = self.begin_checkpoint() {
            self.progress.fail(&reason);
        }
    }

    /// Begins a checkpoint. None is under way.
    fn begin_checkpoint(&mut self) -> Result<(), String> {
        self.database.mark(self.journal.last()).map_err(|error| error.to_string())?;
        let former =
            self.journal.turn().map_err(|error| format!("the journal cannot continue in its other file: {error}"))?;
        self.checkpointer.begin(former);
        Ok(())
    }

    /// A checkpoint, so that the next opening finds nothing to apply.
    fn last_sync(&mut self) -> StoreResult<()> {
        if let Some(failure) = self.progress.failure() {
            return Err(failure);
        }
        // Supervised like a batch: the caller that closes the store waits for it.
        self.progress.begin(Work::Batch);
        self.checkpointer.wait();
        if let Some(failure) = self.progress.failure() {
            return Err(failure);
        }
        self.database.mark(self.journal.last()).map_err(|error| self.progress.fail(&error.to_string()))?;
        self.database.bring_to_disk().map_err(|reason| self.progress.fail(&reason))?;
        self.progress.end(Work::Batch);
        Ok(())
    }
}
