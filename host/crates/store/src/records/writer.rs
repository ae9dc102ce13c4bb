//! [`Writer`]: how writes get to the thread that carries them out.

use std::sync::Arc;
use std::thread::JoinHandle;

use parking_lot::Mutex;
use tokio::sync::{Semaphore, oneshot};

use super::hints::Hints;
use super::job::Write;
use super::queue::{Closing, Queue};
use super::view::View;
use crate::{StoreResult, WebhookNotifier};

/// The entrance of the queue.
pub(crate) struct Writer {
    queue: Arc<Queue>,
    permits: Arc<Semaphore>,
    notifier: Arc<WebhookNotifier>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    /// At most `most` writes are queued or under way at a time. `thread` carries them out until the queue is closed.
    pub(crate) fn new(queue: Arc<Queue>, most: usize, thread: JoinHandle<()>) -> Self {
        let permits = Arc::new(Semaphore::new(most.clamp(1, Semaphore::MAX_PERMITS)));
        Self { queue, permits, notifier: Arc::default(), thread: Mutex::new(Some(thread)) }
    }

    /// Queues a write; its result comes by the receiver. `None` if the queue is closed.
    pub(crate) async fn send<T: Send + 'static>(
        &self,
        weight: usize,
        hints: Hints,
        function: impl FnMut(&mut View<'_>) -> StoreResult<T> + Send + 'static,
    ) -> Option<oneshot::Receiver<StoreResult<T>>> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.ok()?;
        let (reply, result) = oneshot::channel();
        let notifier = Arc::clone(&self.notifier);
        let job =
            Write { function, result: None, wakeups: Vec::new(), notifier, reply, weight, hints, _permit: permit };
        self.queue.send(Box::new(job)).then_some(result)
    }

    /// Closes the queue for further writes. `false` if it is closed already.
    pub(crate) fn close(&self, closing: Closing) -> bool {
        self.queue.close(closing)
    }

    /// Closes the queue, and waits until the thread has carried out what is in it.
    pub(crate) fn finish(&self) {
        let (closing, _) = oneshot::channel();
        self.queue.close(closing);
        let thread = self.thread.lock().take();
        // It does not panic: its work is guarded.
        let _ = thread.map(JoinHandle::join);
    }

    pub(crate) fn notifier(&self) -> &Arc<WebhookNotifier> {
        &self.notifier
    }

    /// Permits that no write holds.
    #[cfg(test)]
    pub(crate) fn free(&self) -> usize {
        self.permits.available_permits()
    }
}
