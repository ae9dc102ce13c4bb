//! The transactions of bulk imports.

use async_trait::async_trait;

use super::{
    AppCounts, AuditEvent, Forget, ImportKey, ImportRecord, ImportWrite, IntegrationRecord, NewRow, ObjectId, RowInput,
    RowRecord, RowSettlement, SameFile, StoreResult, UndoWrite,
};
use keyferry_types::ids::{Environment, OrgId, Slug};

/// Where imports are kept, with a row for each row of their files.
///
/// A row is settled in the very transaction that stores its credential ([`MigrationWrite`](super::MigrationWrite) has the
/// settlement), or in one of its own where there is nothing to store. Either way it is settled once: a second settlement is
/// refused with `RowSettled`, and what was to be written with it is not written.
#[async_trait]
pub trait Ledger: Send + Sync + 'static {
    /// Stores a version of an import.
    ///
    /// # Errors
    /// `Conflict` where its version does not follow the stored one.
    async fn put_import(&self, write: ImportWrite) -> StoreResult<()>;

    /// The same for one whose file is all here: the file counts as imported from then on.
    ///
    /// # Errors
    /// `FileKnown` where it counts already and that is refused.
    async fn start_import(&self, write: ImportWrite, same_file: SameFile) -> StoreResult<()>;

    /// One import, and how its rows fare. All of it is durable.
    async fn import(&self, key: &ImportKey) -> StoreResult<Option<(ImportRecord, AppCounts)>>;

    /// All imports of an environment, newest first.
    async fn imports(&self, org: &OrgId, environment: Environment) -> StoreResult<Vec<ImportRecord>>;

    /// All imports of all organisations.
    async fn all_imports(&self) -> StoreResult<Vec<ImportRecord>>;

    /// Adds rows to an import that is being received. A row whose place another row has fails as `duplicate_row`.
    async fn add_rows(&self, import: &ImportKey, rows: Vec<NewRow>) -> StoreResult<()>;

    /// Queued rows of an app, in the order of the file: at most `limit` of them, those after row `after`.
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

    /// Rows of an import in the order of the file: at most `limit` of them, those after row `after`. All of them are
    /// durable.
    async fn rows(&self, import: ObjectId, after: u64, limit: usize) -> StoreResult<Vec<RowRecord>>;

    /// Queues failed rows again whose input is kept, at most `limit` of them. Returns their number; 0 where no such row
    /// is left.
    async fn requeue_rows(&self, import: &ImportKey, limit: usize) -> StoreResult<u64>;

    /// What a row replaced, while it is kept.
    async fn former(&self, import: ObjectId, number: u64) -> StoreResult<Option<IntegrationRecord>>;

    /// Takes a row back.
    ///
    /// # Errors
    /// `Conflict` where what it wrote is not what is stored; `StaleRoot`; `RowSettled` where it was taken back before.
    async fn undo_row(&self, undo: UndoWrite) -> StoreResult<()>;

    /// Deletes the account that was made for a row, if it is as it was made and nothing is connected to it. Whether it is gone.
    async fn undo_account(&self, import: &ImportKey, row: RowRecord, audit: AuditEvent) -> StoreResult<bool>;

    /// Deletes a part of what is stored of an import, at most `limit` records. Returns whether more is left.
    async fn forget_import(&self, import: &ImportKey, what: Forget, limit: usize) -> StoreResult<bool>;
}
