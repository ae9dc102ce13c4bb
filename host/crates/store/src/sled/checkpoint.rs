//! Checkpoints: sled brings to disk what it has taken in memory, on a thread of its own, and a file of the journal becomes free.

use std::fs::File;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};

use super::durability::{Progress, Synced, Syncer, Work};
use super::journal;
use super::tables::{Tables, read_error};
use crate::StoreResult;
use crate::records::{BATCHES, Table};

/// sled, and our own handle of its file.
#[derive(Clone)]
pub(super) struct Database {
    pub(super) tables: Tables,
    pub(super) file: Arc<File>,
    pub(super) syncer: Arc<dyn Syncer>,
}

impl Database {
    /// The number of the last batch that sled has for certain; `None` where the row is damaged.
    pub(super) fn batches(&self) -> StoreResult<Option<u64>> {
        let row = self.tables.tree(Table::Meta)?.get(BATCHES).map_err(read_error)?;
        Ok(row.map_or(Some(0), |row| row.as_ref().try_into().map(u64::from_be_bytes).ok()))
    }

    /// Makes a row of it that sled has taken all batches up to this one. In sled's log it is behind them.
    pub(super) fn mark(&self, batches: u64) -> StoreResult<()> {
        self.tables.set(Table::Meta, BATCHES, Some(batches.to_be_bytes().as_slice())).map(drop)
    }

    /// Brings to disk what sled has taken.
    pub(super) fn bring_to_disk(&self) -> Result<(), String> {
        let bytes = self.tables.db().flush().map_err(|error| format!("a flush failed: {error}"))?;
        self.syncer.sync(&self.file, Synced::Database).map_err(|error| format!("a sync to disk failed: {error}"))?;
        tracing::debug!(bytes, "sled is on disk");
        Ok(())
    }
}

/// The thread that makes checkpoints, as the one that writes sees it.
pub(super) struct Checkpointer {
    /// Files of the journal that are free after the checkpoint; `None` ends the thread.
    requests: Option<Sender<Arc<File>>>,
    done: Receiver<()>,
    is_running: bool,
    thread: Option<JoinHandle<()>>,
}

impl Checkpointer {
    pub(super) fn start(database: Database, progress: Arc<Progress>) -> io::Result<Self> {
        let (requests, queue) = mpsc::channel();
        let (finished, done) = mpsc::channel();
        let work = move || {
            let ended = catch_unwind(AssertUnwindSafe(|| work(&database, &progress, &queue, &finished)));
            if let Err(reason) =
                ended.unwrap_or_else(|_| Err("the thread that makes checkpoints has panicked".to_owned()))
            {
                progress.fail(&reason);
            }
        };
        let thread = thread::Builder::new().name("store-checkpoint".to_owned()).spawn(work)?;
        Ok(Self { requests: Some(requests), done, is_running: false, thread: Some(thread) })
    }

    /// Whether a checkpoint is under way.
    pub(super) fn is_running(&mut self) -> bool {
        self.is_running = self.is_running && self.done.try_recv().is_err();
        self.is_running
    }

    /// Waits for the checkpoint that is under way. After a failure it returns as well.
    pub(super) fn wait(&mut self) {
        if self.is_running {
            self.is_running = self.done.recv().is_err();
        }
    }

    /// Begins a checkpoint of all that sled has taken. `former` is the file of the journal that it makes free.
    pub(super) fn begin(&mut self, former: Arc<File>) {
        self.is_running = self.requests.as_ref().is_some_and(|requests| requests.send(former).is_ok());
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        self.requests = None;
        // It does not panic: its work is guarded.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn work(
    database: &Database,
    progress: &Progress,
    requests: &Receiver<Arc<File>>,
    done: &Sender<()>,
) -> Result<(), String> {
    for former in requests {
        progress.begin(Work::Checkpoint);
        database.bring_to_disk()?;
        progress.end(Work::Checkpoint);
        journal::uncache(&former, 0);
        // The one that writes may have ended.
        let _ = done.send(());
    }
    Ok(())
}
