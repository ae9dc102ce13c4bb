//! [`Engine`]: what a store does with a use case. Each engine has all use cases of this module.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use tokio::sync::oneshot::{self, Receiver};

use super::hints::Hints;
use super::host::Host;
use super::rows::Rows;
use super::table::Table;
use super::view::View;
use super::writer::Writer;
use crate::{Pieces, RowPlace, StoreError, StoreResult, WebhookNotifier};

/// What keeps rows, and writes the changes of a use case in one transaction.
pub(crate) trait Engine: Send + Sync + 'static {
    /// The entrance of the thread that writes.
    fn writer(&self) -> &Writer;

    /// This host, where several may have the store open.
    fn host(&self) -> Option<Host> {
        None
    }

    /// Waits for a reply of that thread.
    fn reply<T: Send>(&self, reply: Receiver<StoreResult<T>>) -> impl Future<Output = StoreResult<T>> + Send;

    /// Why that thread no longer replies.
    fn gone(&self) -> StoreError;

    /// Makes changes in one transaction, and returns once it is durable. The function may be called more than once, each time on
    /// other rows; what it returned last counts. `weight` is the number of bytes that it is about to write, roughly.
    fn write<T: Send + 'static>(
        &self,
        weight: usize,
        hints: Hints,
        function: impl FnMut(&mut View<'_>) -> StoreResult<T> + Send + 'static,
    ) -> impl Future<Output = StoreResult<T>> + Send {
        async move {
            match self.writer().send(weight, hints, function).await {
                Some(result) => self.reply(result).await,
                None => Err(self.gone()),
            }
        }
    }

    /// Completes the queued writes; later ones get an error.
    fn close_writer(&self) -> impl Future<Output = StoreResult<()>> + Send {
        async {
            let (closing, result) = oneshot::channel();
            if !self.writer().close(closing) {
                return Err(self.gone());
            }
            self.reply(result).await
        }
    }

    /// What a write is about to read; nothing, for an engine that does not fetch it beforehand.
    fn hints(&self, _say: impl FnOnce(&mut Hints)) -> Hints {
        Hints::default()
    }

    /// Reads few rows.
    fn read<T: Send + 'static>(
        &self,
        read: impl Fn(&dyn Rows) -> StoreResult<T> + Send + 'static,
    ) -> impl Future<Output = StoreResult<T>> + Send;

    /// Reads on a thread that may block: for what walks many rows.
    fn scan<T: Send + 'static>(
        &self,
        read: impl Fn(&dyn Rows) -> StoreResult<T> + Send + 'static,
    ) -> impl Future<Output = StoreResult<T>> + Send;

    /// The record with this key.
    fn record<T: DeserializeOwned + Send>(
        &self,
        table: Table,
        key: &[u8],
    ) -> impl Future<Output = StoreResult<Option<T>>> + Send;

    /// Whether there is a record with this key.
    fn has(&self, table: Table, key: &[u8]) -> impl Future<Output = StoreResult<bool>> + Send;

    /// All content, or that behind a place: [`ContentStore::content`](crate::ContentStore::content).
    fn pieces(&self, after: Option<RowPlace>) -> impl Future<Output = StoreResult<Pieces>> + Send;

    /// Reports webhooks once the write that names them is durable.
    fn notifier(&self) -> &Arc<WebhookNotifier> {
        self.writer().notifier()
    }
}
