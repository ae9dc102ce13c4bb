//! Stores of each engine.

use std::ops::Deref;
use std::time::Duration;

use keyferry_test_postgres::{Cluster, Database};
use tempfile::TempDir;

use crate::postgres::{PostgresSettings, PostgresStore};
use crate::records::{Engine as _, Table, View, log};
use crate::sled::{SledSettings, SledStore};
use crate::*;

/// What a store is kept by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Sled,
    Postgres,
}

impl Kind {
    /// Those that there are.
    pub(crate) fn all() -> Vec<Self> {
        let postgres = Cluster::shared().map(|_| Self::Postgres);
        [Self::Sled].into_iter().chain(postgres).collect()
    }
}

/// A store of its own, which goes with this.
pub(crate) struct Scratch {
    pub(crate) kind: Kind,
    store: Option<Opened>,
    home: Home,
    sweep_every: Duration,
}

enum Opened {
    Sled(Box<SledStore>),
    Postgres(Box<PostgresStore>),
}

enum Home {
    Folder(TempDir),
    Database(Database<'static>),
}

impl Scratch {
    pub(crate) async fn new(kind: Kind) -> Self {
        Self::sweeping(kind, Duration::from_secs(60)).await
    }

    /// One that removes expired records at that interval.
    pub(crate) async fn sweeping(kind: Kind, sweep_every: Duration) -> Self {
        let home = match kind {
            Kind::Sled => Home::Folder(tempfile::tempdir().unwrap()),
            Kind::Postgres => Home::Database(Cluster::shared().unwrap().database()),
        };
        let store = home.open(sweep_every).await;
        Self { kind, store: Some(store), home, sweep_every }
    }

    /// Closes and opens again.
    pub(crate) async fn reopened(mut self) -> Self {
        self.close().await.unwrap();
        self.store = None;
        self.store = Some(self.home.open(self.sweep_every).await);
        self
    }

    fn opened(&self) -> &Opened {
        self.store.as_ref().unwrap()
    }

    /// Makes changes in one transaction.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        function: impl FnMut(&mut View<'_>) -> StoreResult<T> + Send + 'static,
    ) -> StoreResult<T> {
        match self.opened() {
            Opened::Sled(store) => store.write(0, Default::default(), function).await,
            Opened::Postgres(store) => store.write(0, Default::default(), function).await,
        }
    }

    /// The log of a webhook at a moment.
    pub(crate) async fn log_at(&self, key: &WebhookKey, now: Timestamp) -> DeliveryLog {
        let key = key.clone();
        let read = move |rows: &dyn crate::records::Rows| log(rows, &key, now);
        match self.opened() {
            Opened::Sled(store) => store.scan(read).await.unwrap(),
            Opened::Postgres(store) => store.scan(read).await.unwrap(),
        }
    }

    /// Rows of a table.
    pub(crate) fn count(&self, table: Table) -> usize {
        match (self.opened(), &self.home) {
            (Opened::Sled(store), _) => store.tables().tree(table).unwrap().len(),
            (_, Home::Database(database)) => {
                database.sql(&format!("SELECT count(*) FROM keyferry_{}", table.name())).parse().unwrap()
            }
            _ => unreachable!("a database is no folder"),
        }
    }

    /// A row, behind the store's back.
    pub(crate) fn get(&self, table: Table, key: &[u8]) -> Option<Vec<u8>> {
        match (self.opened(), &self.home) {
            (Opened::Sled(store), _) => store.tables().tree(table).unwrap().get(key).unwrap().map(|row| row.to_vec()),
            (_, Home::Database(database)) => {
                let sql = format!(
                    "SELECT encode(record, 'hex') FROM keyferry_{} WHERE key = '\\x{}'",
                    table.name(),
                    hex::encode(key)
                );
                Some(hex::decode(database.sql(&sql)).unwrap()).filter(|row| !row.is_empty())
            }
            _ => unreachable!("a database is no folder"),
        }
    }

    /// Changes or removes a row, behind the store's back.
    pub(crate) fn set(&self, table: Table, key: &[u8], record: Option<&[u8]>) {
        match (self.opened(), &self.home) {
            (Opened::Sled(store), _) => _ = store.tables().set(table, key, record).unwrap(),
            (_, Home::Database(database)) => {
                let (name, key) = (table.name(), hex::encode(key));
                let sql = match record {
                    Some(record) => format!(
                        "INSERT INTO keyferry_{name} VALUES ('\\x{key}', '\\x{}') ON CONFLICT (key) DO UPDATE SET record = EXCLUDED.record",
                        hex::encode(record)
                    ),
                    None => format!("DELETE FROM keyferry_{name} WHERE key = '\\x{key}'"),
                };
                database.sql(&sql);
            }
            _ => unreachable!("a database is no folder"),
        }
    }
}

impl Home {
    async fn open(&self, sweep_every: Duration) -> Opened {
        match self {
            Self::Folder(folder) => {
                let settings = SledSettings { sweep_every, ..crate::sled::tests_settings(folder) };
                Opened::Sled(Box::new(SledStore::open(settings).await.unwrap()))
            }
            Self::Database(database) => {
                let mut settings: PostgresSettings = database.url().parse().unwrap();
                settings.sweep_every = sweep_every;
                Opened::Postgres(Box::new(PostgresStore::open(settings).await.unwrap()))
            }
        }
    }
}

impl Deref for Scratch {
    type Target = dyn Store;
    fn deref(&self) -> &Self::Target {
        match self.opened() {
            Opened::Sled(store) => &**store,
            Opened::Postgres(store) => &**store,
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the engine is {:?}", self.kind);
        }
    }
}
