//! The use case: put a credential onto a linked account's integration, proven to work and encrypted, or leave everything
//! as it was. It knows no HTTP, no WebAssembly and no database.

mod commit;
mod custom_app;
mod error;
mod foreground_load;
mod in_flight;
pub mod keys;
mod policy;
mod read;
mod request;
pub mod rewrap;
mod row;
mod sessions;
mod striped_lock;
mod turned_away;
mod verify;

use std::sync::Arc;
use std::time::Duration;

use tracing::Instrument as _;

use keyferry_sandbox::{App, Keeping, Registry, Verdict, Verified};
use keyferry_schema::{Credential, Input};
use keyferry_store::{
    AccountChange, AccountKey, AuditAction, AuditEvent, IdempotencyKey, IdempotencyRecord, IntegrationKey,
    IntegrationRecord, MigrationWrite, ObjectId, OnUnverified, Reauth, Store, StoreError, Timestamp,
    VerificationStatus, WebhookKey,
};
use keyferry_telemetry::{SPANS, metrics};
use keyferry_types::echo::{aside, shown};
use keyferry_types::ids::Slug;
use keyferry_types::secret::SharedSecret;
use keyferry_vault::{KeyServiceState, SealContext, Vault, WebhookContext, blind, check_size};

pub use custom_app::{CustomCredential, DeleteOutcome, PutOutcome};
pub use error::ServiceError;
pub use policy::{Allowance, MigratePolicy};
pub use read::{ReadCredential, Shown, StoredCredential};
pub use request::{
    Action, Caller, Migrated, Migration, Precondition, Preferences, Proof, Revision, Stored, VerifyMode,
};
pub use row::{RowMigrated, RowMigration, RowStored, Settle, Skip};
pub use sessions::{Freshness, OpenSession, SessionTokens};
pub use turned_away::{CountedFor, Left, LimitReached, is_turned_away};
pub use verify::{Reverified, VerifyStored};

use commit::{again, expected, stored_as};
use foreground_load::ForegroundLoad;
pub use foreground_load::{BackgroundWork, Throttle};
use in_flight::InFlight;
use read::envelope;
use striped_lock::StripedLock;
use turned_away::TurnedAway;

/// The maximum number of attempts of a migration that lost a race with another writer of the integration.
const MAX_ATTEMPTS: usize = 8;
/// How long a request waits for a permit to verify, where all are held: longer than a verification may take by default.
const PERMIT_PATIENCE: Duration = Duration::from_secs(15);
/// How long an idempotency key is remembered.
const IDEMPOTENCY: Duration = Duration::from_secs(24 * 60 * 60);

/// The service layer: migrations, reads, verifications and sessions.
pub struct CredentialService {
    store: Arc<dyn Store>,
    vault: Arc<Vault>,
    registry: Arc<Registry>,
    policy: MigratePolicy,
    in_flight: InFlight,
    live: ForegroundLoad,
    overtaken: StripedLock,
    turned_away: TurnedAway,
}

/// What was found out about a credential that is to be stored.
struct VerificationOutcome {
    standing: VerificationStatus,
    verified: Verified,
}

impl CredentialService {
    /// A migrator over these parts.
    pub fn new(store: Arc<dyn Store>, vault: Arc<Vault>, registry: Arc<Registry>, policy: MigratePolicy) -> Self {
        let (in_flight, live, overtaken) = (InFlight::default(), ForegroundLoad::default(), StripedLock::default());
        let turned_away = TurnedAway::new(policy.failed_verifications);
        Self { store, vault, registry, policy, in_flight, live, overtaken, turned_away }
    }

    /// Whether the limit of rejected credentials allows another verification for this caller.
    ///
    /// # Errors
    /// `LimitReached` if providers have turned away too many of the caller's credentials.
    pub fn may_verify(&self, caller: &Caller) -> Result<(), ServiceError> {
        self.turned_away.check(caller.counted).map_err(ServiceError::LimitReached)
    }

    /// The remainder of this caller's limit of rejected credentials.
    pub fn left_to_turn_away(&self, caller: &Caller) -> Left {
        self.turned_away.left(caller.counted)
    }

    /// Carries one migration out. When it returns `Stored`, the credential is on disk.
    ///
    /// # Errors
    /// Where it did not happen. Nothing has changed then.
    pub async fn migrate(&self, migration: Migration) -> Result<Migrated, ServiceError> {
        let known = migration.slug.parse().ok().and_then(|slug: Slug| self.registry.app(&slug));
        let live = self.live.enter();
        let migrated = self.carry_out(migration).await;
        drop(live);
        let app = known.as_ref().map_or(metrics::NO_APP, |app| app.description.slug.as_str());
        metrics::migration(app, outcome(&migrated));
        migrated
    }

    /// Waits until background work may continue: see `foreground_load`.
    pub async fn give_way(&self, patient: BackgroundWork) -> Throttle {
        self.live.give_way(patient).await
    }

    async fn carry_out(&self, migration: Migration) -> Result<Migrated, ServiceError> {
        self.policy.check(&migration.preferences)?;
        let account = AccountKey {
            org: migration.caller.org.clone(),
            environment: migration.caller.environment,
            account: migration.account.clone(),
        };
        self.require_account(&account).await?;
        let app = self.app(&migration.slug)?;
        let credential = validated(&app, &migration.auth_object)?;
        self.unlock(&migration).await?;

        let _in_flight = self.in_flight.enter(&migration)?;
        let idempotency = self.idempotency_record(&migration)?;
        if let Some(stored) = self.replay(idempotency.as_ref()).await? {
            return Ok(Migrated::Replayed(stored));
        }

        let key = IntegrationKey { account, slug: app.description.slug.clone() };
        // Looked at before the provider is asked, so that a request that cannot succeed costs no call.
        let current = self.integration(&key).await?;
        check_precondition(&migration.precondition, current.as_ref())?;
        let proven = self.prove(&migration.caller, PERMIT_PATIENCE, &app, &credential, migration.preferences);
        let outcome = match proven.await? {
            Ok(outcome) => outcome,
            Err(verdict) => return Ok(Migrated::Checked(verdict)),
        };
        self.put(&migration, &key, current, &credential, &outcome, idempotency).await
    }

    async fn require_account(&self, account: &AccountKey) -> Result<(), ServiceError> {
        if self.store.has_account(account).await.map_err(ServiceError::Store)? {
            Ok(())
        } else {
            Err(ServiceError::missing(account))
        }
    }

    /// All apps that can be migrated to now, by slug.
    pub fn apps(&self) -> Vec<Arc<App>> {
        let mut apps = self.registry.apps();
        apps.retain(|app| !self.policy.is_custom(app.description.slug.as_str()));
        apps
    }

    /// The app that can be migrated to under a slug.
    ///
    /// # Errors
    /// `CustomApp`, `UnknownApp`, or `AppNotInService` where its plugin is there and does not serve.
    pub fn app(&self, slug: &str) -> Result<Arc<App>, ServiceError> {
        if self.policy.is_custom(slug) {
            return Err(ServiceError::CustomApp);
        }
        let unknown = || {
            let apps = self.apps();
            let shown = shown(slug, apps.iter().map(|app| app.description.slug.as_str()));
            ServiceError::UnknownApp { slug: shown.to_owned(), aside: aside(slug, shown) }
        };
        let slug: Slug = slug.parse().map_err(|_| unknown())?;
        if let Some(app) = self.registry.app(&slug) {
            return Ok(app);
        }
        match self.registry.statuses().iter().find(|status| status.slug.as_ref() == Some(&slug)) {
            Some(status) => Err(ServiceError::AppNotInService {
                slug: slug.to_string(),
                reason: status.reason.clone().unwrap_or_else(|| "its plugin does not serve".to_owned()),
            }),
            None => Err(unknown()),
        }
    }

    /// How the key service is that has the key-encryption key.
    pub fn key_service(&self) -> KeyServiceState {
        self.vault.key_service()
    }

    /// The organisation's root key, unwrapped on first use.
    async fn unlock(&self, migration: &Migration) -> Result<(), ServiceError> {
        keys::unlock(self.store.as_ref(), &self.vault, &migration.caller.org).await
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
                key: blind("idempotency", key),
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
        match self.store.idempotency(&asked.key).await.map_err(ServiceError::Store)? {
            None => Ok(None),
            Some(known) if known.fingerprint != asked.fingerprint => Err(ServiceError::IdempotencyReuse),
            Some(known) => answered(&known).map(Some),
        }
    }

    async fn integration(&self, key: &IntegrationKey) -> Result<Option<IntegrationRecord>, ServiceError> {
        self.store.integration(key).await.map_err(ServiceError::Store)
    }

    /// Has the plugin verify the credential and decides whether it may be stored. The inner error is the verdict of a
    /// request that asked for no more.
    ///
    /// Where as many credentials of the caller are being verified as may be turned away, it is waited for `patience`.
    async fn prove(
        &self,
        caller: &Caller,
        patience: Duration,
        app: &App,
        credential: &Credential,
        preferences: Preferences,
    ) -> Result<Result<VerificationOutcome, Verdict>, ServiceError> {
        if preferences.verify == VerifyMode::Skip {
            let standing = VerificationStatus::Unverified { reason: "not asked to verify".to_owned() };
            return Ok(Ok(VerificationOutcome { standing, verified: unasked(credential) }));
        }
        let permit = self.turned_away.permit(caller.counted, patience).await.map_err(ServiceError::LimitReached)?;
        let verdict = app.verify(credential).await.map_err(ServiceError::Plugin)?;
        permit.settle(&verdict);
        if preferences.verify == VerifyMode::Only {
            return Ok(Err(verdict));
        }
        match verdict {
            Verdict::Verified(verified) => {
                Ok(Ok(VerificationOutcome { standing: VerificationStatus::Verified, verified }))
            }
            Verdict::Failed(failure)
                if preferences.on_unverified == OnUnverified::Store && failure.kind.keeping() == Keeping::Possible =>
            {
                let standing = VerificationStatus::Unverified { reason: failure.to_string() };
                Ok(Ok(VerificationOutcome { standing, verified: unasked(credential) }))
            }
            Verdict::Failed(failure) => Err(ServiceError::NotVerified(failure)),
        }
    }

    /// Seals and commits, in place of what was there when it was looked at. Sealing binds the version, so the writer that loses
    /// a race seals again under the next one.
    async fn put(
        &self,
        migration: &Migration,
        key: &IntegrationKey,
        mut current: Option<IntegrationRecord>,
        credential: &Credential,
        outcome: &VerificationOutcome,
        idempotency: Option<IdempotencyRecord>,
    ) -> Result<Migrated, ServiceError> {
        let mut turn = None;
        for _ in 0..MAX_ATTEMPTS {
            if migration.preferences.account_change == AccountChange::Reject {
                check_same_account(current.as_ref(), &outcome.verified)?;
            }
            let record = self.sealed(key, credential, outcome, current.as_ref())?;
            let stored = stored_as(&record, current.as_ref());
            let write = MigrationWrite {
                expect: expected(current.as_ref()),
                audit: audit(migration, &record, &stored),
                idempotency: idempotency.clone().map(|mut idempotency| {
                    idempotency.body = serde_json::to_vec(&stored).unwrap_or_default();
                    idempotency
                }),
                row: None,
                record,
            };
            let span = tracing::info_span!(target: SPANS, "commit");
            match self.store.commit_migration(write).instrument(span).await {
                Ok(()) => return Ok(Migrated::Stored(stored)),
                Err(StoreError::AlreadyAnswered(known)) => return answered(&known).map(Migrated::Replayed),
                Err(StoreError::IdempotencyMismatch) => return Err(ServiceError::IdempotencyReuse),
                // Retry with the present record.
                Err(error) => again(error)?,
            }
            self.overtaken.next(key, &mut turn).await;
            current = self.integration(key).await?;
            check_precondition(&migration.precondition, current.as_ref())?;
        }
        Err(ServiceError::Contended)
    }

    fn sealed(
        &self,
        key: &IntegrationKey,
        credential: &Credential,
        outcome: &VerificationOutcome,
        current: Option<&IntegrationRecord>,
    ) -> Result<IntegrationRecord, ServiceError> {
        let version = current.map_or(1, |current| current.version + 1);
        let context = seal_context(key, &credential.auth_type, version);
        let fields: Vec<_> =
            credential.fields.iter().map(|field| (field.name.clone(), SharedSecret::as_ref(&field.value))).collect();
        let envelope = self.vault.seal(&context, &fields)?;
        let now = Timestamp::now();
        let verified = &outcome.verified;
        Ok(IntegrationRecord {
            id: current.map_or_else(ObjectId::generate, |current| current.id),
            org: key.account.org.clone(),
            environment: key.account.environment,
            account: key.account.account.clone(),
            slug: key.slug.clone(),
            auth_type: credential.auth_type.clone(),
            version,
            key_id: envelope.key_id().get(),
            envelope: envelope.into_bytes(),
            verified_at: matches!(outcome.standing, VerificationStatus::Verified).then_some(now),
            standing: outcome.standing.clone(),
            provider_account_id: verified.account_id.clone(),
            display_name: verified.display_name.clone(),
            scopes: verified.scopes.clone(),
            expires_at: verified.expires_at.map(Timestamp::from_millis),
            warnings: verified.warnings.clone(),
            config: verified.config.iter().cloned().collect(),
            reauth: Reauth::NotRequired,
            check: None,
            created_at: current.map_or(now, |current| current.created_at),
            updated_at: now,
        })
    }
}

/// The credential that an `auth_object` holds, if it fits the app's schema and is not too large to be stored. Checked
/// before the provider is asked, and the same at each door.
fn validated(app: &App, auth_object: &Input) -> Result<Credential, ServiceError> {
    let credential = app.description.schema.validate(auth_object).map_err(ServiceError::Content)?;
    let fields: Vec<_> =
        credential.fields.iter().map(|field| (field.name.clone(), SharedSecret::as_ref(&field.value))).collect();
    check_size(&fields)?;
    Ok(credential)
}

/// What is known of a credential that no provider has confirmed: what its caller says of it.
fn unasked(credential: &Credential) -> Verified {
    let warnings = credential.warnings.clone();
    Verified { expires_at: credential.expires_at(), warnings, ..Verified::default() }
}

/// What became of a migration, in a word.
fn outcome(migrated: &Result<Migrated, ServiceError>) -> &'static str {
    match migrated {
        Ok(Migrated::Stored(Stored { action: Action::Created, .. })) => "created",
        Ok(Migrated::Stored(Stored { action: Action::Updated, .. })) => "updated",
        Ok(Migrated::Replayed(_)) => "replayed",
        Ok(Migrated::Checked(_)) => "checked",
        Err(error) => error.code(),
    }
}

/// What binds a sealed credential to its place.
pub fn seal_context(key: &IntegrationKey, auth_type: &keyferry_types::ids::AuthTypeName, version: u64) -> SealContext {
    SealContext {
        org: key.account.org.clone(),
        environment: key.account.environment,
        account: key.account.account.clone(),
        slug: key.slug.clone(),
        auth_type: auth_type.clone(),
        version,
    }
}

/// What binds what is secret of a webhook to its place.
pub fn webhook_context(key: &WebhookKey, version: u64) -> WebhookContext {
    WebhookContext { org: key.org.clone(), environment: key.environment, id: key.id.to_string(), version }
}

fn check_precondition(precondition: &Precondition, current: Option<&IntegrationRecord>) -> Result<(), ServiceError> {
    let revision = current.map(|current| Revision { id: current.id, version: current.version });
    let holds = match precondition {
        Precondition::None => true,
        Precondition::Absent => revision.is_none(),
        Precondition::Present => revision.is_some(),
        Precondition::AnyOf(revisions) => revision.as_ref().is_some_and(|revision| revisions.contains(revision)),
    };
    if holds { Ok(()) } else { Err(ServiceError::Precondition { current: revision.map(|r| r.to_string()) }) }
}

fn check_same_account(current: Option<&IntegrationRecord>, verified: &Verified) -> Result<(), ServiceError> {
    let before = current.and_then(|current| current.provider_account_id.as_ref());
    match (before, &verified.account_id) {
        (Some(before), Some(now)) if before != now => {
            Err(ServiceError::OtherAccount { before: before.clone(), now: now.clone() })
        }
        _ => Ok(()),
    }
}

fn audit(migration: &Migration, record: &IntegrationRecord, stored: &Stored) -> AuditEvent {
    AuditEvent {
        action: AuditAction::CredentialMigrated,
        actor: migration.caller.actor.clone(),
        environment: Some(record.environment),
        account: Some(record.account.clone()),
        slug: Some(record.slug.clone()),
        outcome: format!("{} {}", stored.action, stored.proof),
        request_id: Some(migration.request_id.clone()),
        at: record.updated_at,
    }
}

/// The stored response of an idempotency record.
fn answered(known: &IdempotencyRecord) -> Result<Stored, ServiceError> {
    serde_json::from_slice(&known.body).map_err(|error| {
        let reason = format!("the response stored for an Idempotency-Key is not readable: {error}");
        ServiceError::Store(StoreError::Damaged { table: "idempotency", reason })
    })
}
