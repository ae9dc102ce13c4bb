//! [`SledStore`]: opened, written to through the committer, read without it, closed.

use std::fs::File;
use std::sync::Arc;
use std::thread;

use async_trait::async_trait;
use serde::de::DeserializeOwned;
use tokio::sync::oneshot;

use super::checkpoint::{Checkpointer, Database};
use super::committer::Committer;
use super::copying;
use super::durability::{FileSyncer, Progress, Space, Syncer, free_bytes, size_of, watch_over};
use super::journal::Journal;
use super::open::{Opened, open};
use super::settings::SledSettings;
use super::tables::{Tables, read_error};
use crate::records::{Engine, Queue, Rows, Table, Writer, batched, census, decode};
use crate::{Census, DiskUse, FatalWatch, Origin, Pieces, RowPlace, Store, StoreError, StoreHealth, StoreResult};
use keyferry_types::path_text::ShowPath as _;

/// A store in a folder of one machine. One process at a time.
pub struct SledStore {
    tables: Tables,
    writer: Writer,
    progress: Arc<Progress>,
    space: Space,
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
        Self::open_with(settings, Arc::new(FileSyncer)).await
    }

    pub(super) async fn open_with(settings: SledSettings, syncer: Arc<dyn Syncer>) -> StoreResult<Self> {
        let patience = settings.patience;
        let store = blocking(move || {
            let Opened { tables, file, journal, batches, watermark, lock } = open(&settings)?;
            let progress = Arc::new(Progress::new());
            let failed = |action| {
                let path = settings.path.clone();
                move |source| StoreError::Open { action, path, source }
            };
            let database = Database { tables: tables.clone(), file, syncer };
            let checkpointer = Checkpointer::start(database.clone(), Arc::clone(&progress))
                .map_err(failed("start the thread for checkpoints of"))?;
            let space = Space { path: settings.path.clone(), needed: settings.min_free };
            let committer = Committer {
                database,
                journal: Journal::new(journal, batches),
                checkpointer,
                watermark,
                progress: Arc::clone(&progress),
                space: space.clone(),
                sweep_every: settings.sweep_every,
            };
            let queue = Arc::new(Queue::default());
            let jobs = Arc::clone(&queue);
            let thread = thread::Builder::new().name("store-committer".to_owned());
            let thread = thread.spawn(move || committer.run(&jobs)).map_err(failed("start the committer of"))?;
            let writer = Writer::new(queue, settings.queue, thread);
            Ok(Self { tables, writer, progress, space, _lock: lock })
        })
        .await?;
        tokio::spawn(watch_over(Arc::downgrade(&store.progress), patience));
        Ok(store)
    }

    /// The tables, for tests that look behind the store.
    #[cfg(test)]
    pub(crate) fn tables(&self) -> &Tables {
        &self.tables
    }

    /// Writes that are queued or under way.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        super::SledSettings::new("").queue - self.writer.free()
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
        self.writer.finish();
    }
}

impl Engine for SledStore {
    fn writer(&self) -> &Writer {
        &self.writer
    }

    async fn reply<T: Send>(&self, reply: oneshot::Receiver<StoreResult<T>>) -> StoreResult<T> {
        let mut fatal = self.fatal();
        tokio::select! {
            biased;
            result = batched(reply) => result.map_err(|_| self.gone())?,
            _ = fatal.failed() => Err(self.gone()),
        }
    }

    fn gone(&self) -> StoreError {
        self.progress.failure().unwrap_or(StoreError::Closed)
    }

    /// Reads are short enough not to block.
    async fn read<T: Send + 'static>(
        &self,
        read: impl Fn(&dyn Rows) -> StoreResult<T> + Send + 'static,
    ) -> StoreResult<T> {
        read(&self.tables)
    }

    async fn scan<T: Send + 'static>(
        &self,
        read: impl Fn(&dyn Rows) -> StoreResult<T> + Send + 'static,
    ) -> StoreResult<T> {
        let tables = self.tables.clone();
        blocking(move || read(&tables)).await
    }

    async fn record<T: DeserializeOwned + Send>(&self, table: Table, key: &[u8]) -> StoreResult<Option<T>> {
        let row = self.tables.tree(table)?.get(key).map_err(read_error)?;
        row.map(|bytes| decode(table, &bytes)).transpose()
    }

    async fn has(&self, table: Table, key: &[u8]) -> StoreResult<bool> {
        Ok(self.tables.tree(table)?.get(key).map_err(read_error)?.is_some())
    }

    async fn pieces(&self, after: Option<RowPlace>) -> StoreResult<Pieces> {
        copying::begin(self.tables.clone(), Arc::clone(&self.progress), after)
    }
}

#[async_trait]
impl Store for SledStore {
    fn origin(&self) -> Origin {
        Origin { kind: "sled".to_owned(), place: self.space.path.shown().to_string() }
    }

    fn health(&self) -> StoreHealth {
        self.progress.health(&self.space)
    }

    fn disk(&self) -> DiskUse {
        DiskUse { used: size_of(&self.space.path), free: free_bytes(&self.space.path) }
    }

    async fn census(&self) -> StoreResult<Census> {
        self.scan(census).await
    }

    fn fatal(&self) -> FatalWatch {
        self.progress.watch()
    }

    async fn close(&self) -> StoreResult<()> {
        self.close_writer().await
    }
}
