//! Sessions. An account has few of them, and they go with it.

use super::codec::decode;
use super::tables::{Table, Tables};
use super::view::View;
use super::{audit, keys, roots};
use crate::{AccountKey, AuditEvent, NewSession, ObjectId, SessionRecord, StoreError, StoreResult};

/// Sessions of an account at a time. The oldest one ends where there would be more.
const MOST: usize = 32;

/// Implements [`Store::sessions`](crate::Store::sessions).
pub(super) fn of_account(tables: &Tables, key: &AccountKey) -> StoreResult<Vec<SessionRecord>> {
    let mut sessions: Vec<SessionRecord> = tables.records(Table::Sessions, &keys::account(key))?;
    sessions.sort_by_key(|session| (session.issued_at, session.id));
    Ok(sessions)
}

/// Implements [`Store::create_session`](crate::Store::create_session).
pub(super) fn create(view: &mut View<'_>, new: &NewSession) -> StoreResult<()> {
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
    audit::append(view, &key.org, &new.audit)
}

/// Implements [`Store::reuse_session`](crate::Store::reuse_session).
pub(super) fn reuse(
    view: &mut View<'_>,
    key: &AccountKey,
    id: ObjectId,
    event: &AuditEvent,
) -> StoreResult<Option<SessionRecord>> {
    let found: Option<SessionRecord> = view.get(Table::Sessions, &keys::session(key, id))?;
    if found.is_some() {
        audit::append(view, &key.org, event)?;
    }
    Ok(found)
}

/// Implements [`Store::end_session`](crate::Store::end_session).
pub(super) fn end(view: &mut View<'_>, key: &AccountKey, id: ObjectId, event: &AuditEvent) -> StoreResult<bool> {
    let row = keys::session(key, id);
    let is_there = view.has(Table::Sessions, &row)?;
    if is_there {
        view.remove(Table::Sessions, row);
        audit::append(view, &key.org, event)?;
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
