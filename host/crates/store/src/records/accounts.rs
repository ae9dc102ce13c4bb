//! Linked accounts.

use async_trait::async_trait;

use super::codec::{check_size, decode};
use super::engine::Engine;
use super::hints::Hints;
use super::rows::{ENOUGH, NEXT, Range, Rows};
use super::table::Table;
use super::view::View;
use super::{audit_chain, keys, outbox, sessions};
use crate::{
    AccountKey, AccountPage, AccountPlace, AccountRecord, AccountStore, AccountView, AccountWrite, AuditEvent,
    ConnectionEvent, Deleted, IntegrationRecord, ListAccounts, ObjectId, PutAccount, PutMode, PutOutcome, StoreError,
    StoreResult, Timestamp, UserField,
};
use keyferry_types::ids::{Environment, LinkedAccountId, OrgId};

/// Accounts on one page at most.
const LONGEST_PAGE: usize = 1000;
/// Accounts that a search looks at in one go.
const AT_ONCE: usize = 256;

#[async_trait]
impl<E: Engine> AccountStore for E {
    async fn put_account(&self, write: AccountWrite) -> StoreResult<PutAccount> {
        let weight = weight(&write)?;
        let hints = self.hints(|hints| hint(hints, &write.key));
        self.write(weight, hints, move |view| put(view, &write)).await
    }

    async fn has_account(&self, key: &AccountKey) -> StoreResult<bool> {
        self.has(Table::Accounts, &keys::account(key)).await
    }

    async fn account(&self, key: &AccountKey) -> StoreResult<Option<AccountView>> {
        let key = key.clone();
        self.read(move |rows| view_of(rows, &key)).await
    }

    async fn accounts(&self, org: &OrgId, environment: Environment, list: ListAccounts) -> StoreResult<AccountPage> {
        let org = org.clone();
        self.scan(move |rows| page(rows, &org, environment, &list)).await
    }

    async fn delete_account(&self, key: &AccountKey, audit: AuditEvent) -> StoreResult<Option<Deleted>> {
        let key = key.clone();
        self.write(1024, Hints::default(), move |view| delete(view, &key, &audit)).await
    }
}

/// Implements [`AccountStore::account`].
fn view_of(rows: &dyn Rows, key: &AccountKey) -> StoreResult<Option<AccountView>> {
    let row = keys::account(key);
    fetch(rows, std::slice::from_ref(&row), true)?;
    view_at(rows, &row)
}

/// The account of a row, if it is there, with its integrations.
fn view_at(rows: &dyn Rows, row: &[u8]) -> StoreResult<Option<AccountView>> {
    rows.together(|| {
        let Some(account) = rows.record(Table::Accounts, row)? else { return Ok(None) };
        Ok(Some(AccountView { account, integrations: rows.records(Table::Integrations, Range::of(row))? }))
    })
}

/// Implements [`AccountStore::accounts`].
fn page(rows: &dyn Rows, org: &OrgId, environment: Environment, list: &ListAccounts) -> StoreResult<AccountPage> {
    let limit = list.limit.min(LONGEST_PAGE);
    let skipped = list.page.saturating_sub(1).saturating_mul(limit);
    let search = list.search.as_deref().filter(|search| !search.is_empty()).map(str::to_lowercase);
    let all = keys::environment(org, environment);
    let after = list.after.map(|place| keys::account_order(org, environment, place));
    let range = Range::of(&all).after(after.as_deref());
    let key = |id: &[u8]| -> StoreResult<Vec<u8>> {
        Ok(keys::account(&AccountKey { org: org.clone(), environment, account: account_id(id)? }))
    };
    let mut page = AccountPage { views: Vec::new(), total: 0 };
    if search.is_none() {
        page.total = rows.count(Table::AccountOrder, range)?;
        if limit > 0 {
            let mut accounts = Vec::new();
            rows.walk(Table::AccountOrder, range.skip(skipped).most(limit), &mut |_, id| {
                accounts.push(key(id)?);
                if accounts.len() < limit { NEXT } else { ENOUGH }
            })?;
            fetch(rows, &accounts, true)?;
            for row in accounts {
                page.views.extend(view_at(rows, &row)?);
            }
        }
        return Ok(page);
    }
    let mut some = Vec::with_capacity(AT_ONCE);
    let mut look = |some: &mut Vec<Vec<u8>>| -> StoreResult<()> {
        fetch(rows, some, false)?;
        for row in some.drain(..) {
            // It may have been deleted since the scan began.
            let Some(account) = rows.record::<AccountRecord>(Table::Accounts, &row)? else { continue };
            if search.as_ref().is_some_and(|search| !contains(&account, search)) {
                continue;
            }
            let on_page = page.total >= skipped && page.views.len() < limit;
            page.total += 1;
            if on_page {
                page.views.extend(view_at(rows, &row)?);
            }
        }
        Ok(())
    };
    rows.walk(Table::AccountOrder, range, &mut |_, id| {
        some.push(key(id)?);
        if some.len() >= AT_ONCE {
            look(&mut some)?;
        }
        NEXT
    })?;
    look(&mut some)?;
    Ok(page)
}

/// Fetches accounts that are about to be read, and their integrations.
fn fetch(rows: &dyn Rows, accounts: &[Vec<u8>], with_integrations: bool) -> StoreResult<()> {
    if !rows.fetches() {
        return Ok(());
    }
    let mut hints = Hints::default();
    for row in accounts {
        hints.row(Table::Accounts, row.clone());
        if with_integrations {
            hints.prefix(Table::Integrations, row.clone());
        }
    }
    rows.fetch(&hints)
}

fn contains(account: &AccountRecord, search: &str) -> bool {
    account.account_id.as_str().to_lowercase().contains(search)
        || account.name.as_ref().is_some_and(|name| name.to_lowercase().contains(search))
}

fn account_id(bytes: &[u8]) -> StoreResult<LinkedAccountId> {
    std::str::from_utf8(bytes).ok().and_then(|id| id.parse().ok()).ok_or_else(|| StoreError::Damaged {
        table: Table::AccountOrder.name(),
        reason: "it names no account".to_owned(),
    })
}

/// Bytes that an account is about to take.
pub(super) fn weight(write: &AccountWrite) -> StoreResult<usize> {
    let given: usize = write.udf.iter().map(|(name, value)| name.len() + value.len()).sum();
    let weight = given + write.name.as_ref().map_or(0, String::len);
    check_size(Table::Accounts, weight)?;
    Ok(weight + 1024)
}

/// What [`put`] reads.
pub(super) fn hint(hints: &mut Hints, key: &AccountKey) {
    hints.row(Table::Accounts, keys::account(key));
}

/// Implements [`AccountStore::put_account`].
pub(super) fn put(view: &mut View<'_>, write: &AccountWrite) -> StoreResult<PutAccount> {
    let AccountWrite { mode, key, id, name, udf, audit: event } = write;
    let row = keys::account(key);
    let stored: Option<AccountRecord> = view.get(Table::Accounts, &row)?;
    let (mut account, outcome) = match (stored, mode) {
        (Some(_), PutMode::Create) => {
            return Err(StoreError::AccountExists { account: key.account.clone(), environment: key.environment });
        }
        (Some(account), PutMode::Update | PutMode::Upsert) => (account, PutOutcome::Updated),
        (None, PutMode::Update) => {
            return Err(StoreError::AccountMissing { account: key.account.clone(), environment: key.environment });
        }
        (None, PutMode::Create | PutMode::Upsert) => {
            view.put_raw(
                Table::AccountOrder,
                keys::account_order(&key.org, key.environment, AccountPlace { created_at: event.at, id: *id }),
                key.account.as_str().as_bytes().to_vec(),
            )?;
            (new_account(key, *id, event.at), PutOutcome::Created)
        }
    };
    account.updated_at = event.at;
    if name.is_some() {
        account.name.clone_from(name);
    }
    for (key_name, key_value) in udf {
        set_field(&mut account.udf, key_name, key_value, event.at);
    }
    view.put(Table::Accounts, row, &account)?;
    audit_chain::append(view, &key.org, event)?;
    Ok(PutAccount { account, outcome })
}

fn new_account(key: &AccountKey, id: ObjectId, at: Timestamp) -> AccountRecord {
    AccountRecord {
        id,
        org: key.org.clone(),
        environment: key.environment,
        account_id: key.account.clone(),
        name: None,
        udf: Vec::new(),
        created_at: at,
        updated_at: at,
    }
}

fn set_field(fields: &mut Vec<UserField>, key_name: &str, key_value: &str, at: Timestamp) {
    match fields.iter_mut().find(|field| field.key_name == key_name) {
        Some(field) => {
            field.key_value = key_value.to_owned();
            field.updated_at = at;
        }
        None => {
            let (key_name, key_value) = (key_name.to_owned(), key_value.to_owned());
            fields.push(UserField { key_name, key_value, id: ObjectId::generate(), created_at: at, updated_at: at });
        }
    }
}

/// Implements [`AccountStore::delete_account`].
fn delete(view: &mut View<'_>, key: &AccountKey, event: &AuditEvent) -> StoreResult<Option<Deleted>> {
    let row = keys::account(key);
    let Some(account) = view.get::<AccountRecord>(Table::Accounts, &row)? else { return Ok(None) };
    let mut integrations: Vec<IntegrationRecord> = Vec::new();
    for (row, bytes) in view.scan(Table::Integrations, &row)? {
        integrations.push(decode(Table::Integrations, &bytes)?);
        view.remove(Table::Integrations, row);
    }
    for integration in &integrations {
        outbox::put(view, &integration.key(), ConnectionEvent::Deleted, event.at)?;
    }
    sessions::end_all(view, &row)?;
    view.remove(Table::AccountOrder, keys::account_order(&key.org, key.environment, account.place()));
    view.remove(Table::Accounts, row);
    audit_chain::append(view, &key.org, event)?;
    Ok(Some(Deleted { account, integrations }))
}
