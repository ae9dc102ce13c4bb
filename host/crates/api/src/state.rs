//! The state that handlers share.

use std::sync::Arc;
use std::time::Duration;

use keyferry_imports::Importer;
use keyferry_service::CredentialService;
use keyferry_store::Store;
use keyferry_webhooks::Webhooks;

use crate::auth::known_keys::KnownKeys;
use crate::middleware::rate::{RateLimit, Rates};
use crate::openapi::cache::Description;
use crate::server::readiness::Readiness;

/// The state that handlers share.
pub struct Api {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) service: Arc<CredentialService>,
    pub(crate) importer: Arc<Importer>,
    pub(crate) webhooks: Webhooks,
    pub(crate) readiness: Arc<Readiness>,
    pub(crate) keys: Arc<KnownKeys>,
    pub(crate) rates: Rates,
    pub(crate) description: Description,
    /// How long a caller may take to send a request's body.
    pub(crate) body_timeout: Duration,
}

impl Api {
    /// Creates the shared state.
    pub fn new(
        keys: Arc<KnownKeys>,
        service: Arc<CredentialService>,
        importer: Arc<Importer>,
        webhooks: Webhooks,
        readiness: Arc<Readiness>,
        limit: Option<RateLimit>,
        body_timeout: Duration,
    ) -> Arc<Self> {
        let (description, rates, store) = (Description::default(), Rates::new(limit), keys.store());
        Arc::new(Self { store, service, importer, webhooks, readiness, keys, rates, description, body_timeout })
    }
}
