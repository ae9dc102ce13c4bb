//! Sessions. An account has few of them, and they go with it.

use async_trait::async_trait;

use super::codec::decode;
use super::engine::Engine;
use super::hints::Hints;
use super::rows::{Range, Rows};
use super::table::Table;
use super::view::View;
use super::{audit_chain, keys, roots};
use crate::{AccountKey, AuditEvent, NewSession, ObjectId, SessionRecord, SessionStore, StoreError, StoreResult};

/// Sessions of an account at a time. The oldest one ends where there would be more.
const MOST: usize = 32;

#[async_trait]
impl<E: Engine> SessionStore for E {
    async fn create_session(&self, new: NewSession) -> StoreResult<()> {
        let hints = self.hints(|hints| hint(hints, &new.record));
        self.write(1024, hints, move |view| create(view, &new)).await
    }

    async fn session(&self, key: &AccountKey, id: ObjectId) -> StoreResult<Option<SessionRecord>> {
        self.record(Table::Sessions, &keys::session(key, id)).await
    }

    async fn sessions(&self, key: &AccountKey) -> StoreResult<Vec<SessionRecord>> {
        let key = key.clone();
        self.read(move |rows| of_account(rows, &key)).await
    }

    async fn reuse_session(
        &self,
        key: &AccountKey,
        id: ObjectId,
        audit: AuditEvent,
    ) -> StoreResult<Option<SessionRecord>> {
        let key = key.clone();
        self.write(512, Hints::default(), move |view| reuse(view, &key, id, &audit)).await
    }

    async fn end_session(&self, key: &AccountKey, id: ObjectId, audit: AuditEvent) -> StoreResult<bool> {
        let key = key.clone();
        self.write(512, Hints::default(), move |view| end(view, &key, id, &audit)).await
    }
}

/// What [`create`] reads.
fn hint(hints: &mut Hints, record: &SessionRecord) {
    let account = keys::account(&record.account_key());
    hints.prefix(Table::Sessions, account.clone());
    hints.row(Table::Accounts, account);
    roots::hint(hints, &record.org, record.key_id);
}

/// Implements [`SessionStore::sessions`].
fn of_account(rows: &dyn Rows, key: &AccountKey) -> StoreResult<Vec<SessionRecord>> {
    let mut sessions: Vec<SessionRecord> = rows.records(Table::Sessions, Range::of(&keys::account(key)))?;
    sessions.sort_by_key(|session| (session.issued_at, session.id));
    Ok(sessions)
}

/// Implements [`SessionStore::create_session`].
fn create(view: &mut View<'_>, new: &NewSession) -> StoreResult<()> {
    let record = &new.record;
    let key = record.account_key();
    if !view.has(Table::Accounts, &keys::account(&key))? {
        return Err(StoreError::AccountMissing { account: key.account, environment: key.environment });
    }
    roots::require_in_use(view, &key.org, record.key_id)?;
    if let Some(former) = new.replaces {
        let row = keys::session(&key, former);
        if !view.has(Table::Sessions, &row)? {
            return Err(StoreError::SessionEnded);
        }
        view.remove(Table::Sessions, row);
    }
    let mut kept = Vec::new();
    for (row, bytes) in view.scan(Table::Sessions, &keys::account(&key))? {
        let session: SessionRecord = decode(Table::Sessions, &bytes)?;
        if session.refresh_expires_at <= new.audit.at {
            view.remove(Table::Sessions, row);
        } else {
            kept.push((session.issued_at, row));
        }
    }
    kept.sort();
    let surplus = (kept.len() + 1).saturating_sub(MOST);
    for (_, row) in kept.into_iter().take(surplus) {
        view.remove(Table::Sessions, row);
    }
    view.put(Table::Sessions, keys::session(&key, record.id), record)?;
    audit_chain::append(view, &key.org, &new.audit)
}

/// Implements [`SessionStore::reuse_session`].
fn reuse(
    view: &mut View<'_>,
    key: &AccountKey,
    id: ObjectId,
    event: &AuditEvent,
) -> StoreResult<Option<SessionRecord>> {
    let found: Option<SessionRecord> = view.get(Table::Sessions, &keys::session(key, id))?;
    if found.is_some() {
        audit_chain::append(view, &key.org, event)?;
    }
    Ok(found)
}

/// Implements [`SessionStore::end_session`].
fn end(view: &mut View<'_>, key: &AccountKey, id: ObjectId, event: &AuditEvent) -> StoreResult<bool> {
    let row = keys::session(key, id);
    let is_there = view.has(Table::Sessions, &row)?;
    if is_there {
        view.remove(Table::Sessions, row);
        audit_chain::append(view, &key.org, event)?;
    }
    Ok(is_there)
}

/// Ends all of an account's, which is about to go.
pub(super) fn end_all(view: &mut View<'_>, account: &[u8]) -> StoreResult<()> {
    for (row, _) in view.scan(Table::Sessions, account)? {
        view.remove(Table::Sessions, row);
    }
    Ok(())
}
