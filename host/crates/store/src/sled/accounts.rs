//! Linked accounts on sled.

use async_trait::async_trait;

use super::codec::{check_size, decode};
use super::engine::SledStore;
use super::tables::{Table, Tables, read_error};
use super::view::View;
use super::{audit_chain, keys, outbox, sessions};
use crate::{
    AccountKey, AccountPage, AccountRecord, AccountStore, AccountView, AccountWrite, AuditEvent, ConnectionEvent,
    Deleted, IntegrationRecord, ListAccounts, ObjectId, PutAccount, PutMode, PutOutcome, StoreError, StoreResult,
    Timestamp, UserField,
};
use keyferry_types::ids::{Environment, LinkedAccountId, OrgId};

/// Accounts on one page at most.
const LONGEST_PAGE: usize = 1000;

#[async_trait]
impl AccountStore for SledStore {
    async fn put_account(&self, write: AccountWrite) -> StoreResult<PutAccount> {
        let weight = weight(&write)?;
        self.write(weight, move |view| put(view, write)).await
    }

    async fn has_account(&self, key: &AccountKey) -> StoreResult<bool> {
        Ok(self.tables().get(Table::Accounts, &keys::account(key))?.is_some())
    }

    async fn account(&self, key: &AccountKey) -> StoreResult<Option<AccountView>> {
        let view = view_of(self.tables(), key)?;
        self.until_durable().await?;
        Ok(view)
    }

    async fn accounts(&self, org: &OrgId, environment: Environment, list: ListAccounts) -> StoreResult<AccountPage> {
        let org = org.clone();
        let page = self.scan(move |tables| page(tables, &org, environment, &list)).await?;
        self.until_durable().await?;
        Ok(page)
    }

    async fn delete_account(&self, key: &AccountKey, audit: AuditEvent) -> StoreResult<Option<Deleted>> {
        let key = key.clone();
        self.write(1024, move |view| delete(view, &key, &audit)).await
    }
}

/// Implements [`AccountStore::account`].
fn view_of(tables: &Tables, key: &AccountKey) -> StoreResult<Option<AccountView>> {
    let row = keys::account(key);
    let Some(account) = tables.record(Table::Accounts, &row)? else { return Ok(None) };
    Ok(Some(AccountView { account, integrations: tables.records(Table::Integrations, &row)? }))
}

/// Implements [`AccountStore::accounts`].
fn page(tables: &Tables, org: &OrgId, environment: Environment, list: &ListAccounts) -> StoreResult<AccountPage> {
    let limit = list.limit.min(LONGEST_PAGE);
    let skipped = list.page.saturating_sub(1).saturating_mul(limit);
    let search = list.search.as_deref().filter(|search| !search.is_empty()).map(str::to_lowercase);
    let mut page = AccountPage { views: Vec::new(), total: 0 };
    for row in tables.tree(Table::AccountOrder)?.scan_prefix(keys::environment(org, environment)) {
        let (_, id) = row.map_err(read_error)?;
        let on_page = page.total >= skipped && page.views.len() < limit;
        if search.is_none() && !on_page {
            page.total += 1;
            continue;
        }
        let key = AccountKey { org: org.clone(), environment, account: account_id(&id)? };
        let row = keys::account(&key);
        // It may have been deleted since the scan began.
        let Some(account) = tables.record::<AccountRecord>(Table::Accounts, &row)? else { continue };
        if search.as_ref().is_some_and(|search| !contains(&account, search)) {
            continue;
        }
        page.total += 1;
        if on_page {
            page.views.push(AccountView { account, integrations: tables.records(Table::Integrations, &row)? });
        }
    }
    Ok(page)
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

/// Implements [`AccountStore::put_account`].
pub(super) fn put(view: &mut View<'_>, write: AccountWrite) -> StoreResult<PutAccount> {
    let AccountWrite { mode, key, id, name, udf, audit: event } = write;
    let row = keys::account(&key);
    let stored: Option<AccountRecord> = view.get(Table::Accounts, &row)?;
    let (mut account, outcome) = match (stored, mode) {
        (Some(_), PutMode::Create) => {
            return Err(StoreError::AccountExists { account: key.account, environment: key.environment });
        }
        (Some(account), PutMode::Update | PutMode::Upsert) => (account, PutOutcome::Updated),
        (None, PutMode::Update) => {
            return Err(StoreError::AccountMissing { account: key.account, environment: key.environment });
        }
        (None, PutMode::Create | PutMode::Upsert) => {
            view.put_raw(
                Table::AccountOrder,
                keys::account_order(&key, event.at, id),
                key.account.as_str().as_bytes().to_vec(),
            )?;
            (new_account(&key, id, event.at), PutOutcome::Created)
        }
    };
    account.updated_at = event.at;
    if name.is_some() {
        account.name = name;
    }
    for (key_name, key_value) in udf {
        set_field(&mut account.udf, key_name, key_value, event.at);
    }
    view.put(Table::Accounts, row, &account)?;
    audit_chain::append(view, &key.org, &event)?;
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

fn set_field(fields: &mut Vec<UserField>, key_name: String, key_value: String, at: Timestamp) {
    match fields.iter_mut().find(|field| field.key_name == key_name) {
        Some(field) => {
            field.key_value = key_value;
            field.updated_at = at;
        }
        None => {
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
    view.remove(Table::AccountOrder, keys::account_order(key, account.created_at, account.id));
    view.remove(Table::Accounts, row);
    audit_chain::append(view, &key.org, event)?;
    Ok(Some(Deleted { account, integrations }))
}
