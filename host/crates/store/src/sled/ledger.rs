//! The trait [`Ledger`] on sled.

use std::ops::Bound;

use async_trait::async_trait;

use super::codec::{self, decode};
use super::engine::SledStore;
use super::imports::Settlement;
use super::tables::{Table, Tables, read_error};
use super::{imports, keys};
use crate::{
    AppCounts, AuditEvent, Forget, ImportKey, ImportRecord, ImportWrite, IntegrationRecord, Ledger, NewRow, ObjectId,
    RowInput, RowRecord, RowSettlement, SameFile, StoreError, StoreResult, UndoWrite,
};
use keyferry_types::ids::{Environment, OrgId, Slug};

/// Bytes of what stands around a row's input: keys, the ledger's row, its place.
const AROUND_ROW: usize = 512;

#[async_trait]
impl Ledger for SledStore {
    async fn put_import(&self, write: ImportWrite) -> StoreResult<()> {
        self.write(1024, move |view| imports::put(view, &write)).await
    }

    async fn start_import(&self, write: ImportWrite, same_file: SameFile) -> StoreResult<()> {
        self.write(1024, move |view| imports::start(view, &write, same_file)).await
    }

    async fn import(&self, key: &ImportKey) -> StoreResult<Option<(ImportRecord, AppCounts)>> {
        let key = key.clone();
        let found = self.scan(move |tables| import(tables, &key)).await?;
        self.settled().await?;
        Ok(found)
    }

    async fn imports(&self, org: &OrgId, environment: Environment) -> StoreResult<Vec<ImportRecord>> {
        let prefix = keys::environment(org, environment);
        let mut found: Vec<ImportRecord> = self.scan(move |tables| tables.records(Table::Imports, &prefix)).await?;
        self.settled().await?;
        found.sort_by_key(|import| std::cmp::Reverse((import.created_at, import.key.id)));
        Ok(found)
    }

    async fn all_imports(&self) -> StoreResult<Vec<ImportRecord>> {
        self.scan(|tables| tables.records(Table::Imports, &[])).await
    }

    async fn add_rows(&self, import: &ImportKey, rows: Vec<NewRow>) -> StoreResult<()> {
        let inputs = rows.iter().filter_map(|row| row.input.as_ref());
        let inputs = inputs.map(|(_, input)| input.envelope.len());
        let weight = inputs.sum::<usize>() + rows.len() * AROUND_ROW;
        for (_, input) in rows.iter().filter_map(|row| row.input.as_ref()) {
            codec::check_size(Table::ImportInputs, input.envelope.len() + AROUND_ROW)?;
        }
        let import = import.clone();
        self.write(weight, move |view| imports::add_rows(view, &import, rows)).await
    }

    async fn queued_rows(
        &self,
        import: ObjectId,
        slug: &Slug,
        after: Option<u64>,
        limit: usize,
    ) -> StoreResult<Vec<RowInput>> {
        let prefix = keys::all_queued(import, slug);
        let from = match after {
            Some(number) => Bound::Excluded(keys::queued(import, slug, number)),
            None => Bound::Included(prefix.clone()),
        };
        self.scan(move |tables| {
            let rows = tables.tree(Table::ImportInputs)?.range((from, Bound::Unbounded)).take(limit);
            let mut inputs = Vec::new();
            for row in rows {
                let (key, value) = row.map_err(read_error)?;
                if !key.starts_with(&prefix) {
                    break;
                }
                inputs.push(decode(Table::ImportInputs, &value)?);
            }
            Ok(inputs)
        })
        .await
    }

    async fn settle_row(&self, settlement: RowSettlement) -> StoreResult<()> {
        let settlement = Settlement::new(settlement)?;
        self.write(settlement.weight(), move |view| imports::settle(view, settlement)).await
    }

    async fn rows(&self, import: ObjectId, after: u64, limit: usize) -> StoreResult<Vec<RowRecord>> {
        let from = Bound::Excluded(keys::row(import, after));
        let found = self
            .scan(move |tables| {
                let rows = tables.tree(Table::ImportRows)?.range((from, Bound::Included(keys::row(import, u64::MAX))));
                rows.values().take(limit).map(|row| decode(Table::ImportRows, &row.map_err(read_error)?)).collect()
            })
            .await?;
        self.settled().await?;
        Ok(found)
    }

    async fn requeue_rows(&self, import: &ImportKey, limit: usize) -> StoreResult<u64> {
        let import = import.clone();
        self.write(limit * AROUND_ROW, move |view| imports::requeue(view, &import, limit)).await
    }

    async fn former(&self, import: ObjectId, number: u64) -> StoreResult<Option<IntegrationRecord>> {
        self.read_record(Table::ImportFormer, &keys::row(import, number))
    }

    async fn undo_row(&self, undo: UndoWrite) -> StoreResult<()> {
        self.write(4096, move |view| imports::undo_row(view, undo)).await
    }

    async fn undo_account(&self, import: &ImportKey, row: RowRecord, audit: AuditEvent) -> StoreResult<bool> {
        let import = import.clone();
        self.write(1024, move |view| imports::undo_account(view, &import, &row, &audit)).await
    }

    async fn forget_import(&self, import: &ImportKey, what: Forget, limit: usize) -> StoreResult<bool> {
        let import = import.clone();
        self.write(limit * AROUND_ROW, move |view| imports::forget(view, &import, what, limit)).await
    }
}

fn import(tables: &Tables, key: &ImportKey) -> StoreResult<Option<(ImportRecord, AppCounts)>> {
    let Some(record) = tables.record(Table::Imports, &keys::import(key))? else { return Ok(None) };
    let mut counts = AppCounts::new();
    for row in tables.tree(Table::ImportCounts)?.scan_prefix(key.id.as_bytes()) {
        let (row, value) = row.map_err(read_error)?;
        let slug = row.get(key.id.as_bytes().len()..).and_then(|slug| std::str::from_utf8(slug).ok());
        let damaged =
            || StoreError::Damaged { table: Table::ImportCounts.name(), reason: "it names no app".to_owned() };
        counts.insert(slug.ok_or_else(damaged)?.to_owned(), decode(Table::ImportCounts, &value)?);
    }
    Ok(Some((record, counts)))
}
