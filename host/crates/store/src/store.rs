//! [`Store`]: all transactions, and the state of the store as a whole.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::watch;

use crate::account::AccountStore;
use crate::api_key::ApiKeyStore;
use crate::audit::AuditStore;
use crate::claim::ClaimStore;
use crate::content::{ContentStore, Origin};
use crate::delivery::DeliveryStore;
use crate::error::{StoreError, StoreResult};
use crate::import::ImportStore;
use crate::integration::IntegrationStore;
use crate::ledger::Ledger;
use crate::migration::MigrationStore;
use crate::oauth_client::OAuthClientStore;
use crate::peers::Peers;
use crate::plugin::PluginStore;
use crate::renewal::RenewalStore;
use crate::root::RootStore;
use crate::session::SessionStore;
use crate::webhook::WebhookStore;

/// The sum of the transactions of all subjects, and the state of the store as a whole.
///
/// # What each implementation guarantees
/// - **Atomicity.** Each writing method is one transaction: all of it is written or nothing. An error of the first group of
///   [`StoreError`](crate::StoreError) means that nothing was. After `Failed` or `Closed` it is unknown whether the write took
///   place; the store has to be opened again to find out.
/// - **Durability.** When a writing method returns `Ok`, the write survives the end of the process and of the machine
///   ([`touch_api_key`](ApiKeyStore::touch_api_key) excepted). What a reading method returns is durable where its
///   documentation says so; else it may be the effect of a write that is still on its way to disk.
/// - **Order.** Transactions are serialised: each sees all that were committed before it, and a transaction that builds on
///   what was read is never durable without it.
/// - **Conflicts.** No method locks. A caller reads, decides, and names the version it decided on; if another writer came
///   first, it gets an error for which [`is_conflict`](crate::StoreError::is_conflict) is true, and repeats.
/// - **Cancellation.** A caller that stops waiting for a write does not take it back.
/// - **Audit and events.** The audit event of a write, and the deliveries of its event to each webhook that wants it, are part
///   of the same transaction.
/// - **Tenants.** A method that takes an organisation, or a key with one, reads and writes records of that organisation only.
/// - **Size.** A record has at most 64 KiB, else `TooLarge`. While the disk is almost full, writes get `NoSpace` and reads
///   succeed.
#[async_trait]
pub trait Store:
    ApiKeyStore
    + RootStore
    + AccountStore
    + IntegrationStore
    + MigrationStore
    + RenewalStore
    + SessionStore
    + WebhookStore
    + DeliveryStore
    + AuditStore
    + ImportStore
    + Ledger
    + ClaimStore
    + PluginStore
    + OAuthClientStore
    + ContentStore
{
    /// Where the store is.
    fn origin(&self) -> Origin;

    /// Whether writes are accepted at the moment.
    fn health(&self) -> StoreHealth;

    /// What other hosts change; `None` for a store of one host.
    fn peers(&self) -> Option<Arc<Peers>> {
        None
    }

    /// The space that the store takes on disk, and what is left. Blocks for as long as the system takes to say so.
    fn disk(&self) -> DiskUse;

    /// Counts records by walking through them, which takes a while in a large store.
    async fn census(&self) -> StoreResult<Census>;

    /// Signals that the store has failed for good. The server must then exit and be restarted.
    fn fatal(&self) -> FatalWatch;

    /// Completes the queued writes and brings all of them to disk. Later writes get `Closed`.
    async fn close(&self) -> StoreResult<()>;
}

/// Whether a store accepts writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreHealth {
    /// It accepts writes.
    Ready,
    /// It accepts none until there is space. Reads succeed.
    NoSpace {
        /// Bytes that are free on the volume.
        free: u64,
        /// Bytes that must be free.
        needed: u64,
    },
    /// It accepts none until the database can be used again. The reason is the last error.
    Unavailable(Arc<str>),
    /// It accepts none in this process any more, for this reason.
    Failed(Arc<str>),
}

/// The space of a store on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DiskUse {
    /// Bytes of its files.
    pub used: u64,
    /// Bytes that are free on its volume, if the system tells.
    pub free: Option<u64>,
}

/// Numbers of records, of all organisations together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Census {
    /// Integrations whose user has to connect again.
    pub expired_connections: usize,
    /// Deliveries to webhooks that wait.
    pub waiting_deliveries: usize,
    /// Deliveries to webhooks that were given up, as long as they are kept.
    pub failed_deliveries: usize,
}

/// Why a store has failed for good, once it has. The first reason stays.
pub(crate) struct Failure(watch::Sender<Option<Arc<str>>>);

impl Failure {
    /// It has not failed.
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(None))
    }

    /// It has failed, for this reason.
    pub(crate) fn set(&self, reason: &str) {
        tracing::error!(reason, "the store failed");
        self.0.send_if_modified(|failed| {
            let first = failed.is_none();
            failed.get_or_insert_with(|| reason.into());
            first
        });
    }

    pub(crate) fn reason(&self) -> Option<Arc<str>> {
        self.0.borrow().clone()
    }

    /// The error of later writes.
    pub(crate) fn error(&self) -> Option<StoreError> {
        self.reason().map(|reason| StoreError::Failed { reason })
    }

    pub(crate) fn watch(&self) -> FatalWatch {
        FatalWatch::new(self.0.subscribe())
    }
}

/// Waits for a store's failure.
#[derive(Debug, Clone)]
pub struct FatalWatch(watch::Receiver<Option<Arc<str>>>);

impl FatalWatch {
    /// A watch over this cell: `Some` is the reason of the failure.
    pub fn new(cell: watch::Receiver<Option<Arc<str>>>) -> Self {
        Self(cell)
    }

    /// Returns when the store has failed, with the reason; never for a store that ends without failing.
    pub async fn failed(&mut self) -> Arc<str> {
        match self.0.wait_for(Option::is_some).await.map(|reason| reason.clone()) {
            Ok(Some(reason)) => reason,
            _ => std::future::pending().await,
        }
    }
}
