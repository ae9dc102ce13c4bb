//! Rows of imports.

use std::borrow::Cow;
use std::collections::BTreeMap;

use async_trait::async_trait;
use bytes::Bytes;

use super::codec::{check_size, encode};
use super::engine::Engine;
use super::hints::Hints;
use super::rows::{Range, Rows};
use super::table::Table;
use super::view::View;
use super::{audit_chain, keys, outbox, roots, sessions};
use crate::{
    AccountRecord, Again, AuditEvent, ConnectionEvent, ImportKey, IntegrationRecord, Ledger, NewRow, ObjectId,
    RowCounts, RowInput, RowRecord, RowSettlement, RowState, StoreError, StoreResult, TakeBack, Timestamp, UndoWrite,
};
use keyferry_types::ids::Slug;

/// Bytes that are stored with a row's input, roughly: keys, the ledger's row, the digest of its account and app.
const AROUND_ROW: usize = 512;

#[async_trait]
impl<E: Engine> Ledger for E {
    async fn add_rows(&self, import: &ImportKey, rows: Vec<NewRow>) -> StoreResult<()> {
        let inputs = rows.iter().filter_map(|row| row.input.as_ref());
        let inputs = inputs.map(|(_, input)| input.envelope.len());
        let weight = inputs.sum::<usize>() + rows.len() * AROUND_ROW;
        for (_, input) in rows.iter().filter_map(|row| row.input.as_ref()) {
            check_size(Table::ImportInputs, input.envelope.len() + AROUND_ROW)?;
        }
        let import = import.clone();
        let hints = self.hints(|hints| {
            hints.row(Table::Imports, keys::import(&import));
            for place in rows.iter().filter_map(|row| row.place.as_ref()) {
                hints.row(Table::ImportPlaces, keys::place(import.id, place));
            }
            for row in &rows {
                hints.row(Table::ImportCounts, keys::counts(import.id, row.row.slug.as_deref().unwrap_or_default()));
            }
            for (_, input) in rows.iter().filter_map(|row| row.input.as_ref()) {
                roots::hint(hints, &import.org, input.key_id);
            }
        });
        self.write(weight, hints, move |view| add_rows(view, &import, &rows)).await
    }

    async fn queued_rows(
        &self,
        import: ObjectId,
        slug: &Slug,
        after: Option<u64>,
        limit: usize,
    ) -> StoreResult<Vec<RowInput>> {
        let prefix = keys::all_queued(import, slug);
        let after = after.map(|number| keys::queued(import, slug, number));
        let read = move |rows: &dyn Rows| {
            rows.records(Table::ImportInputs, Range::of(&prefix).after(after.as_deref()).most(limit))
        };
        self.scan(read).await
    }

    async fn settle_row(&self, settlement: RowSettlement) -> StoreResult<()> {
        let settlement = Settlement::new(settlement)?;
        let hints = self.hints(|hints| settlement.hint(hints));
        self.write(settlement.weight(), hints, move |view| settle(view, &settlement)).await
    }

    async fn rows(&self, import: ObjectId, after: u64, limit: usize) -> StoreResult<Vec<RowRecord>> {
        let after = keys::row(import, after);
        let read = move |rows: &dyn Rows| {
            rows.records(Table::ImportRows, Range::of(import.as_bytes()).after(Some(&after)).most(limit))
        };
        self.scan(read).await
    }

    async fn requeue_rows(&self, import: &ImportKey, limit: usize) -> StoreResult<u64> {
        let import = import.clone();
        self.write(limit * AROUND_ROW, Hints::default(), move |view| requeue(view, &import, limit)).await
    }

    async fn former(&self, import: ObjectId, number: u64) -> StoreResult<Option<IntegrationRecord>> {
        self.record(Table::ImportFormer, &keys::row(import, number)).await
    }

    async fn undo_row(&self, undo: UndoWrite) -> StoreResult<()> {
        self.write(4096, Hints::default(), move |view| undo_row(view, &undo)).await
    }

    async fn undo_account(&self, import: &ImportKey, row: RowRecord, audit: AuditEvent) -> StoreResult<bool> {
        let import = import.clone();
        self.write(1024, Hints::default(), move |view| undo_account(view, &import, &row, &audit)).await
    }
}

/// Implements [`Ledger::add_rows`].
fn add_rows(view: &mut View<'_>, import: &ImportKey, rows: &[NewRow]) -> StoreResult<()> {
    if !view.has(Table::Imports, &keys::import(import))? {
        return Err(StoreError::ImportChanged);
    }
    let mut counts = Counts::default();
    for NewRow { row, input, place } in rows {
        let (mut row, mut input) = (Cow::Borrowed(row), input.as_ref());
        if let Some(place) = place {
            let place = keys::place(import.id, place);
            match view.get::<u64>(Table::ImportPlaces, &place)? {
                Some(first) => {
                    let row = row.to_mut();
                    row.state = RowState::Failed;
                    row.outcome = Some("duplicate_row".to_owned());
                    row.detail =
                        Some(format!("row {first} is for the same account and app; only that one is worked on"));
                    row.settled_at = row.settled_at.or(Some(Timestamp::now()));
                    input = None;
                }
                None => view.put(Table::ImportPlaces, place, &row.number)?,
            }
        }
        if let Some((slug, input)) = input {
            roots::require_in_use(view, &import.org, input.key_id)?;
            view.put(Table::ImportInputs, keys::queued(import.id, slug, row.number), input)?;
        }
        counts.of(view, import.id, row.slug.as_deref())?.count(&row);
        view.put(Table::ImportRows, keys::row(import.id, row.number), &*row)?;
    }
    counts.write(view, import.id)
}

/// A settlement whose records are encoded already: that is done before it is queued, by the thread of the caller.
pub(super) struct Settlement {
    settlement: RowSettlement,
    row: Bytes,
    former: Option<Bytes>,
}

impl Settlement {
    pub(super) fn new(settlement: RowSettlement) -> StoreResult<Self> {
        let row = encode(Table::ImportRows, &settlement.row)?.into();
        let former = settlement.former.as_deref().map(|former| encode(Table::ImportFormer, former)).transpose()?;
        Ok(Self { settlement, row, former: former.map(Into::into) })
    }

    /// What [`settle`] reads.
    pub(super) fn hint(&self, hints: &mut Hints) {
        let RowSettlement { import, slug, row, .. } = &self.settlement;
        hints.row(Table::ImportInputs, keys::queued(import.id, slug, row.number));
        hints.row(Table::ImportCounts, keys::counts(import.id, row.slug.as_deref().unwrap_or_default()));
    }

    pub(super) fn weight(&self) -> usize {
        self.row.len() + self.former.as_ref().map_or(0, Bytes::len) + 512
    }
}

/// Implements [`Ledger::settle_row`].
pub(super) fn settle(view: &mut View<'_>, settlement: &Settlement) -> StoreResult<()> {
    let Settlement { settlement: RowSettlement { import, slug, row, again, .. }, row: bytes, former } = settlement;
    let queued = keys::queued(import.id, slug, row.number);
    // What waits here is what makes a row unsettled: taking it away and writing what came of it are one.
    if *again == Again::Possible {
        let input = view.raw(Table::ImportInputs, &queued)?.ok_or(StoreError::RowSettled)?;
        view.put_raw(Table::ImportInputs, keys::held(import.id, slug, row.number), input)?;
    } else if !view.has(Table::ImportInputs, &queued)? {
        return Err(StoreError::RowSettled);
    }
    view.remove(Table::ImportInputs, queued);
    if let Some(former) = former {
        view.put_raw(Table::ImportFormer, keys::row(import.id, row.number), former.clone())?;
    }
    let mut counts = Counts::default();
    let of_app = counts.of(view, import.id, row.slug.as_deref())?;
    of_app.queued = of_app.queued.saturating_sub(1);
    of_app.count(row);
    counts.write(view, import.id)?;
    view.put_raw(Table::ImportRows, keys::row(import.id, row.number), bytes.clone())
}

/// Implements [`Ledger::requeue_rows`].
fn requeue(view: &mut View<'_>, import: &ImportKey, limit: usize) -> StoreResult<u64> {
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
        view.put_raw(Table::ImportInputs, keys::queued(import.id, &slug, number), input)?;
        view.remove(Table::ImportInputs, held);
        queued += 1;
    }
    counts.write(view, import.id)?;
    Ok(queued)
}

/// Implements [`Ledger::undo_row`].
fn undo_row(view: &mut View<'_>, undo: &UndoWrite) -> StoreResult<()> {
    let UndoWrite { import, row, take_back, audit: event } = undo;
    let row_key = keys::row(import.id, row.number);
    let stored: Option<RowRecord> = view.get(Table::ImportRows, &row_key)?;
    let stored = stored.filter(|stored| stored.state == RowState::Done).ok_or(StoreError::RowSettled)?;
    match take_back {
        Some(TakeBack::Remove { key, id, version }) => {
            let integration = keys::integration(key);
            require(view.get(Table::Integrations, &integration)?, *id, *version)?;
            view.remove(Table::Integrations, integration);
            if let Some(event) = event {
                outbox::put(view, key, ConnectionEvent::Deleted, event.at)?;
            }
        }
        Some(TakeBack::PutBack { record }) => {
            let key = record.key();
            let integration = keys::integration(&key);
            require(view.get(Table::Integrations, &integration)?, record.id, record.version.saturating_sub(1))?;
            roots::require_in_use(view, &key.account.org, record.key_id)?;
            view.put(Table::Integrations, integration, record)?;
        }
        None => {}
    }
    let mut counts = Counts::default();
    let of_app = counts.of(view, import.id, row.slug.as_deref())?;
    of_app.uncount(&stored);
    of_app.count(row);
    counts.write(view, import.id)?;
    view.put(Table::ImportRows, row_key.clone(), row)?;
    view.remove(Table::ImportFormer, row_key);
    match event {
        Some(event) => audit_chain::append(view, &import.org, event),
        None => Ok(()),
    }
}

fn require(stored: Option<IntegrationRecord>, id: ObjectId, version: u64) -> StoreResult<()> {
    match stored {
        Some(stored) if stored.id == id && stored.version == version => Ok(()),
        stored => Err(StoreError::Conflict { current: stored.map(|stored| stored.version) }),
    }
}

/// Implements [`Ledger::undo_account`].
fn undo_account(view: &mut View<'_>, import: &ImportKey, row: &RowRecord, event: &AuditEvent) -> StoreResult<bool> {
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
    view.remove(Table::AccountOrder, keys::account_order(&key.org, key.environment, stored.place()));
    view.remove(Table::Accounts, account_key);
    audit_chain::append(view, &import.org, event)?;
    Ok(true)
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
