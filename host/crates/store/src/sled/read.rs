//! What is read, straight from the trees.

use super::codec::decode;
use super::keys;
use super::tables::{Table, Tables, read_error};
use crate::{
    AccountKey, AccountPage, AccountRecord, AccountView, ApiKeyRecord, ListAccounts, RootRecord, StoreError,
    StoreResult,
};
use keyferry_types::ids::{Environment, LinkedAccountId, OrgId};

/// Accounts on one page at most.
const LONGEST_PAGE: usize = 1000;

impl Tables {
    pub(super) fn record<T: serde::de::DeserializeOwned>(&self, table: Table, key: &[u8]) -> StoreResult<Option<T>> {
        self.get(table, key)?.map(|bytes| decode(table, &bytes)).transpose()
    }

    pub(super) fn records<T: serde::de::DeserializeOwned>(&self, table: Table, prefix: &[u8]) -> StoreResult<Vec<T>> {
        let rows = self.tree(table)?.scan_prefix(prefix).values();
        rows.map(|row| decode(table, &row.map_err(read_error)?)).collect()
    }

    pub(super) fn roots(&self, org: &OrgId) -> StoreResult<Vec<RootRecord>> {
        self.records(Table::Roots, &keys::org(org))
    }

    /// Organisations have few keys, and all of them together are few: no index.
    pub(super) fn api_keys(&self, org: &OrgId) -> StoreResult<Vec<ApiKeyRecord>> {
        let mut keys: Vec<ApiKeyRecord> = self.records(Table::ApiKeys, &[])?;
        keys.retain(|key| key.org == *org);
        keys.sort_by_key(|key| (key.created_at, key.hash));
        Ok(keys)
    }

    pub(super) fn account_view(&self, key: &AccountKey) -> StoreResult<Option<AccountView>> {
        let row = keys::account(key);
        let Some(account) = self.record(Table::Accounts, &row)? else { return Ok(None) };
        Ok(Some(AccountView { account, integrations: self.records(Table::Integrations, &row)? }))
    }

    pub(super) fn account_page(
        &self,
        org: &OrgId,
        environment: Environment,
        list: &ListAccounts,
    ) -> StoreResult<AccountPage> {
        let limit = list.limit.min(LONGEST_PAGE);
        let skipped = list.page.saturating_sub(1).saturating_mul(limit);
        let search = list.search.as_deref().filter(|search| !search.is_empty()).map(str::to_lowercase);
        let mut page = AccountPage { views: Vec::new(), total: 0 };
        for row in self.tree(Table::AccountOrder)?.scan_prefix(keys::environment(org, environment)) {
            let (_, id) = row.map_err(read_error)?;
            let on_page = page.total >= skipped && page.views.len() < limit;
            if search.is_none() && !on_page {
                page.total += 1;
                continue;
            }
            let key = AccountKey { org: org.clone(), environment, account: account_id(&id)? };
            let row = keys::account(&key);
            // Gone since the list was begun.
            let Some(account) = self.record::<AccountRecord>(Table::Accounts, &row)? else { continue };
            if search.as_ref().is_some_and(|search| !contains(&account, search)) {
                continue;
            }
            page.total += 1;
            if on_page {
                page.views.push(AccountView { account, integrations: self.records(Table::Integrations, &row)? });
            }
        }
        Ok(page)
    }
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
