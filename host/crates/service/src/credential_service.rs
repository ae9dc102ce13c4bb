//! [`CredentialService`]: its parts, the apps that it serves, and what its use cases share.

use std::sync::Arc;

use super::error::ServiceError;
use super::foreground_load::{BackgroundWork, ForegroundLoad, Throttle};
use super::in_flight::InFlight;
use super::policy::MigratePolicy;
use super::rejection_limit::{LimitStatus, RejectionLimiter};
use super::renewal::Flights;
use super::request::Caller;
use super::write_order::WriteOrder;
use keyferry_sandbox::{App, Registry};
use keyferry_store::{AccountKey, IntegrationKey, IntegrationRecord, IntegrationVersion, Store};
use keyferry_types::echo::{masked_note, nearest, safe_name};
use keyferry_types::ids::{LinkedAccountId, Slug};
use keyferry_vault::{KeyServiceState, Vault};

/// The service layer: migrations, reads, verifications and sessions. Each use case is a method in the file of its name.
pub struct CredentialService {
    pub(super) store: Arc<dyn Store>,
    pub(super) vault: Arc<Vault>,
    pub(super) registry: Arc<Registry>,
    pub(super) policy: MigratePolicy,
    pub(super) in_flight: InFlight,
    pub(super) flights: Flights,
    pub(super) load: ForegroundLoad,
    pub(super) write_order: WriteOrder<IntegrationVersion>,
    pub(super) rejection_limiter: RejectionLimiter,
}

impl CredentialService {
    /// A service over these parts.
    pub fn new(store: Arc<dyn Store>, vault: Arc<Vault>, registry: Arc<Registry>, policy: MigratePolicy) -> Self {
        Self {
            store,
            vault,
            registry,
            rejection_limiter: RejectionLimiter::new(policy.failed_verifications),
            policy,
            in_flight: InFlight::default(),
            flights: Flights::default(),
            load: ForegroundLoad::default(),
            write_order: WriteOrder::default(),
        }
    }

    /// Refuses a caller whose limit of rejected credentials is spent.
    ///
    /// # Errors
    /// `LimitReached` if providers have rejected too many of the caller's credentials.
    pub fn check_rejection_limit(&self, caller: &Caller) -> Result<(), ServiceError> {
        self.rejection_limiter.check(caller.counted).map_err(ServiceError::LimitReached)
    }

    /// The state of the caller's limit of rejected credentials.
    pub fn rejection_limit(&self, caller: &Caller) -> LimitStatus {
        self.rejection_limiter.status(caller.counted)
    }

    /// Waits until background work may continue: see `foreground_load`.
    pub async fn yield_to_foreground(&self, work: BackgroundWork) -> Throttle {
        self.load.yield_to_foreground(work).await
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
            let known = || apps.iter().map(|app| app.description.slug.as_str());
            let shown = safe_name(slug, known());
            let aside = match nearest(slug, known()) {
                Some(meant) => format!("; is `{meant}` meant?"),
                None if shown == slug => "; GET /api/v2/public/application lists the apps".to_owned(),
                None => masked_note(slug, shown),
            };
            ServiceError::UnknownApp { slug: shown.to_owned(), aside }
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

    /// The state of the key service that holds the key-encryption key.
    pub fn key_service(&self) -> KeyServiceState {
        self.vault.key_service()
    }

    /// An integration of a linked account that exists.
    pub(super) async fn integration_key(
        &self,
        caller: &Caller,
        account: &LinkedAccountId,
        slug: &Slug,
    ) -> Result<IntegrationKey, ServiceError> {
        let account = caller.account_key(account);
        self.require_account(&account).await?;
        Ok(IntegrationKey { account, slug: slug.clone() })
    }

    pub(super) async fn require_account(&self, account: &AccountKey) -> Result<(), ServiceError> {
        if self.store.has_account(account).await? { Ok(()) } else { Err(ServiceError::missing(account)) }
    }

    /// Performs a write of an integration while no other writer of this service does.
    pub async fn write_alone<T>(&self, key: &IntegrationKey, write: impl Future<Output = T>) -> T {
        self.write_order.alone(key, write).await
    }

    pub(super) async fn integration(&self, key: &IntegrationKey) -> Result<Option<IntegrationRecord>, ServiceError> {
        Ok(self.store.integration(key).await?)
    }
}
