//! A write that is queued, with its caller.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::changes::Changes;
use super::hints::Hints;
use super::rows::Rows;
use super::view::View;
use super::wakes::together;
use crate::{StoreError, StoreResult, WebhookKey, WebhookNotifier};

/// A write, with a caller that waits for its result.
pub(crate) trait Job: Send {
    /// Bytes that it is about to write, roughly.
    fn weight(&self) -> usize;
    /// Adds what it is about to read.
    fn hint(&self, hints: &mut Hints);
    /// Makes its changes, or finds that it cannot. The last call counts.
    fn apply(&mut self, rows: &dyn Rows, batch: &mut Changes);
    /// Replies to the caller with what `apply` returned, or why the batch did not become durable.
    fn reply(self: Box<Self>, fate: Result<(), StoreError>);
}

/// A write as a function.
pub(super) struct Write<F, T> {
    pub(super) function: F,
    pub(super) result: Option<StoreResult<T>>,
    /// The webhooks that the notifier reports once the batch is durable.
    pub(super) wakeups: Vec<WebhookKey>,
    pub(super) notifier: Arc<WebhookNotifier>,
    pub(super) reply: oneshot::Sender<StoreResult<T>>,
    pub(super) weight: usize,
    pub(super) hints: Hints,
    /// Returned with the reply: permits bound the queue.
    pub(super) _permit: OwnedSemaphorePermit,
}

impl<F, T> Job for Write<F, T>
where
    F: FnMut(&mut View<'_>) -> StoreResult<T> + Send,
    T: Send,
{
    fn weight(&self) -> usize {
        self.weight
    }

    fn hint(&self, hints: &mut Hints) {
        hints.extend(&self.hints);
    }

    fn apply(&mut self, rows: &dyn Rows, batch: &mut Changes) {
        let mut view = View::new(rows, batch);
        let result = (self.function)(&mut view);
        self.wakeups = if result.is_ok() { view.accept() } else { Vec::new() };
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

/// Replies to all writes of a batch.
pub(crate) fn reply_to_all(jobs: Vec<Box<dyn Job>>, fate: impl Fn() -> Result<(), StoreError>) {
    together(|| jobs.into_iter().for_each(|job| job.reply(fate())));
}
