//! Migration of one row of an import. The row is settled in the transaction that stores its credential, so that it is migrated
//! once, whatever happens to the process.

use std::time::Duration;

use super::commit::{commit_error, expected, stored_as};
use super::credential_service::CredentialService;
use super::error::ServiceError;
use super::foreground_load::BackgroundWork;
use super::keys;
use super::request::{Action, Caller, Preferences, Stored, VerifyMode};
use super::retry::retry_on_conflict;
use super::sealing::validated;
use super::verify_new::{VerificationOutcome, check_same_account};
use keyferry_sandbox::{Contact, Verdict};
use keyferry_schema::{Credential, Input};
use keyferry_store::{
    AccountChange, AccountKey, AccountWrite, AuditAction, ImportMode, ImportPolicy, IntegrationKey, IntegrationRecord,
    IntegrationVersion, MigrationWrite, MissingAccounts, ObjectId, OnExisting, PutMode, RowSettlement, StoreError,
    Timestamp,
};
use keyferry_telemetry::metrics;
use keyferry_types::ids::{LinkedAccountId, Slug};
use keyferry_types::invisible::InvisibleCharacter;

/// How long a row waits for a permit to verify: it holds one of the places for rows meanwhile.
const PATIENCE: Duration = Duration::from_secs(1);

/// A row of an import that is to be worked on.
#[derive(Debug)]
pub struct RowMigration {
    /// The caller that created the import.
    pub caller: Caller,
    /// The linked account of the request.
    pub account: LinkedAccountId,
    /// Its name, if it is created.
    pub account_name: Option<String>,
    /// The slug of the app.
    pub slug: Slug,
    /// The credential, as in `auth_object`.
    pub auth_object: Input,
    /// When the credential was last changed at its source.
    pub updated_at: Option<Timestamp>,
    /// The policy of the import.
    pub policy: ImportPolicy,
    /// The request's id, for the audit trail.
    pub request_id: String,
}

/// What a row is about to write.
#[derive(Debug)]
pub struct RowStored<'a> {
    /// The response that a single request would get.
    pub stored: &'a Stored,
    /// How values of the row were changed.
    pub warnings: &'a [String],
    /// The integration that the row replaces.
    pub former: Option<&'a IntegrationRecord>,
    /// The account that is made for it.
    pub made_account: Option<ObjectId>,
    /// The time of the commit.
    pub at: Timestamp,
}

/// The result of working on a row.
#[derive(Debug)]
pub enum RowMigrated {
    /// It is stored and settled. With the host that was asked to verify it, if one was and responded.
    Stored(Stored, Option<Contact>),
    /// It was settled before. Nothing was done.
    SettledBefore,
    /// The policy says that nothing is stored.
    Skipped(Skip),
    /// A dry run: the verdict, and how values of the row were changed.
    Checked(Verdict, Vec<String>),
}

/// What is stored for a row's account and app.
struct Found {
    account_exists: bool,
    current: Option<IntegrationRecord>,
}

/// Why nothing is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Skip {
    /// The account has a credential for the app.
    Exists,
    /// The credential that it has is not older.
    NotNewer,
}

/// Makes the settlement of what a row is about to write.
pub type Settle<'a> = &'a (dyn Fn(RowStored<'_>) -> RowSettlement + Send + Sync);

impl CredentialService {
    /// Migrates one row, after requests that go first. If it returns `Stored`, the row is settled with what `settle` made of it;
    /// else the caller has to settle it.
    ///
    /// # Errors
    /// If the row was not migrated. Nothing has changed then.
    pub async fn migrate_row(&self, row: &RowMigration, settle: Settle<'_>) -> Result<RowMigrated, ServiceError> {
        self.yield_to_foreground(BackgroundWork::Row).await;
        let migrated = self.carry_out_row(row, settle).await;
        let outcome = match &migrated {
            Ok(RowMigrated::Stored(Stored { action: Action::Created, .. }, _)) => "created",
            Ok(RowMigrated::Stored(Stored { action: Action::Updated, .. }, _)) => "updated",
            Ok(RowMigrated::SettledBefore) => "replayed",
            Ok(RowMigrated::Skipped(_)) => "skipped",
            Ok(RowMigrated::Checked(..)) => "checked",
            Err(error) => error.code(),
        };
        metrics::migration(row.slug.as_str(), outcome);
        migrated
    }

    /// Checks that the operator of this server allows a policy.
    ///
    /// # Errors
    /// `NotAllowed` if the operator does not permit an option of the policy.
    pub fn allows(&self, policy: &ImportPolicy) -> Result<(), ServiceError> {
        self.policy.check(&preferences(policy))
    }

    async fn carry_out_row(&self, row: &RowMigration, settle: Settle<'_>) -> Result<RowMigrated, ServiceError> {
        let account = row.caller.account_key(&row.account);
        let account_exists = self.account_exists(row, &account).await?;
        let app = self.app(row.slug.as_str())?;
        let credential = validated(&app, &row.auth_object)?;
        keys::unlock(self.store.as_ref(), &self.vault, &account.org).await?;
        let key = IntegrationKey { account, slug: row.slug.clone() };
        // An account that does not exist has no integration.
        let current = if account_exists { self.integration(&key).await? } else { None };
        if let Some(skip) = skip(row, current.as_ref())? {
            return Ok(RowMigrated::Skipped(skip));
        }
        let found = Found { account_exists, current };
        match self.verify_new(&row.caller, PATIENCE, &app, &credential, preferences(&row.policy)).await? {
            Ok(outcome) => self.put_row(row, &key, found, &credential, &outcome, settle).await,
            Err(verdict) => Ok(RowMigrated::Checked(verdict, credential.warnings)),
        }
    }

    /// Whether the account exists; if it does not, the row may create it.
    async fn account_exists(&self, row: &RowMigration, key: &AccountKey) -> Result<bool, ServiceError> {
        let exists = self.store.has_account(key).await?;
        if !exists && row.policy.accounts == MissingAccounts::Reject {
            return Err(ServiceError::missing(key));
        }
        if !exists && let Some(invisible) = InvisibleCharacter::first_in(key.account.as_str()) {
            return Err(ServiceError::InvisibleId(invisible));
        }
        Ok(exists)
    }

    /// Seals and commits over what was found before the verification; a writer that lost a race looks again.
    async fn put_row(
        &self,
        row: &RowMigration,
        key: &IntegrationKey,
        found: Found,
        credential: &Credential,
        outcome: &VerificationOutcome,
        settle: Settle<'_>,
    ) -> Result<RowMigrated, ServiceError> {
        let mut found_before = Some(found);
        let attempt = || {
            let found_before = found_before.take();
            async move {
                let found = match found_before {
                    Some(found) => found,
                    None => {
                        let account_exists = self.account_exists(row, &key.account).await?;
                        let current = self.integration(key).await?;
                        if let Some(skip) = skip(row, current.as_ref())? {
                            return Ok(RowMigrated::Skipped(skip));
                        }
                        Found { account_exists, current }
                    }
                };
                self.commit_row(row, key, &found, credential, outcome, settle).await
            }
        };
        self.write_order.alone(key, retry_on_conflict(attempt)).await
    }

    async fn commit_row(
        &self,
        row: &RowMigration,
        key: &IntegrationKey,
        found: &Found,
        credential: &Credential,
        outcome: &VerificationOutcome,
        settle: Settle<'_>,
    ) -> Result<RowMigrated, ServiceError> {
        let base = found.current.as_ref().map(IntegrationVersion::from);
        if row.policy.account_change == AccountChange::Reject {
            check_same_account(base.as_ref(), &outcome.verified)?;
        }
        let record = self.sealed(key, credential, outcome, base.as_ref())?;
        let stored = stored_as(&record, base.as_ref());
        let account = (!found.account_exists).then(|| account(row, key, &record));
        let settlement = settle(RowStored {
            stored: &stored,
            warnings: &credential.warnings,
            former: found.current.as_ref(),
            made_account: account.as_ref().map(|account| account.id),
            at: record.updated_at,
        });
        let audit = row.caller.audit(AuditAction::CredentialMigrated, stored.audit_outcome(), &row.request_id);
        let write = MigrationWrite {
            expect: expected(base.as_ref()),
            audit: audit.on_integration(key).at(record.updated_at),
            idempotency: None,
            row: Some(settlement),
            record,
        };
        let written = match account {
            Some(account) => self.store.put_account_with(account, write).await.map(|_| ()),
            None => self.store.commit_migration(write).await,
        };
        match written {
            Ok(()) => Ok(RowMigrated::Stored(stored, outcome.verified.contact.clone())),
            Err(StoreError::RowSettled) => Ok(RowMigrated::SettledBefore),
            // Another row of the same account was faster, or the account was deleted meanwhile.
            Err(StoreError::AccountExists { .. } | StoreError::AccountMissing { .. }) => Err(ServiceError::Contended),
            Err(error) => Err(commit_error(error)),
        }
    }
}

fn preferences(policy: &ImportPolicy) -> Preferences {
    Preferences {
        verify: match policy.mode {
            ImportMode::Apply => VerifyMode::ThenStore,
            ImportMode::DryRun => VerifyMode::Only,
        },
        on_unverified: policy.on_unverified,
        account_change: policy.account_change,
    }
}

/// Whether the policy skips the row, given what is stored.
fn skip(row: &RowMigration, current: Option<&IntegrationRecord>) -> Result<Option<Skip>, ServiceError> {
    let Some(current) = current else { return Ok(None) };
    match (row.policy.on_existing, row.updated_at) {
        (OnExisting::Update, _) => Ok(None),
        (OnExisting::Skip, _) => Ok(Some(Skip::Exists)),
        (OnExisting::Newer, Some(updated_at)) if updated_at > current.updated_at => Ok(None),
        (OnExisting::Newer, Some(_)) => Ok(Some(Skip::NotNewer)),
        (OnExisting::Newer, None) => Err(ServiceError::NoTime),
    }
}

fn account(row: &RowMigration, key: &IntegrationKey, record: &IntegrationRecord) -> AccountWrite {
    let audit = row.caller.audit(AuditAction::AccountPut, "created", &row.request_id);
    AccountWrite {
        mode: PutMode::Create,
        key: key.account.clone(),
        id: ObjectId::generate(),
        name: row.account_name.clone(),
        udf: Vec::new(),
        audit: audit.on_account(&key.account).at(record.updated_at),
    }
}
