//! The writing transactions of imports.

use std::collections::BTreeMap;

use super::codec::encode;
use super::tables::Table;
use super::view::View;
use super::{audit, keys, outbox, roots, sessions};
use crate::{
    AccountRecord, Again, AuditEvent, ConnectionEvent, Forget, ImportKey, ImportMode, ImportRecord, ImportWrite,
    IntegrationRecord, NewRow, ObjectId, RowCounts, RowRecord, RowSettlement, RowState, SameFile, StoreError,
    StoreResult, TakeBack, UndoWrite,
};

/// Implements [`Ledger::put_import`](crate::Ledger::put_import).
pub(super) fn put(view: &mut View<'_>, write: &ImportWrite) -> StoreResult<()> {
    let row = keys::import(&write.record.key);
    let stored: Option<ImportRecord> = view.get(Table::Imports, &row)?;
    if stored.map_or(0, |stored| stored.version).checked_add(1) != Some(write.record.version) {
        return Err(StoreError::ImportChanged);
    }
    view.put(Table::Imports, row, &write.record)?;
    match &write.audit {
        Some(event) => audit::append(view, &write.record.key.org, event),
        None => Ok(()),
    }
}

/// Implements [`Ledger::start_import`](crate::Ledger::start_import).
pub(super) fn start(view: &mut View<'_>, write: &ImportWrite, same_file: SameFile) -> StoreResult<()> {
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

/// Implements [`Ledger::add_rows`](crate::Ledger::add_rows).
pub(super) fn add_rows(view: &mut View<'_>, import: &ImportKey, rows: Vec<NewRow>) -> StoreResult<()> {
    if !view.has(Table::Imports, &keys::import(import))? {
        return Err(StoreError::ImportChanged);
    }
    let mut counts = Counts::default();
    for NewRow { mut row, mut input, place } in rows {
        if let Some(place) = place {
            let place = keys::place(import.id, &place);
            match view.get::<u64>(Table::ImportPlaces, &place)? {
                Some(first) => {
                    row.state = RowState::Failed;
                    row.outcome = Some("duplicate_row".to_owned());
                    row.detail =
                        Some(format!("row {first} is for the same account and app; only that one is worked on"));
                    row.settled_at = row.settled_at.or(Some(crate::Timestamp::now()));
                    input = None;
                }
                None => view.put(Table::ImportPlaces, place, &row.number)?,
            }
        }
        if let Some((slug, input)) = input {
            roots::require_in_use(view, &import.org, input.key_id)?;
            view.put(Table::ImportInputs, keys::queued(import.id, &slug, row.number), &input)?;
        }
        counts.of(view, import.id, row.slug.as_deref())?.count(&row);
        view.put(Table::ImportRows, keys::row(import.id, row.number), &row)?;
    }
    counts.write(view, import.id)
}

/// A settlement whose records are encoded already: that is done before it is queued, by the thread of the caller.
pub(super) struct Settlement {
    settlement: RowSettlement,
    row: Vec<u8>,
    former: Option<Vec<u8>>,
}

impl Settlement {
    pub(super) fn new(settlement: RowSettlement) -> StoreResult<Self> {
        let row = encode(Table::ImportRows, &settlement.row)?;
        let former = settlement.former.as_deref().map(|former| encode(Table::ImportFormer, former)).transpose()?;
        Ok(Self { settlement, row, former })
    }

    pub(super) fn weight(&self) -> usize {
        self.row.len() + self.former.as_ref().map_or(0, Vec::len) + 512
    }
}

/// Implements [`Ledger::settle_row`](crate::Ledger::settle_row).
pub(super) fn settle(view: &mut View<'_>, settlement: Settlement) -> StoreResult<()> {
    let Settlement { settlement: RowSettlement { import, slug, row, again, .. }, row: bytes, former } = settlement;
    let queued = keys::queued(import.id, &slug, row.number);
    // What waits here is what makes a row unsettled: taking it away and writing what came of it are one.
    let Some(input) = view.raw(Table::ImportInputs, &queued)? else { return Err(StoreError::RowSettled) };
    view.remove(Table::ImportInputs, queued);
    if again == Again::Possible {
        view.put_raw(Table::ImportInputs, keys::held(import.id, &slug, row.number), input.to_vec())?;
    }
    if let Some(former) = former {
        view.put_raw(Table::ImportFormer, keys::row(import.id, row.number), former)?;
    }
    let mut counts = Counts::default();
    let of_app = counts.of(view, import.id, row.slug.as_deref())?;
    of_app.queued = of_app.queued.saturating_sub(1);
    of_app.count(&row);
    counts.write(view, import.id)?;
    view.put_raw(Table::ImportRows, keys::row(import.id, row.number), bytes)
}

/// Implements [`Ledger::requeue_rows`](crate::Ledger::requeue_rows).
pub(super) fn requeue(view: &mut View<'_>, import: &ImportKey, limit: usize) -> StoreResult<u64> {
    let mut counts = Counts::default();
    let mut queued = 0;
    for (held, input) in view.first_of(Table::ImportInputs, &keys::all_held(import.id), limit)? {
        let Some((slug, number)) = keys::split_held(&held) else { continue };
        let row_key = keys::row(import.id, number);
        let Some(mut row) = view.get::<RowRecord>(Table::ImportRows, &row_key)? else { continue };
        let of_app = counts.of(view, import.id, row.slug.as_deref())?;
        of_app.uncount(&row);
        row = RowRecord {
            state: RowState::Queued,
            outcome: None,
            detail: None,
            column: None,
            fields: Vec::new(),
            settled_at: None,
            ..row
        };
        of_app.count(&row);
        view.put(Table::ImportRows, row_key, &row)?;
        view.put_raw(Table::ImportInputs, keys::queued(import.id, &slug, number), input.to_vec())?;
        view.remove(Table::ImportInputs, held);
        queued += 1;
    }
    counts.write(view, import.id)?;
    Ok(queued)
}

/// Implements [`Ledger::undo_row`](crate::Ledger::undo_row).
pub(super) fn undo_row(view: &mut View<'_>, undo: UndoWrite) -> StoreResult<()> {
    let UndoWrite { import, row, take_back, audit: event } = undo;
    let row_key = keys::row(import.id, row.number);
    let stored: Option<RowRecord> = view.get(Table::ImportRows, &row_key)?;
    let stored = stored.filter(|stored| stored.state == RowState::Done).ok_or(StoreError::RowSettled)?;
    match take_back {
        Some(TakeBack::Remove { key, id, version }) => {
            let integration = keys::integration(&key);
            require(view.get(Table::Integrations, &integration)?, id, version)?;
            view.remove(Table::Integrations, integration);
            if let Some(event) = &event {
                outbox::put(view, &key, ConnectionEvent::Deleted, event.at)?;
            }
        }
        Some(TakeBack::PutBack { record }) => {
            let key = record.key();
            let integration = keys::integration(&key);
            require(view.get(Table::Integrations, &integration)?, record.id, record.version.saturating_sub(1))?;
            roots::require_in_use(view, &key.account.org, record.key_id)?;
            view.put(Table::Integrations, integration, &*record)?;
        }
        None => {}
    }
    let mut counts = Counts::default();
    let of_app = counts.of(view, import.id, row.slug.as_deref())?;
    of_app.uncount(&stored);
    of_app.count(&row);
    counts.write(view, import.id)?;
    view.put(Table::ImportRows, row_key.clone(), &row)?;
    view.remove(Table::ImportFormer, row_key);
    match &event {
        Some(event) => audit::append(view, &import.org, event),
        None => Ok(()),
    }
}

fn require(stored: Option<IntegrationRecord>, id: ObjectId, version: u64) -> StoreResult<()> {
    match stored {
        Some(stored) if stored.id == id && stored.version == version => Ok(()),
        stored => Err(StoreError::Conflict { current: stored.map(|stored| stored.version) }),
    }
}

/// Implements [`Ledger::undo_account`](crate::Ledger::undo_account).
pub(super) fn undo_account(
    view: &mut View<'_>,
    import: &ImportKey,
    row: &RowRecord,
    event: &AuditEvent,
) -> StoreResult<bool> {
    let made = row.effect.as_ref().and_then(|effect| effect.made_account);
    let (Some(account), Some(made)) = (&row.account, made) else { return Ok(false) };
    let key = import.account(account);
    let account_key = keys::account(&key);
    let stored: Option<AccountRecord> = view.get(Table::Accounts, &account_key)?;
    let is_as_made = |stored: &AccountRecord| stored.id == made && stored.updated_at == stored.created_at;
    let Some(stored) = stored.filter(is_as_made) else { return Ok(false) };
    if !view.scan(Table::Integrations, &account_key)?.is_empty() {
        return Ok(false);
    }
    sessions::end_all(view, &account_key)?;
    view.remove(Table::AccountOrder, keys::account_order(&key, stored.created_at, stored.id));
    view.remove(Table::Accounts, account_key);
    audit::append(view, &import.org, event)?;
    Ok(true)
}

/// Implements [`Ledger::forget_import`](crate::Ledger::forget_import).
pub(super) fn forget(view: &mut View<'_>, import: &ImportKey, what: Forget, limit: usize) -> StoreResult<bool> {
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

/// Counts that a transaction changes, each read and written once.
#[derive(Default)]
struct Counts(BTreeMap<String, RowCounts>);

impl Counts {
    fn of(&mut self, view: &View<'_>, import: ObjectId, slug: Option<&str>) -> StoreResult<&mut RowCounts> {
        let slug = slug.unwrap_or_default();
        if !self.0.contains_key(slug) {
            let stored = view.get(Table::ImportCounts, &keys::counts(import, slug))?;
            self.0.insert(slug.to_owned(), stored.unwrap_or_default());
        }
        self.0.get_mut(slug).ok_or(StoreError::Contradiction("what was just put in is not there"))
    }

    fn write(self, view: &mut View<'_>, import: ObjectId) -> StoreResult<()> {
        self.0.iter().try_for_each(|(slug, counts)| view.put(Table::ImportCounts, keys::counts(import, slug), counts))
    }
}
