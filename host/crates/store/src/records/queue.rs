//! The queue in front of the thread that writes.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};
use tokio::sync::oneshot;

use super::job::Job;
use crate::StoreResult;

/// Writes in one batch.
const MOST_WRITES: usize = 256;
/// Bytes after which a batch is closed.
const MOST_BYTES: usize = 1 << 20;
/// How long a batch waits for writers who took part in the one before and are about to send their next one.
const LINGER: Duration = Duration::from_millis(1);

/// Replies to the caller that closes the store.
pub(crate) type Closing = oneshot::Sender<StoreResult<()>>;

/// Writes that wait. It has no bound: permits bound it, and a caller that waits for one blocks no thread.
#[derive(Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
    enough: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Box<dyn Job>>,
    closing: Option<Closing>,
    is_closed: bool,
    /// The number of jobs for which the thread that writes is woken. It is not woken for each of them: many are on their way at once.
    wanted: usize,
}

/// What the thread that writes is to do next.
#[derive(Default)]
pub(crate) struct Batch {
    pub(crate) jobs: Vec<Box<dyn Job>>,
    pub(crate) closing: Option<Closing>,
}

impl Queue {
    /// Queues a write. `false` if the queue is closed.
    pub(crate) fn send(&self, job: Box<dyn Job>) -> bool {
        let mut state = self.state.lock();
        if state.is_closed {
            return false;
        }
        state.jobs.push_back(job);
        let is_enough = state.jobs.len() == state.wanted;
        drop(state);
        if is_enough {
            self.enough.notify_one();
        }
        true
    }

    /// Closes the queue for further writes. `false` if it is closed already.
    pub(crate) fn close(&self, closing: Closing) -> bool {
        let mut state = self.state.lock();
        if state.is_closed {
            return false;
        }
        (state.is_closed, state.closing) = (true, Some(closing));
        drop(state);
        self.enough.notify_one();
        true
    }

    /// Drops what waits; nothing more is taken. Callers see that their reply is gone.
    pub(crate) fn abandon(&self) {
        let state = &mut *self.state.lock();
        state.is_closed = true;
        state.jobs.clear();
        state.closing = None;
    }

    /// Waits for the next batch, for `patience` at most. Where the last one had several writers, it waits for as many, 1 ms at most:
    /// they have just got their replies and are likely to send their next write. A single writer never waits.
    pub(crate) fn take(&self, expected: usize, patience: Duration) -> Batch {
        let mut state = self.state.lock();
        self.wait(&mut state, 1, patience);
        if !state.jobs.is_empty() {
            self.wait(&mut state, expected.min(MOST_WRITES), LINGER);
        }
        let mut batch = Batch::default();
        let mut bytes = 0;
        while batch.jobs.len() < MOST_WRITES && bytes < MOST_BYTES {
            let Some(job) = state.jobs.pop_front() else { break };
            bytes += job.weight();
            batch.jobs.push(job);
        }
        if state.jobs.is_empty() {
            batch.closing = state.closing.take();
        }
        batch
    }

    fn wait(&self, state: &mut MutexGuard<'_, State>, wanted: usize, patience: Duration) {
        let until = Instant::now() + patience;
        while state.jobs.len() < wanted && state.closing.is_none() {
            state.wanted = wanted;
            if self.enough.wait_until(state, until).timed_out() {
                break;
            }
        }
        state.wanted = 0;
    }
}
