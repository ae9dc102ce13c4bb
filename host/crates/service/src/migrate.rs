//! The use case `migrate-token`: validate, verify, seal, commit; each `Idempotency-Key` once.

use std::time::Duration;

use futures_util::FutureExt as _;
use tracing::Instrument as _;

use super::commit::{check_precondition, commit_error, expected, stored_as};
use super::credential_service::CredentialService;
use super::error::ServiceError;
use super::keys;
use super::request::{Action, Migrated, Migration, Stored};
use super::retry::MAX_ATTEMPTS;
use super::sealing::validated;
use super::verify_new::{PERMIT_PATIENCE, VerificationOutcome, check_same_account};
use super::write_order::{Followed, Mark, Submitted};
use keyferry_schema::Credential;
use keyferry_store::{
    AccountChange, AuditAction, IdempotencyKey, IdempotencyRecord, IntegrationKey, IntegrationVersion, MigrationWrite,
    StoreError, Timestamp,
};
use keyferry_telemetry::{SPANS, metrics};
use keyferry_types::ids::Slug;
use keyferry_vault::digest_name;

/// How long an idempotency key is remembered.
const IDEMPOTENCY: Duration = Duration::from_secs(24 * 60 * 60);

/// What was read of an integration, and when.
struct Found {
    mark: Mark,
    base: Option<IntegrationVersion>,
}

/// The result of a write.
type Written = Result<Migrated, ServiceError>;

impl CredentialService {
    /// Migrates one credential. When it returns `Stored`, the credential is on disk.
    ///
    /// # Errors
    /// If the credential was not migrated. Nothing has changed then.
    pub async fn migrate(&self, migration: Migration) -> Result<Migrated, ServiceError> {
        let known = migration.slug.parse().ok().and_then(|slug: Slug| self.registry.app(&slug));
        let foreground = self.load.enter();
        let migrated = self.carry_out(&migration).await;
        drop(foreground);
        let app = known.as_ref().map_or(metrics::NO_APP, |app| app.description.slug.as_str());
        metrics::migration(app, outcome(&migrated));
        migrated
    }

    async fn carry_out(&self, migration: &Migration) -> Result<Migrated, ServiceError> {
        self.policy.check(&migration.preferences)?;
        let account = migration.caller.account_key(&migration.account);
        self.require_account(&account).await?;
        let app = self.app(&migration.slug)?;
        let credential = validated(&app, &migration.auth_object)?;
        keys::unlock(self.store.as_ref(), &self.vault, &migration.caller.org).await?;

        let _in_flight = self.in_flight.enter(migration)?;
        let idempotency = self.idempotency_record(migration)?;
        if let Some(stored) = self.replay(idempotency.as_ref()).await? {
            return Ok(Migrated::Replayed(stored));
        }

        let key = IntegrationKey { account, slug: app.description.slug.clone() };
        // Checked before the provider is asked, so that a request that cannot succeed costs no call.
        let found = self.find(&key).await?;
        check_precondition(&migration.precondition, found.base.as_ref())?;
        let Migration { caller, preferences, .. } = migration;
        let outcome = match self.verify_new(caller, PERMIT_PATIENCE, &app, &credential, *preferences).await? {
            Ok(outcome) => outcome,
            Err(verdict) => return Ok(Migrated::Checked(verdict)),
        };
        self.store_migration(migration, &key, found, &credential, &outcome, idempotency.as_ref()).await
    }

    /// Reads the version that a write is to replace.
    async fn find(&self, key: &IntegrationKey) -> Result<Found, ServiceError> {
        let mark = self.write_order.mark(key);
        let base = self.store.integration_version(key).await?;
        Ok(Found { mark, base })
    }

    fn idempotency_record(&self, migration: &Migration) -> Result<Option<IdempotencyRecord>, ServiceError> {
        let Some(key) = &migration.idempotency_key else { return Ok(None) };
        // A keyed hash: a plain one of a short secret could be guessed offline.
        let mut content = migration.auth_object.canonical();
        for part in [migration.account.as_str(), migration.slug.as_str(), migration.caller.environment.as_str()] {
            content.extend_from_slice(&(part.len() as u64).to_be_bytes());
            content.extend_from_slice(part.as_bytes());
        }
        let fingerprint = self.vault.fingerprint(&migration.caller.org, "idempotency", &content)?;
        Ok(Some(IdempotencyRecord {
            key: IdempotencyKey {
                org: migration.caller.org.clone(),
                environment: migration.caller.environment,
                key: digest_name("idempotency", key),
            },
            fingerprint,
            status: 200,
            headers: Vec::new(),
            body: Vec::new(),
            expires_at: Timestamp::now().after(IDEMPOTENCY),
        }))
    }

    async fn replay(&self, asked: Option<&IdempotencyRecord>) -> Result<Option<Stored>, ServiceError> {
        let Some(asked) = asked else { return Ok(None) };
        match self.store.idempotency(&asked.key).await? {
            None => Ok(None),
            Some(known) if known.fingerprint != asked.fingerprint => Err(ServiceError::IdempotencyReuse),
            Some(known) => stored_response(&known).map(Some),
        }
    }

    /// Seals and commits over what was found before the verification, or what requests before this one are writing. An envelope is
    /// bound to its version, so a writer that another one came before reads again and seals for the next version.
    async fn store_migration(
        &self,
        migration: &Migration,
        key: &IntegrationKey,
        mut found: Found,
        credential: &Credential,
        outcome: &VerificationOutcome,
        idempotency: Option<&IdempotencyRecord>,
    ) -> Result<Migrated, ServiceError> {
        for attempt in 0..MAX_ATTEMPTS {
            if attempt > 0 {
                found = self.find(key).await?;
            }
            let submit =
                |base: Option<&IntegrationVersion>| self.submit(migration, key, base, credential, outcome, idempotency);
            let is_stored = |written: &Written| matches!(written, Ok(Migrated::Stored(_)));
            match self.write_order.follow(found.mark, found.base.as_ref(), submit, is_stored).await {
                Followed::Done(Err(ServiceError::Contended)) | Followed::Outdated => {}
                Followed::Done(written) => return written,
                Followed::Refused(error) => return Err(error),
            }
        }
        Err(ServiceError::Contended)
    }

    /// Seals the version after `base`, and makes the write that stores it.
    fn submit<'a>(
        &'a self,
        migration: &Migration,
        key: &IntegrationKey,
        base: Option<&IntegrationVersion>,
        credential: &Credential,
        outcome: &VerificationOutcome,
        idempotency: Option<&IdempotencyRecord>,
    ) -> Result<Submitted<IntegrationVersion, impl Future<Output = Written> + Send + Unpin + use<'a>>, ServiceError>
    {
        check_precondition(&migration.precondition, base)?;
        if migration.preferences.account_change == AccountChange::Reject {
            check_same_account(base, &outcome.verified)?;
        }
        let record = self.sealed(key, credential, outcome, base)?;
        let (stored, version) = (stored_as(&record, base), IntegrationVersion::from(&record));
        let Migration { caller, request_id, .. } = migration;
        let audit = caller.audit(AuditAction::CredentialMigrated, stored.audit_outcome(), request_id);
        let write = MigrationWrite {
            expect: expected(base),
            audit: audit.on_integration(key).at(record.updated_at),
            idempotency: idempotency.cloned().map(|mut idempotency| {
                idempotency.body = serde_json::to_vec(&stored).unwrap_or_default();
                idempotency
            }),
            row: None,
            record,
        };
        let span = tracing::info_span!(target: SPANS, "commit");
        let written = self.store.commit_migration(write).map(|written| match written {
            Ok(()) => Ok(Migrated::Stored(stored)),
            Err(StoreError::IdempotencyReplay(known)) => stored_response(&known).map(Migrated::Replayed),
            Err(StoreError::IdempotencyMismatch) => Err(ServiceError::IdempotencyReuse),
            Err(error) => Err(commit_error(error)),
        });
        Ok(Submitted { version, written: written.instrument(span) })
    }
}

/// The label of a migration's outcome in metrics.
fn outcome(migrated: &Result<Migrated, ServiceError>) -> &'static str {
    match migrated {
        Ok(Migrated::Stored(Stored { action: Action::Created, .. })) => "created",
        Ok(Migrated::Stored(Stored { action: Action::Updated, .. })) => "updated",
        Ok(Migrated::Replayed(_)) => "replayed",
        Ok(Migrated::Checked(_)) => "checked",
        Err(error) => error.code(),
    }
}

/// The stored response of an idempotency record.
fn stored_response(known: &IdempotencyRecord) -> Result<Stored, ServiceError> {
    serde_json::from_slice(&known.body).map_err(|error| {
        let reason = format!("the response stored for an Idempotency-Key is not readable: {error}");
        ServiceError::Store(StoreError::Damaged { table: "idempotency", reason })
    })
}
