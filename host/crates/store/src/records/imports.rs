//! Imports, but for their rows.

use async_trait::async_trait;

use super::codec::decode;
use super::engine::Engine;
use super::hints::Hints;
use super::rows::{NEXT, Range, Rows};
use super::table::Table;
use super::view::View;
use super::{audit_chain, keys};
use crate::{
    AppCounts, Forget, ImportKey, ImportMode, ImportRecord, ImportStore, ImportWrite, Kept, ObjectId, SameFile,
    StoreError, StoreResult,
};
use keyferry_types::ids::{Environment, OrgId};

/// Bytes that the removal of a record takes, roughly.
const REMOVAL: usize = 512;

#[async_trait]
impl<E: Engine> ImportStore for E {
    async fn put_import(&self, write: ImportWrite) -> StoreResult<()> {
        self.write(1024, Hints::default(), move |view| put(view, &write)).await
    }

    async fn start_import(&self, write: ImportWrite, same_file: SameFile) -> StoreResult<()> {
        self.write(1024, Hints::default(), move |view| start(view, &write, same_file)).await
    }

    async fn import(&self, key: &ImportKey) -> StoreResult<Option<(ImportRecord, AppCounts)>> {
        let key = key.clone();
        self.scan(move |rows| import(rows, &key)).await
    }

    async fn imports(&self, org: &OrgId, environment: Environment) -> StoreResult<Vec<ImportRecord>> {
        let prefix = keys::environment(org, environment);
        let mut found: Vec<ImportRecord> =
            self.scan(move |rows| rows.records(Table::Imports, Range::of(&prefix))).await?;
        found.sort_by_key(|import| std::cmp::Reverse((import.created_at, import.key.id)));
        Ok(found)
    }

    async fn all_imports(&self) -> StoreResult<Vec<ImportRecord>> {
        self.scan(|rows| rows.records(Table::Imports, Range::of(&[]))).await
    }

    async fn forget_import(&self, import: &ImportKey, what: Forget, limit: usize) -> StoreResult<bool> {
        let import = import.clone();
        self.write(limit * REMOVAL, Hints::default(), move |view| forget(view, &import, what, limit)).await
    }
}

/// Implements [`ImportStore::put_import`].
fn put(view: &mut View<'_>, write: &ImportWrite) -> StoreResult<()> {
    let row = keys::import(&write.record.key);
    let stored: Option<ImportRecord> = view.get(Table::Imports, &row)?;
    if stored.map_or(0, |stored| stored.version).checked_add(1) != Some(write.record.version) {
        return Err(StoreError::ImportChanged);
    }
    view.put(Table::Imports, row, &write.record)?;
    view.changes(Kept::Imports)?;
    match &write.audit {
        Some(event) => audit_chain::append(view, &write.record.key.org, event),
        None => Ok(()),
    }
}

/// Implements [`ImportStore::start_import`].
fn start(view: &mut View<'_>, write: &ImportWrite, same_file: SameFile) -> StoreResult<()> {
    let record = &write.record;
    let digest = record.digest.ok_or(StoreError::Contradiction("a file that is not all here cannot be imported"))?;
    // Trying a file out is not importing it.
    if record.policy.mode == ImportMode::Apply {
        let file = keys::file(&record.key, &digest);
        if let Some(known) = view.get::<ObjectId>(Table::ImportFiles, &file)?
            && same_file == SameFile::Refused
        {
            return Err(StoreError::FileKnown { import: known });
        }
        view.put(Table::ImportFiles, file, &record.key.id)?;
    }
    put(view, write)
}

fn import(rows: &dyn Rows, key: &ImportKey) -> StoreResult<Option<(ImportRecord, AppCounts)>> {
    rows.together(|| {
        let Some(record) = rows.record(Table::Imports, &keys::import(key))? else { return Ok(None) };
        let mut counts = AppCounts::new();
        rows.walk(Table::ImportCounts, Range::of(key.id.as_bytes()), &mut |row, value| {
            let slug = row.get(key.id.as_bytes().len()..).and_then(|slug| std::str::from_utf8(slug).ok());
            let damaged =
                || StoreError::Damaged { table: Table::ImportCounts.name(), reason: "it names no app".to_owned() };
            counts.insert(slug.ok_or_else(damaged)?.to_owned(), decode(Table::ImportCounts, value)?);
            NEXT
        })?;
        Ok(Some((record, counts)))
    })
}

/// Implements [`ImportStore::forget_import`].
fn forget(view: &mut View<'_>, import: &ImportKey, what: Forget, limit: usize) -> StoreResult<bool> {
    let sealed = [Table::ImportInputs, Table::ImportFormer];
    let plain = [Table::ImportPlaces, Table::ImportRows, Table::ImportCounts];
    let tables = match what {
        Forget::Sealed => sealed.iter().chain([].iter()),
        Forget::Everything => sealed.iter().chain(plain.iter()),
    };
    let mut left = limit;
    for table in tables {
        for (row, _) in view.first_of(*table, import.id.as_bytes(), left)? {
            view.remove(*table, row);
            left -= 1;
        }
        if left == 0 {
            return Ok(true);
        }
    }
    if what == Forget::Everything {
        let row = keys::import(import);
        if let Some(ImportRecord { digest: Some(digest), .. }) = view.get(Table::Imports, &row)? {
            let file = keys::file(import, &digest);
            if view.get::<ObjectId>(Table::ImportFiles, &file)? == Some(import.id) {
                view.remove(Table::ImportFiles, file);
            }
        }
        view.remove(Table::Imports, row);
    }
    Ok(false)
}
