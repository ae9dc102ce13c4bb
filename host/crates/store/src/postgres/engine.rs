//! [`PostgresStore`]: opened, written to through the committer, read from a pool of connections, closed.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime, Timeouts};
use serde::de::DeserializeOwned;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio_postgres::Client;

use super::committer::Committer;
use super::connect::Connector;
use super::copying;
use super::fault::{Fault, Kind, chain};
use super::identity::Identity;
use super::lease::{Access, Busy, Lease, MOST_HOSTS};
use super::lent::Lent;
use super::places::Places;
use super::rows::{PostgresRows, Waiter, in_time};
use super::schema::{self, When};
use super::settings::PostgresSettings;
use super::sql;
use super::standing::Standing;
use super::watcher::Watcher;
use crate::records::{Engine, Hints, Host, Queue, Rows, Table, UNFINISHED, Writer, batched, census, decode};
use crate::{
    Census, DiskUse, FatalWatch, Incomplete, Origin, Peers, Pieces, RowPlace, Store, StoreError, StoreHealth,
    StoreResult, Unfinished,
};

/// Connections that read.
const READERS: usize = 16;
/// How long a read waits for one of them.
const WAIT: Duration = Duration::from_secs(10);
/// How often a process that waits for the database asks for it.
const LEASE_WAIT: Duration = Duration::from_secs(1);
/// How often a read is tried again, on another connection.
const RETRIES: u32 = 2;

/// A store in a PostgreSQL database.
pub struct PostgresStore {
    pool: Pool,
    runtime: Handle,
    writer: Writer,
    standing: Arc<Standing>,
    host: Host,
    peers: Arc<Peers>,
    watcher: AbortHandle,
    /// Its address, without secrets.
    place: String,
    /// Declared last: let go of when all else is.
    _identity: Identity,
}

impl PostgresStore {
    /// Opens the store, and makes its tables where the database has none.
    ///
    /// # Errors
    /// `InUse` where another process has it, `Database` where it cannot be reached or used, `Schema` where its tables are of another version.
    pub async fn open(settings: PostgresSettings) -> StoreResult<Self> {
        let identity = Identity::open(settings.identity.as_deref())?;
        let connector = Arc::new(Connector::new(&settings)?);
        let refused = |fault: Fault| settings.refused(&fault.reason);
        let client = connector.connect_to_write().await.map_err(refused)?;
        schema::prepare(&client, &settings, When::Missing).await?;
        let lease = take_lease(&client, &settings, &identity).await?;
        if settings.unfinished == Incomplete::Refused {
            check_whole(&client, &settings).await?;
        }
        let leads = lease.servers(&client).await.map_err(|error| refused(error.into()))?.leads;
        drop(client);
        let manager = Manager::from_connect(
            connector.config().clone(),
            Connector::clone(&connector),
            ManagerConfig { recycling_method: RecyclingMethod::Fast },
        );
        let timeouts = Timeouts { wait: Some(WAIT), create: Some(WAIT), recycle: Some(WAIT) };
        let pool = Pool::builder(manager).max_size(READERS).timeouts(timeouts).runtime(Runtime::Tokio1).build();
        let pool = pool.map_err(|error| settings.refused(&error.to_string()))?;
        let standing = Arc::new(Standing::new());
        let queue = Arc::new(Queue::default());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| settings.refused(&error.to_string()))?;
        let (host, leads, peers) = (lease.host(), Arc::new(AtomicBool::new(leads)), Arc::new(Peers::new()));
        let watcher =
            Watcher { pool: pool.clone(), lease: lease.clone(), peers: Arc::clone(&peers), leads: Arc::clone(&leads) };
        let committer = Committer {
            connector,
            runtime,
            client: None,
            lease,
            places: Places::new(host.slot),
            leads,
            backlog: Cell::default(),
            standing: Arc::clone(&standing),
            sweep_every: settings.sweep_every,
            patience: settings.patience,
        };
        let jobs = Arc::clone(&queue);
        let thread = thread::Builder::new().name("store-committer".to_owned());
        let thread =
            thread.spawn(move || committer.run(&jobs)).map_err(|error| settings.refused(&error.to_string()))?;
        let writer = Writer::new(queue, settings.queue, thread);
        let watcher = tokio::spawn(watcher.run()).abort_handle();
        Ok(Self {
            pool,
            runtime: Handle::current(),
            writer,
            standing,
            host,
            peers,
            watcher,
            place: settings.to_string(),
            _identity: identity,
        })
    }

    async fn reader(&self) -> Result<Object, Fault> {
        self.pool.get().await.map_err(|error| match error {
            deadpool_postgres::PoolError::Backend(error) => error.into(),
            deadpool_postgres::PoolError::Timeout(_) => Fault::lost(format!(
                "none of {READERS} connections to the database was free within {} s",
                WAIT.as_secs()
            )),
            other => Fault::lost(other.to_string()),
        })
    }

    /// While the database is known to be away, nothing is tried again.
    fn retries(&self) -> u32 {
        if self.standing.is_down() { 0 } else { RETRIES }
    }

    /// One row, by one statement.
    async fn row(&self, table: Table, key: &[u8]) -> StoreResult<Option<Bytes>> {
        let mut tries = 0;
        loop {
            let read = async {
                let client = self.reader().await?;
                let row = in_time(sql::get(&client, table, key)).await;
                if row.is_err() {
                    // It is not put back.
                    drop(Object::take(client));
                }
                row
            };
            match read.await {
                Ok(row) => return Ok(row),
                Err(fault) if fault.kind == Kind::Refused || tries >= self.retries() => return Err(fault.into_error()),
                Err(_) => tries += 1,
            }
        }
    }

    /// Reads several rows in one transaction, on a thread that may block.
    async fn transaction<T: Send + 'static>(
        &self,
        read: impl Fn(&dyn Rows) -> StoreResult<T> + Send + 'static,
    ) -> StoreResult<T> {
        let mut tries = 0;
        let mut read = read;
        loop {
            let client = match self.reader().await {
                Ok(client) => client,
                Err(fault) if fault.kind == Kind::Refused || tries >= self.retries() => return Err(fault.into_error()),
                Err(_) => {
                    tries += 1;
                    continue;
                }
            };
            let runtime = self.runtime.clone();
            let work = tokio::task::spawn_blocking(move || {
                let done = in_transaction(client, &runtime, &read);
                (done, read)
            });
            let (done, again) = work.await.map_err(|error| StoreError::Read(Box::new(error)))?;
            match done {
                Ok(result) => return result,
                Err(fault) if fault.kind == Kind::Refused || tries >= self.retries() => return Err(fault.into_error()),
                Err(_) => {
                    tries += 1;
                    read = again;
                }
            }
        }
    }
}

/// Refuses a store that has not been filled to its end.
async fn check_whole(client: &Client, settings: &PostgresSettings) -> StoreResult<()> {
    let mark = sql::get(client, Table::Meta, UNFINISHED).await;
    match mark.map_err(|error| settings.refused(&Fault::from(error).reason))? {
        Some(mark) => {
            let Unfinished { what, .. } = decode(Table::Meta, &mark)?;
            Err(StoreError::Unfinished { place: settings.to_string(), what })
        }
        None => Ok(()),
    }
}

/// Takes the lease, or waits for it.
async fn take_lease(client: &Client, settings: &PostgresSettings, identity: &Identity) -> StoreResult<Lease> {
    let mut told = None;
    loop {
        let taken = Lease::take(client, identity, settings.access).await;
        let busy = match taken.map_err(|fault| settings.refused(&fault.reason))? {
            Ok(lease) => return Ok(lease),
            Err(busy) => busy,
        };
        let holder = match &busy {
            Busy::Held(holder) if settings.access == Access::Alone => {
                return Err(StoreError::InUse { place: settings.to_string(), holder: holder.clone() });
            }
            Busy::Held(holder) => holder.clone(),
            Busy::Full => format!("{MOST_HOSTS} servers, as many as there can be,"),
        };
        if told.as_ref() != Some(&holder) {
            tracing::warn!("{holder} has the database open: this server waits until it ends");
            told = Some(holder);
        }
        tokio::time::sleep(LEASE_WAIT).await;
    }
}

/// Reads in a transaction. The outer error is one of the database, after which the connection is gone.
fn in_transaction<T>(
    client: Object,
    runtime: &Handle,
    read: &impl Fn(&dyn Rows) -> StoreResult<T>,
) -> Result<StoreResult<T>, Fault> {
    // A connection in the middle of a transaction must not be put back, also not by a panic.
    let lent = Lent::new(client);
    let waiter = Waiter::Other(runtime);
    let result = {
        let client = lent.client()?;
        waiter.wait(client.batch_execute(sql::BEGIN_READ))?;
        let rows = PostgresRows::new(client, waiter);
        let result = read(&rows);
        if let Some(fault) = rows.take_fault() {
            return Err(fault);
        }
        waiter.wait(client.batch_execute("COMMIT"))?;
        result
    };
    lent.put_back();
    Ok(result)
}

impl Drop for PostgresStore {
    /// Finishes what is queued.
    fn drop(&mut self) {
        self.watcher.abort();
        self.writer.finish();
    }
}

#[cfg(test)]
impl PostgresStore {
    /// Leaves the database as a process does that is killed: with its lease.
    pub(super) fn abandon(self) {
        self.watcher.abort();
        self.standing.fail("abandoned");
        drop(self);
    }
}

impl Engine for PostgresStore {
    fn writer(&self) -> &Writer {
        &self.writer
    }

    fn host(&self) -> Option<Host> {
        Some(self.host)
    }

    async fn reply<T: Send>(&self, reply: oneshot::Receiver<StoreResult<T>>) -> StoreResult<T> {
        batched(reply).await.map_err(|_| self.gone())?
    }

    fn gone(&self) -> StoreError {
        self.standing.failure().unwrap_or(StoreError::Closed)
    }

    fn hints(&self, say: impl FnOnce(&mut Hints)) -> Hints {
        let mut hints = Hints::default();
        say(&mut hints);
        hints
    }

    async fn read<T: Send + 'static>(
        &self,
        read: impl Fn(&dyn Rows) -> StoreResult<T> + Send + 'static,
    ) -> StoreResult<T> {
        self.transaction(read).await
    }

    async fn scan<T: Send + 'static>(
        &self,
        read: impl Fn(&dyn Rows) -> StoreResult<T> + Send + 'static,
    ) -> StoreResult<T> {
        self.transaction(read).await
    }

    async fn record<T: DeserializeOwned + Send>(&self, table: Table, key: &[u8]) -> StoreResult<Option<T>> {
        self.row(table, key).await?.map(|bytes| decode(table, &bytes)).transpose()
    }

    async fn has(&self, table: Table, key: &[u8]) -> StoreResult<bool> {
        Ok(self.row(table, key).await?.is_some())
    }

    async fn pieces(&self, after: Option<RowPlace>) -> StoreResult<Pieces> {
        let client = self.reader().await.map_err(Fault::into_error)?;
        copying::begin(Lent::new(client), after).await.map_err(Fault::into_error)
    }
}

#[async_trait]
impl Store for PostgresStore {
    fn origin(&self) -> Origin {
        Origin { kind: "postgres".to_owned(), place: self.place.clone() }
    }

    fn health(&self) -> StoreHealth {
        self.standing.health()
    }

    fn peers(&self) -> Option<Arc<Peers>> {
        Some(Arc::clone(&self.peers))
    }

    fn disk(&self) -> DiskUse {
        self.standing.disk()
    }

    async fn census(&self) -> StoreResult<Census> {
        self.measure().await;
        self.scan(census).await
    }

    fn fatal(&self) -> FatalWatch {
        self.standing.watch()
    }

    async fn close(&self) -> StoreResult<()> {
        self.close_writer().await
    }
}

impl PostgresStore {
    /// Asks for the size of the database. Of the family, not all tell.
    async fn measure(&self) {
        let Ok(client) = self.reader().await else { return };
        let size = client.query_typed_one("SELECT pg_database_size(current_database())", &[]).await;
        match size.and_then(|row| row.try_get::<_, i64>(0)) {
            Ok(bytes) => self.standing.measured(bytes.try_into().unwrap_or_default()),
            Err(error) => tracing::debug!(error = chain(&error), "the size of the database is not known"),
        }
    }
}
