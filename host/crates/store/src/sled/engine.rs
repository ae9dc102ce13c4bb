//! [`SledStore`]: opened, written to through the committer, read without it, closed.

use std::fs::File;
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::sync::{Semaphore, oneshot};

use super::census;
use super::committer::{Committer, Message, Write};
use super::durability::{FileSyncer, Progress, Space, Syncer, free_bytes, watch_over};
use super::open::{Opened, open};
use super::settings::SledSettings;
use super::tables::Tables;
use super::view::View;
use crate::{Census, DiskUse, FatalWatch, Store, StoreError, StoreHealth, StoreResult, WebhookNotifier};

/// A store in a folder of one machine. One process at a time.
pub struct SledStore {
    tables: Tables,
    queue: Sender<Message>,
    permits: Arc<Semaphore>,
    progress: Arc<Progress>,
    space: Space,
    notifier: Arc<WebhookNotifier>,
    committer: Mutex<Option<JoinHandle<()>>>,
    /// Declared last: let go of when all else is.
    _lock: File,
}

impl SledStore {
    /// Opens or makes the store.
    ///
    /// # Errors
    /// `Locked` where another process has it; `Corrupt` and `Format` where it cannot be read, and it is left as it is then;
    /// `NoSpace` where there is not even enough to open it; `Open`.
    pub async fn open(settings: SledSettings) -> StoreResult<Self> {
        Self::open_with(settings, |file| Box::new(FileSyncer(file))).await
    }

    pub(super) async fn open_with(
        settings: SledSettings,
        syncer: impl FnOnce(File) -> Box<dyn Syncer> + Send + 'static,
    ) -> StoreResult<Self> {
        let patience = settings.patience;
        let store = blocking(move || {
            let Opened { tables, file, watermark, lock } = open(&settings)?;
            let progress = Arc::new(Progress::new());
            let space = Space { path: settings.path.clone(), needed: settings.min_free };
            let committer = Committer {
                tables: tables.clone(),
                syncer: syncer(file),
                watermark,
                progress: Arc::clone(&progress),
                space: space.clone(),
                sweep_every: settings.sweep_every,
            };
            // The queue itself has no bound: the permits bound it, and a caller that waits for one blocks no thread.
            let (queue, jobs) = mpsc::channel();
            let thread =
                thread::Builder::new().name("store-committer".to_owned()).spawn(move || committer.run(&jobs)).map_err(
                    |source| StoreError::Open { action: "start the committer of", path: settings.path.clone(), source },
                )?;
            let permits = Arc::new(Semaphore::new(settings.queue.clamp(1, Semaphore::MAX_PERMITS)));
            let committer = Mutex::new(Some(thread));
            let notifier = Arc::default();
            Ok(Self { tables, queue, permits, progress, space, notifier, committer, _lock: lock })
        })
        .await?;
        tokio::spawn(watch_over(Arc::downgrade(&store.progress), patience));
        Ok(store)
    }

    /// Queues a write and waits for its result.
    pub(super) async fn write<T, F>(&self, weight: usize, function: F) -> StoreResult<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut View<'_>) -> StoreResult<T> + Send + 'static,
    {
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| self.gone())?;
        let (reply, result) = oneshot::channel();
        let notifier = Arc::clone(&self.notifier);
        let job = Write {
            function: Some(function),
            result: None,
            wakeups: Vec::new(),
            notifier,
            reply,
            weight,
            _permit: permit,
        };
        self.send(Message::Write(Box::new(job)), result).await
    }

    /// Sends the committer a message, and waits for its reply.
    async fn send<T>(&self, message: Message, reply: oneshot::Receiver<StoreResult<T>>) -> StoreResult<T> {
        self.queue.send(message).map_err(|_| self.gone())?;
        let mut fatal = self.fatal();
        tokio::select! {
            biased;
            result = reply => result.map_err(|_| self.gone())?,
            _ = fatal.failed() => Err(self.gone()),
        }
    }

    /// Why the committer no longer replies.
    fn gone(&self) -> StoreError {
        self.progress.failure().unwrap_or(StoreError::Closed)
    }

    /// Reads on a thread that may block: for what walks many rows.
    pub(super) async fn scan<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Tables) -> StoreResult<T> + Send + 'static,
    ) -> StoreResult<T> {
        let tables = self.tables.clone();
        blocking(move || read(&tables)).await
    }

    /// Waits until all that can be read now is on disk.
    pub(super) async fn until_durable(&self) -> StoreResult<()> {
        self.progress.until_durable().await
    }

    /// The tables, for reads that are short enough not to block.
    pub(super) fn tables(&self) -> &Tables {
        &self.tables
    }

    pub(super) fn notifier(&self) -> &Arc<WebhookNotifier> {
        &self.notifier
    }

    /// Writes that are queued or under way.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        super::SledSettings::new("").queue - self.permits.available_permits()
    }

    fn join(&self) {
        let thread = self.committer.lock().take();
        // It does not panic: its work is guarded.
        let _ = thread.map(JoinHandle::join);
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> StoreResult<T> + Send + 'static) -> StoreResult<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(StoreError::Read(Box::new(error))))
}

impl Drop for SledStore {
    /// Finishes what is queued, so that the folder's lock is released after the last write. It does not wait for a
    /// thread that is stuck.
    fn drop(&mut self) {
        if self.progress.is_stuck() {
            return;
        }
        let (reply, _) = oneshot::channel();
        let _ = self.queue.send(Message::Close(reply));
        self.join();
    }
}

#[async_trait]
impl Store for SledStore {
    fn health(&self) -> StoreHealth {
        self.progress.health(&self.space)
    }

    fn disk(&self) -> DiskUse {
        DiskUse { used: census::size_of(&self.space.path), free: free_bytes(&self.space.path) }
    }

    async fn census(&self) -> StoreResult<Census> {
        self.scan(census::census).await
    }

    fn fatal(&self) -> FatalWatch {
        self.progress.watch()
    }

    async fn close(&self) -> StoreResult<()> {
        let (reply, result) = oneshot::channel();
        self.send(Message::Close(reply), result).await
    }
}
