//! [`Ledger`]: the transactions on rows of imports.

use async_trait::async_trait;

use crate::audit::AuditEvent;
use crate::error::StoreResult;
use crate::integration::IntegrationRecord;
use crate::keys::ImportKey;
use crate::row::{NewRow, RowInput, RowRecord, RowSettlement, UndoWrite};
use crate::values::ObjectId;
use keyferry_types::ids::Slug;

/// The ledger of imports: a row for each row of their files, and the counts of rows, which change in the same transaction.
///
/// A row is settled in the very transaction that stores its credential (the settlement is part of a
/// [`MigrationWrite`](crate::MigrationWrite)), or by [`settle_row`](Self::settle_row) if nothing is stored. Either way it is
/// settled once: a second settlement fails with `RowSettled`, and nothing that was to be written with it is written.
#[async_trait]
pub trait Ledger: Send + Sync + 'static {
    /// Adds rows to an import that is being received. A row for an account and app that an earlier row has fails as
    /// `duplicate_row`.
    ///
    /// # Errors
    /// `ImportChanged` if the import does not exist, `StaleRoot` if a row is sealed under a root that is out of use.
    async fn add_rows(&self, import: &ImportKey, rows: Vec<NewRow>) -> StoreResult<()>;

    /// At most `limit` queued rows of an app that follow row `after`, in the order of the file. They may not be durable yet.
    async fn queued_rows(
        &self,
        import: ObjectId,
        slug: &Slug,
        after: Option<u64>,
        limit: usize,
    ) -> StoreResult<Vec<RowInput>>;

    /// Settles a row for which nothing is stored.
    ///
    /// # Errors
    /// `RowSettled`.
    async fn settle_row(&self, settlement: RowSettlement) -> StoreResult<()>;

    /// At most `limit` rows of an import that follow row `after`, in the order of the file. All of them are durable.
    async fn rows(&self, import: ObjectId, after: u64, limit: usize) -> StoreResult<Vec<RowRecord>>;

    /// Queues at most `limit` failed rows again whose input is kept. Returns their number; 0 if no such row is left.
    async fn requeue_rows(&self, import: &ImportKey, limit: usize) -> StoreResult<u64>;

    /// The integration that a row replaced, while it is kept.
    async fn former(&self, import: ObjectId, number: u64) -> StoreResult<Option<IntegrationRecord>>;

    /// Undoes what a row wrote, and settles the row anew.
    ///
    /// # Errors
    /// `RowSettled` if it was undone before; `Conflict` if the integration is not as the row wrote it; `StaleRoot` if the
    /// former credential is sealed under a root that is out of use.
    async fn undo_row(&self, undo: UndoWrite) -> StoreResult<()>;

    /// Deletes the linked account that was created for a row, if it is unchanged and has no integration. Returns whether it
    /// was deleted.
    async fn undo_account(&self, import: &ImportKey, row: RowRecord, audit: AuditEvent) -> StoreResult<bool>;
}
