//! The writing transactions, each as a function of what it sees. They run on the committer thread, once each.

use super::codec::{check_size, decode, encode};
use super::tables::Table;
use super::view::View;
use super::{audit, imports, keys, outbox, roots, sessions};
use crate::{
    AccountKey, AccountRecord, AccountWrite, ApiKeyRecord, AuditEvent, CheckWrite, Checked, ConnectionEvent,
    DeleteOutcome, Deleted, Expect, IdempotencyRecord, IntegrationKey, IntegrationRecord, MigrationWrite, NewApiKey,
    ObjectId, PutAccount, PutMode, PutOutcome, Reauth, StoreError, StoreResult, Timestamp, UserField,
};
use keyferry_types::ids::{AuthTypeName, OrgId};

/// Expired records removed by one sweep.
const SWEPT_AT_ONCE: usize = 256;

/// Implements [`Store::create_api_key`](crate::Store::create_api_key).
pub(super) fn create_api_key(view: &mut View<'_>, new: &NewApiKey) -> StoreResult<()> {
    let record = &new.record;
    if view.has(Table::ApiKeys, &record.hash)? {
        return Err(StoreError::ApiKeyExists);
    }
    view.put(Table::ApiKeys, record.hash.to_vec(), record)?;
    if let Some(root) = &new.root
        && view.scan(Table::Roots, &keys::org(&record.org))?.is_empty()
    {
        view.put(Table::Roots, keys::root(&record.org, root.key_id), root)?;
    }
    audit::append(view, &record.org, &new.audit)
}

/// Implements [`Store::revoke_api_key`](crate::Store::revoke_api_key).
pub(super) fn revoke_api_key(
    view: &mut View<'_>,
    org: &OrgId,
    hash: &[u8; 32],
    event: &AuditEvent,
) -> StoreResult<Option<ApiKeyRecord>> {
    let found = view.get::<ApiKeyRecord>(Table::ApiKeys, hash)?.filter(|record| record.org == *org);
    let Some(mut record) = found else { return Ok(None) };
    if record.revoked_at.is_none() {
        record.revoked_at = Some(event.at);
        view.put(Table::ApiKeys, hash.to_vec(), &record)?;
        audit::append(view, org, event)?;
    }
    Ok(Some(record))
}

/// Implements [`Store::touch_api_key`](crate::Store::touch_api_key).
pub(super) fn touch_api_key(view: &mut View<'_>, hash: &[u8; 32], at: Timestamp) -> StoreResult<()> {
    let Some(mut record) = view.get::<ApiKeyRecord>(Table::ApiKeys, hash)? else { return Ok(()) };
    if record.last_used_at.is_none_or(|last| last < at) {
        record.last_used_at = Some(at);
        view.put(Table::ApiKeys, hash.to_vec(), &record)?;
    }
    Ok(())
}

/// Bytes that an account is about to take.
pub(super) fn weight(write: &AccountWrite) -> StoreResult<usize> {
    let given: usize = write.udf.iter().map(|(name, value)| name.len() + value.len()).sum();
    let weight = given + write.name.as_ref().map_or(0, String::len);
    check_size(Table::Accounts, weight)?;
    Ok(weight + 1024)
}

/// Implements [`Store::put_account`](crate::Store::put_account).
pub(super) fn put_account(view: &mut View<'_>, write: AccountWrite) -> StoreResult<PutAccount> {
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
    audit::append(view, &key.org, &event)?;
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

/// Implements [`Store::delete_account`](crate::Store::delete_account).
pub(super) fn delete_account(
    view: &mut View<'_>,
    key: &AccountKey,
    event: &AuditEvent,
) -> StoreResult<Option<Deleted>> {
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
    audit::append(view, &key.org, event)?;
    Ok(Some(Deleted { account, integrations }))
}

/// A migration whose records are encoded already: that is done before it is queued, by the thread of the caller.
pub(super) struct Migration {
    write: MigrationWrite,
    key: IntegrationKey,
    integration: Vec<u8>,
    answer: Option<Vec<u8>>,
    row: Option<imports::Settlement>,
}

impl Migration {
    pub(super) fn new(mut write: MigrationWrite) -> StoreResult<Self> {
        let version = match write.expect {
            Expect::Absent => Some(1),
            Expect::Version(current) => current.checked_add(1),
        };
        if version != Some(write.record.version) {
            return Err(StoreError::Contradiction("the new version does not follow the expected one"));
        }
        let key = write.record.key();
        if let Some(answer) = &write.idempotency
            && (answer.key.org != key.account.org || answer.key.environment != key.account.environment)
        {
            return Err(StoreError::Contradiction("the idempotency key is another organisation's"));
        }
        let integration = encode(Table::Integrations, &write.record)?;
        let answer = write.idempotency.as_ref().map(|answer| encode(Table::Idempotency, answer)).transpose()?;
        let row = write.row.take().map(imports::Settlement::new).transpose()?;
        Ok(Self { write, key, integration, answer, row })
    }

    pub(super) fn weight(&self) -> usize {
        let row = self.row.as_ref().map_or(0, imports::Settlement::weight);
        self.integration.len() + self.answer.as_ref().map_or(0, Vec::len) + row + 1024
    }
}

/// Implements [`Store::commit_migration`](crate::Store::commit_migration).
pub(super) fn commit_migration(view: &mut View<'_>, migration: Migration, now: Timestamp) -> StoreResult<()> {
    let Migration { write, key, integration, answer, row: settlement } = migration;
    if let Some(settlement) = settlement {
        imports::settle(view, settlement)?;
    }
    if let (Some(record), Some(bytes)) = (&write.idempotency, answer) {
        keep_answer(view, record, bytes, now)?;
    }
    let account = &key.account;
    if !view.has(Table::Accounts, &keys::account(account))? {
        return Err(StoreError::AccountMissing { account: account.account.clone(), environment: account.environment });
    }
    roots::require_in_use(view, &account.org, write.record.key_id)?;
    let row = keys::integration(&key);
    let stored: Option<IntegrationRecord> = view.get(Table::Integrations, &row)?;
    let current = stored.map(|stored| stored.version);
    let expected = match write.expect {
        Expect::Absent => None,
        Expect::Version(version) => Some(version),
    };
    if current != expected {
        return Err(StoreError::Conflict { current });
    }
    view.put_raw(Table::Integrations, row, integration)?;
    if expected.is_none() {
        outbox::put(view, &key, ConnectionEvent::Created, write.audit.at)?;
    }
    audit::append(view, &account.org, &write.audit)
}

/// Implements [`Store::commit_check`](crate::Store::commit_check).
pub(super) fn commit_check(view: &mut View<'_>, write: CheckWrite) -> StoreResult<Checked> {
    let CheckWrite { record: found, audit: event } = write;
    let key = found.key();
    let row = keys::integration(&key);
    let stored: Option<IntegrationRecord> = view.get(Table::Integrations, &row)?;
    let Some(stored) = stored.filter(|stored| stored.id == found.id && stored.version == found.version) else {
        return Ok(Checked::Overtaken);
    };
    let expires = stored.reauth == Reauth::NotRequired && found.reauth == Reauth::Required;
    // The envelope stays as it is: it may have been sealed anew meanwhile.
    let record = IntegrationRecord {
        standing: found.standing,
        provider_account_id: found.provider_account_id,
        display_name: found.display_name,
        scopes: found.scopes,
        expires_at: found.expires_at,
        warnings: found.warnings,
        config: found.config,
        reauth: found.reauth,
        verified_at: found.verified_at,
        check: found.check,
        ..stored
    };
    view.put(Table::Integrations, row, &record)?;
    if expires {
        outbox::put(view, &key, ConnectionEvent::Expired, event.at)?;
    }
    audit::append(view, &key.account.org, &event)?;
    Ok(Checked::Written(Box::new(record)))
}

fn keep_answer(view: &mut View<'_>, record: &IdempotencyRecord, bytes: Vec<u8>, now: Timestamp) -> StoreResult<()> {
    let row = keys::idempotency(&record.key);
    if let Some(kept) = view.get::<IdempotencyRecord>(Table::Idempotency, &row)? {
        if now < kept.expires_at {
            return Err(if kept.fingerprint == record.fingerprint {
                StoreError::AlreadyAnswered(Box::new(kept))
            } else {
                StoreError::IdempotencyMismatch
            });
        }
        view.remove(Table::IdempotencyEnds, keys::end(kept.expires_at, &row));
    }
    view.put_raw(Table::IdempotencyEnds, keys::end(record.expires_at, &row), Vec::new())?;
    view.put_raw(Table::Idempotency, row, bytes)
}

/// Implements [`Store::read_integration`](crate::Store::read_integration).
pub(super) fn read_integration(
    view: &mut View<'_>,
    key: &IntegrationKey,
    event: &AuditEvent,
) -> StoreResult<Option<IntegrationRecord>> {
    let stored = view.get::<IntegrationRecord>(Table::Integrations, &keys::integration(key))?;
    if stored.is_some() {
        audit::append(view, &key.account.org, event)?;
    }
    Ok(stored)
}

/// Implements [`Store::delete_integration`](crate::Store::delete_integration).
pub(super) fn delete_integration(
    view: &mut View<'_>,
    key: &IntegrationKey,
    only: Option<&AuthTypeName>,
    event: &AuditEvent,
) -> StoreResult<DeleteOutcome> {
    let row = keys::integration(key);
    let stored = view.get::<IntegrationRecord>(Table::Integrations, &row)?;
    match stored.filter(|stored| only.is_none_or(|only| stored.auth_type == *only)) {
        None => Ok(DeleteOutcome::Absent),
        Some(stored) => {
            view.remove(Table::Integrations, row);
            outbox::put(view, key, ConnectionEvent::Deleted, event.at)?;
            audit::append(view, &key.account.org, event)?;
            Ok(DeleteOutcome::Deleted(Box::new(stored)))
        }
    }
}

/// Implements [`Store::delete_version`](crate::Store::delete_version).
pub(super) fn delete_version(
    view: &mut View<'_>,
    key: &IntegrationKey,
    version: u64,
    event: &AuditEvent,
) -> StoreResult<()> {
    let row = keys::integration(key);
    let stored: Option<IntegrationRecord> = view.get(Table::Integrations, &row)?;
    let current = stored.map(|stored| stored.version);
    if current != Some(version) {
        return Err(StoreError::Conflict { current });
    }
    view.remove(Table::Integrations, row);
    audit::append(view, &key.account.org, event)
}

/// Removes some of the records that have expired: responses for an `Idempotency-Key`, and deliveries that were given
/// up.
pub(super) fn sweep(view: &mut View<'_>, now: Timestamp) -> StoreResult<()> {
    for end in view.first_stored(Table::IdempotencyEnds, SWEPT_AT_ONCE)? {
        let Some((expires_at, row)) = keys::split_end(&end) else { continue };
        if now < expires_at {
            break;
        }
        // A write of this very batch may have put a new record in its place.
        let kept = view.get::<IdempotencyRecord>(Table::Idempotency, row)?;
        if kept.is_some_and(|kept| kept.expires_at == expires_at) {
            view.remove(Table::Idempotency, row.to_vec());
        }
        view.remove(Table::IdempotencyEnds, end);
    }
    for end in view.first_stored(Table::UndeliveredEnds, SWEPT_AT_ONCE)? {
        let Some((expires_at, row)) = keys::split_end(&end) else { continue };
        if now < expires_at {
            break;
        }
        // Places are given once, so that nothing else can be there.
        view.remove(Table::Undelivered, row.to_vec());
        view.remove(Table::UndeliveredEnds, end);
    }
    Ok(())
}
