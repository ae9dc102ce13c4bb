//! The state that handlers share.

use std::sync::Arc;
use std::time::Duration;

use keyferry_imports::Importer;
use keyferry_service::CredentialService;
use keyferry_store::Store;
use keyferry_webhooks::Webhooks;

use crate::auth::last_use::LastUse;
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
    pub(crate) last_use: LastUse,
    pub(crate) rates: Rates,
    pub(crate) description: Description,
    /// How long a caller may take to send a request's body.
    pub(crate) body_timeout: Duration,
}

impl Api {
    /// Creates the shared state.
    pub fn new(
        store: Arc<dyn Store>,
        service: Arc<CredentialService>,
        importer: Arc<Importer>,
        webhooks: Webhooks,
        readiness: Arc<Readiness>,
        limit: Option<RateLimit>,
        body_timeout: Duration,
    ) -> Arc<Self> {
        let (last_use, description, rates) = (LastUse::default(), Description::default(), Rates::new(limit));
        Arc::new(Self { store, service, importer, webhooks, readiness, last_use, rates, description, body_timeout })
    }
}
