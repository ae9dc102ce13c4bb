//! Linked accounts: records, writes, and [`AccountStore`].

use std::str::FromStr;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::audit::AuditEvent;
use crate::error::StoreResult;
use crate::integration::IntegrationRecord;
use crate::keys::AccountKey;
use crate::values::{ObjectId, Timestamp};
use keyferry_types::ids::{Environment, LinkedAccountId, OrgId};

/// A linked account as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountRecord {
    /// Id that the server gave the account, as responses show it.
    pub id: ObjectId,
    /// Organisation of the account.
    pub org: OrgId,
    /// Environment of the account.
    pub environment: Environment,
    /// The caller's id of it.
    pub account_id: LinkedAccountId,
    /// Display name, as the caller gave it.
    #[serde(default)]
    pub name: Option<String>,
    /// User-defined fields, in the order in which they were added.
    #[serde(default)]
    pub udf: Vec<UserField>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last written.
    pub updated_at: Timestamp,
}

impl AccountRecord {
    /// The key under which the account is stored.
    pub fn key(&self) -> AccountKey {
        AccountKey { org: self.org.clone(), environment: self.environment, account: self.account_id.clone() }
    }
}

/// One user-defined field of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserField {
    /// Its name, unique within the account.
    pub key_name: String,
    /// Value of the user-defined field, as the caller gave it.
    pub key_value: String,
    /// Id that the server gave the field.
    pub id: ObjectId,
    /// When it was added.
    pub created_at: Timestamp,
    /// When its value was last set.
    pub updated_at: Timestamp,
}

/// A linked account with what is connected to it.
#[derive(Debug, Clone, PartialEq)]
pub struct AccountView {
    /// The linked account.
    pub account: AccountRecord,
    /// All integrations of the account.
    pub integrations: Vec<IntegrationRecord>,
}

/// How a write treats an account that exists already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PutMode {
    /// An existing account is an error.
    Create,
    /// As `Upsert`, and an account that does not exist is an error.
    Update,
    /// Set the name, if one is given, and the given fields; leave the rest.
    Upsert,
}

/// A linked account to create or update. It is written at the time of its audit event.
#[derive(Debug, Clone)]
pub struct AccountWrite {
    /// What to do if the account exists.
    pub mode: PutMode,
    /// Key of the account to create or update.
    pub key: AccountKey,
    /// Id of the account, if the write creates it.
    pub id: ObjectId,
    /// Its name; `None` leaves it as it is.
    pub name: Option<String>,
    /// User-defined fields to set, name and value. Of two with the same name the later one counts.
    pub udf: Vec<(String, String)>,
    /// The audit event, written in the same transaction.
    pub audit: AuditEvent,
}

/// Result of an [`AccountWrite`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PutOutcome {
    /// The account did not exist before the write.
    Created,
    /// The account existed before the write.
    Updated,
}

/// A linked account as it is after a write.
#[derive(Debug, Clone, PartialEq)]
pub struct PutAccount {
    /// The account as it is stored after the write.
    pub account: AccountRecord,
    /// Whether it is new.
    pub outcome: PutOutcome,
}

impl AccountRecord {
    /// The account's place in the list of its environment.
    pub fn place(&self) -> AccountPlace {
        AccountPlace { created_at: self.created_at, id: self.id }
    }
}

/// An account's place in the list of its environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountPlace {
    /// When the account was made.
    pub created_at: Timestamp,
    /// Its id on this server.
    pub id: ObjectId,
}

/// Text that is no place in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is the time of an account's creation in milliseconds since 1970, a hyphen, and the account's `_id`")]
pub struct MalformedAccountPlace;

impl FromStr for AccountPlace {
    type Err = MalformedAccountPlace;
    fn from_str(text: &str) -> Result<Self, MalformedAccountPlace> {
        let (millis, id) = text.split_once('-').ok_or(MalformedAccountPlace)?;
        let is_number = !millis.is_empty() && millis.bytes().all(|byte| byte.is_ascii_digit());
        let millis = is_number.then(|| millis.parse().ok()).flatten().ok_or(MalformedAccountPlace)?;
        let id = id.parse().map_err(|_| MalformedAccountPlace)?;
        Ok(Self { created_at: Timestamp::from_millis(millis), id })
    }
}

/// The page of an environment's accounts to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListAccounts {
    /// The page, from 1.
    pub page: usize,
    /// Accounts on a page. At most 1,000 are returned.
    pub limit: usize,
    /// Only accounts whose id or name contains this, upper and lower case alike.
    pub search: Option<String>,
    /// Only accounts that come after this place; pages are counted from there. Accounts that are made or deleted before it do
    /// not shift it.
    pub after: Option<AccountPlace>,
}

/// One page of accounts, newest first.
#[derive(Debug, Clone, PartialEq)]
pub struct AccountPage {
    /// The accounts of this page.
    pub views: Vec<AccountView>,
    /// Number of accounts on all pages.
    pub total: usize,
}

/// A deleted linked account, and what was deleted with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Deleted {
    /// The account as it was before it was deleted.
    pub account: AccountRecord,
    /// The integrations that were deleted with it.
    pub integrations: Vec<IntegrationRecord>,
}

/// Transactions on linked accounts. An account that is written together with a credential is
/// [`MigrationStore`](crate::MigrationStore)'s.
///
/// What [`account`](Self::account) and [`accounts`](Self::accounts) return is durable.
/// [`has_account`](Self::has_account) may be ahead: it is asked before each migration and does not wait for the disk.
#[async_trait]
pub trait AccountStore: Send + Sync + 'static {
    /// Creates or updates a linked account, at the time of its audit event.
    ///
    /// # Errors
    /// `AccountExists` if it is to be created and exists, `AccountMissing` if it is to be updated and does not.
    async fn put_account(&self, write: AccountWrite) -> StoreResult<PutAccount>;

    /// Whether a linked account exists. The account may not be durable yet; a write that needs it is part of a later
    /// transaction, which cannot be durable without it.
    async fn has_account(&self, key: &AccountKey) -> StoreResult<bool>;

    /// A linked account and its integrations, of one moment.
    async fn account(&self, key: &AccountKey) -> StoreResult<Option<AccountView>>;

    /// One page of an environment's linked accounts, newest first. Accounts that are written while the page is read may
    /// be part of it or not.
    async fn accounts(&self, org: &OrgId, environment: Environment, list: ListAccounts) -> StoreResult<AccountPage>;

    /// Deletes a linked account with its integrations and its sessions, and queues `Connection Deleted` for each
    /// integration. Returns `None`, and writes no event, if the account does not exist.
    async fn delete_account(&self, key: &AccountKey, audit: AuditEvent) -> StoreResult<Option<Deleted>>;
}
