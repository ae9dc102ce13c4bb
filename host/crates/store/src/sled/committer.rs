//! The one thread that writes.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use sled::Transactional as _;
use sled::transaction::{ConflictableTransactionError, TransactionError};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::audit_chain;
use super::durability::{Progress, Space, Syncer};
use super::sweep::sweep;
use super::tables::{Table, Tables};
use super::view::{Changes, View};
use super::watermark::Watermark;
use crate::{StoreError, StoreResult, Timestamp, WebhookKey, WebhookNotifier};
use keyferry_telemetry::metrics;

/// Writes in one batch.
const MOST_WRITES: usize = 256;
/// Bytes after which a batch is closed: a batch should stay within a segment of sled's log, which has 8 MiB.
const MOST_BYTES: usize = 2 << 20;
/// How long a batch waits for writers who took part in the one before and are about to send their next one.
const LINGER: Duration = Duration::from_millis(1);

/// A message in the committer's queue.
pub(super) enum Message {
    Write(Box<dyn Job>),
    Close(oneshot::Sender<StoreResult<()>>),
}

/// A write, with a caller that waits for its result.
pub(super) trait Job: Send {
    /// Bytes that it is about to write, roughly.
    fn weight(&self) -> usize;
    /// Makes its changes, or finds that it cannot.
    fn apply(&mut self, tables: &Tables, batch: &mut Changes);
    /// Replies to the caller with what `apply` returned, or why the batch did not become durable.
    fn reply(self: Box<Self>, fate: Result<(), StoreError>);
}

/// A write as a function.
pub(super) struct Write<F, T> {
    pub(super) function: Option<F>,
    pub(super) result: Option<StoreResult<T>>,
    /// The webhooks that the notifier reports once the batch is on disk.
    pub(super) wakeups: Vec<WebhookKey>,
    pub(super) notifier: Arc<WebhookNotifier>,
    pub(super) reply: oneshot::Sender<StoreResult<T>>,
    pub(super) weight: usize,
    /// Returned with the reply: permits bound the queue.
    pub(super) _permit: OwnedSemaphorePermit,
}

impl<F, T> Job for Write<F, T>
where
    F: FnOnce(&mut View<'_>) -> StoreResult<T> + Send,
    T: Send,
{
    fn weight(&self) -> usize {
        self.weight
    }

    fn apply(&mut self, tables: &Tables, batch: &mut Changes) {
        let Some(function) = self.function.take() else { return };
        let mut view = View::new(tables, batch);
        let result = function(&mut view);
        if result.is_ok() {
            self.wakeups = view.accept();
        }
        self.result = Some(result);
    }

    fn reply(self: Box<Self>, fate: Result<(), StoreError>) {
        if fate.is_ok() {
            self.notifier.notify(self.wakeups);
        }
        let result = match fate {
            Ok(()) => self.result.unwrap_or(Err(StoreError::Closed)),
            Err(error) => Err(error),
        };
        // The caller may have stopped waiting; the write is valid all the same.
        let _ = self.reply.send(result);
    }
}

/// State of the committer thread.
pub(super) struct Committer {
    pub(super) tables: Tables,
    pub(super) syncer: Box<dyn Syncer>,
    pub(super) watermark: Watermark,
    pub(super) progress: Arc<Progress>,
    pub(super) space: Space,
    pub(super) sweep_every: Duration,
}

impl Committer {
    /// Runs until it receives the message to close or all senders are gone. A panic counts as a failure of the store.
    pub(super) fn run(mut self, queue: &Receiver<Message>) {
        let progress = Arc::clone(&self.progress);
        if catch_unwind(AssertUnwindSafe(|| self.work(queue))).is_err() {
            progress.fail("the thread that writes has panicked");
        }
        // Callers that are still queued notice the closed channel, and find the reason in `progress`.
    }

    fn work(&mut self, queue: &Receiver<Message>) {
        let mut expected = 1;
        let mut swept = Instant::now();
        loop {
            let mut batch = Vec::new();
            let mut closing = None;
            match queue.recv_timeout(self.sweep_every) {
                Ok(Message::Write(job)) => closing = gather(queue, job, &mut batch, expected),
                Ok(Message::Close(reply)) => closing = Some(reply),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            expected = batch.len().max(1);
            let sweep = swept.elapsed() >= self.sweep_every;
            if sweep {
                swept = Instant::now();
            }
            self.commit(batch, sweep);
            if let Some(reply) = closing {
                let _ = reply.send(self.last_sync());
                return;
            }
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
        let (mut changes, writes) = (Changes::default(), jobs.len());
        for job in jobs {
            job.apply(&self.tables, &mut changes);
        }
        if with_sweep {
            let mut view = View::new(&self.tables, &mut changes);
            match sweep(&mut view, Timestamp::now()) {
                Ok(()) => _ = view.accept(),
                Err(error) => tracing::warn!(%error, "expired records could not be swept"),
            }
        }
        if changes.is_empty() {
            return Ok(());
        }
        audit_chain::link(&self.tables, &mut changes)
            .map_err(|error| format!("the audit trail cannot be written: {error}"))?;
        let began = Instant::now();
        self.persist(&changes)?;
        metrics::commit(writes, began.elapsed());
        Ok(())
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

    fn persist(&mut self, changes: &Changes) -> Result<(), String> {
        let batch = self.progress.begin();
        let (counter, count) = self.watermark.next();
        let written = self.tables.all().transaction(|trees| {
            if let Some(meta) = trees.get(Table::Meta as usize) {
                meta.insert(counter, &count)?;
            }
            for (table, key, value) in changes.iter() {
                let Some(tree) = trees.get(table as usize) else {
                    return Err(ConflictableTransactionError::Abort(()));
                };
                match value {
                    Some(value) => tree.insert(key, value)?,
                    None => tree.remove(key)?,
                };
            }
            Ok(())
        });
        written.map_err(|error| match error {
            TransactionError::Abort(()) => "a table is not open".to_owned(),
            TransactionError::Storage(error) => format!("a transaction failed: {error}"),
        })?;
        self.flush_and_sync()?;
        // Before any caller gets its result: a result must never be lost in a crash.
        self.watermark.reached();
        self.progress.end(batch);
        Ok(())
    }

    fn flush_and_sync(&mut self) -> Result<(), String> {
        self.tables.db().flush().map_err(|error| format!("a flush failed: {error}"))?;
        let began = Instant::now();
        self.syncer.sync().map_err(|error| format!("a sync to disk failed: {error}"))?;
        metrics::sync(began.elapsed());
        Ok(())
    }

    fn last_sync(&mut self) -> StoreResult<()> {
        if let Some(failure) = self.progress.failure() {
            return Err(failure);
        }
        // Supervised like a batch: the caller that closes the store waits for it.
        let batch = self.progress.begin();
        self.flush_and_sync().map_err(|reason| self.progress.fail(&reason))?;
        self.progress.end(batch);
        Ok(())
    }
}

/// Adds to a batch what is queued. Where the last batch had several writers, the next one waits for as many, 1 ms at most:
/// they have just got their replies and are likely to send their next write. A single writer never waits.
fn gather(
    queue: &Receiver<Message>,
    first: Box<dyn Job>,
    batch: &mut Vec<Box<dyn Job>>,
    expected: usize,
) -> Option<oneshot::Sender<StoreResult<()>>> {
    let deadline = Instant::now() + LINGER;
    let mut bytes = first.weight();
    batch.push(first);
    while batch.len() < MOST_WRITES && bytes < MOST_BYTES {
        let next = match queue.try_recv() {
            Ok(next) => next,
            Err(_) if batch.len() >= expected => return None,
            Err(_) => match queue.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(next) => next,
                Err(_) => return None,
            },
        };
        match next {
            Message::Write(job) => {
                bytes += job.weight();
                batch.push(job);
            }
            Message::Close(reply) => return Some(reply),
        }
    }
    None
}

fn reply_to_all(jobs: Vec<Box<dyn Job>>, fate: impl Fn() -> Result<(), StoreError>) {
    for job in jobs {
        job.reply(fate());
    }
}
