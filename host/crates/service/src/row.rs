//! One row of an import. The use case is the same; the result of the row is settled in the very transaction that stores its
//! credential, so that it is done once, whatever happens to the process.

use std::time::Duration;

use super::{
    Action, BackgroundWork, Caller, CredentialService, MAX_ATTEMPTS, Preferences, ServiceError, Stored,
    VerificationOutcome, VerifyMode, again, check_same_account, expected, keys, stored_as, validated,
};
use keyferry_sandbox::{Contact, Verdict};
use keyferry_schema::{Credential, Input};
use keyferry_store::{
    AccountChange, AccountKey, AccountWrite, AuditAction, AuditEvent, ImportMode, ImportPolicy, IntegrationKey,
    IntegrationRecord, MigrationWrite, MissingAccounts, ObjectId, OnExisting, PutMode, RowSettlement, StoreError,
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
    /// When the credential was last changed where it comes from.
    pub updated_at: Option<Timestamp>,
    /// How rows of this import are dealt with.
    pub policy: ImportPolicy,
    /// The request's id, for the audit trail.
    pub request_id: String,
}

/// What a row is about to write.
#[derive(Debug)]
pub struct RowStored<'a> {
    /// The response that a single request would get.
    pub stored: &'a Stored,
    /// What was changed of the row's values.
    pub warnings: &'a [String],
    /// The integration that the row replaces.
    pub former: Option<&'a IntegrationRecord>,
    /// The account that is made for it.
    pub made_account: Option<ObjectId>,
    /// The time of the commit.
    pub at: Timestamp,
}

/// What became of a row.
#[derive(Debug)]
pub enum RowMigrated {
    /// It is stored and settled. With where the provider was asked, if it was and has answered.
    Stored(Stored, Option<Contact>),
    /// It was settled before, and nothing was done.
    SettledBefore,
    /// Nothing was to be done.
    Skipped(Skip),
    /// Only a verdict was asked for. With what was changed of the row's values.
    Checked(Verdict, Vec<String>),
}

/// What was there when it was looked at.
struct Found {
    account_is_there: bool,
    current: Option<IntegrationRecord>,
}

/// Why nothing was to be done.
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
    /// Works on one row, when no request is to go first. Where it returns `Stored`, the row is settled by what `settle` made of
    /// it; else that is yet to be done.
    ///
    /// # Errors
    /// Where it did not happen. Nothing has changed then.
    pub async fn migrate_row(&self, row: &RowMigration, settle: Settle<'_>) -> Result<RowMigrated, ServiceError> {
        self.live.give_way(BackgroundWork::Row).await;
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

    /// Whether this server's operator lets rows be dealt with like that.
    ///
    /// # Errors
    /// `NotAllowed` if the operator does not permit an option of the policy.
    pub fn allows(&self, policy: &ImportPolicy) -> Result<(), ServiceError> {
        self.policy.check(&preferences(policy))
    }

    async fn carry_out_row(&self, row: &RowMigration, settle: Settle<'_>) -> Result<RowMigrated, ServiceError> {
        let account = AccountKey {
            org: row.caller.org.clone(),
            environment: row.caller.environment,
            account: row.account.clone(),
        };
        let account_is_there = self.account_is_there(row, &account).await?;
        let app = self.app(row.slug.as_str())?;
        let credential = validated(&app, &row.auth_object)?;
        keys::unlock(self.store.as_ref(), &self.vault, &account.org).await?;
        let key = IntegrationKey { account, slug: row.slug.clone() };
        // Where there is no account, there is nothing that is its.
        let current = if account_is_there { self.integration(&key).await? } else { None };
        if let Some(skip) = skip(row, current.as_ref())? {
            return Ok(RowMigrated::Skipped(skip));
        }
        let found = Found { account_is_there, current };
        match self.prove(&row.caller, PATIENCE, &app, &credential, preferences(&row.policy)).await? {
            Ok(finding) => self.put_row(row, &key, found, &credential, &finding, settle).await,
            Err(verdict) => Ok(RowMigrated::Checked(verdict, credential.warnings)),
        }
    }

    /// Whether the account is there; where it is not, it is to be created.
    async fn account_is_there(&self, row: &RowMigration, key: &AccountKey) -> Result<bool, ServiceError> {
        let is_there = self.store.has_account(key).await.map_err(ServiceError::Store)?;
        if !is_there && row.policy.accounts == MissingAccounts::Reject {
            return Err(ServiceError::missing(key));
        }
        if !is_there && let Some(invisible) = InvisibleCharacter::first_in(key.account.as_str()) {
            return Err(ServiceError::InvisibleId(invisible));
        }
        Ok(is_there)
    }

    async fn put_row(
        &self,
        row: &RowMigration,
        key: &IntegrationKey,
        mut found: Found,
        credential: &Credential,
        finding: &VerificationOutcome,
        settle: Settle<'_>,
    ) -> Result<RowMigrated, ServiceError> {
        let mut turn = None;
        for _ in 0..MAX_ATTEMPTS {
            let current = found.current.as_ref();
            if row.policy.account_change == AccountChange::Reject {
                check_same_account(current, &finding.verified)?;
            }
            let record = self.sealed(key, credential, finding, current)?;
            let stored = stored_as(&record, current);
            let account = (!found.account_is_there).then(|| account(row, key, &record));
            let settlement = settle(RowStored {
                stored: &stored,
                warnings: &credential.warnings,
                former: current,
                made_account: account.as_ref().map(|account| account.id),
                at: record.updated_at,
            });
            let write = MigrationWrite {
                expect: expected(current),
                audit: AuditEvent {
                    slug: Some(key.slug.clone()),
                    ..row.caller.audit(
                        AuditAction::CredentialMigrated,
                        &key.account,
                        &format!("{} {}", stored.action, stored.proof),
                        &row.request_id,
                        record.updated_at,
                    )
                },
                idempotency: None,
                row: Some(settlement),
                record,
            };
            let written = match account {
                Some(account) => self.store.put_account_with(account, write).await.map(|_| ()),
                None => self.store.commit_migration(write).await,
            };
            match written {
                Ok(()) => return Ok(RowMigrated::Stored(stored, finding.verified.contact.clone())),
                Err(StoreError::RowSettled) => return Ok(RowMigrated::SettledBefore),
                // Another row of the same account was faster, or the account was deleted meanwhile.
                Err(StoreError::AccountExists { .. } | StoreError::AccountMissing { .. }) => {}
                Err(error) => again(error)?,
            }
            self.overtaken.next(key, &mut turn).await;
            found = Found {
                account_is_there: self.account_is_there(row, &key.account).await?,
                current: self.integration(key).await?,
            };
            if let Some(skip) = skip(row, found.current.as_ref())? {
                return Ok(RowMigrated::Skipped(skip));
            }
        }
        Err(ServiceError::Contended)
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

/// Whether there is nothing to do, by what is stored.
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
    AccountWrite {
        mode: PutMode::Create,
        key: key.account.clone(),
        id: ObjectId::generate(),
        name: row.account_name.clone(),
        udf: Vec::new(),
        audit: row.caller.audit(AuditAction::AccountPut, &key.account, "created", &row.request_id, record.updated_at),
    }
}
