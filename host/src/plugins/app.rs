//! [`App`]: a plugin that serves.

use std::sync::Arc;

use tokio::time::Instant;
use tracing::Instrument as _;
use tracing::field::Empty;

use super::admission::now;
use super::description::{AppDescription, Digest, SecretAccess};
use super::sandbox::{CallError, Compiled, Sandbox, Verification};
use super::verdict::Verdict;
use crate::egress::{AppClient, Call, Egress, GrantSet};
use crate::schema::Credential;
use crate::telemetry::{SPANS, metrics};

/// A plugin that serves its app.
pub struct App {
    /// What it said of itself.
    pub description: AppDescription,
    /// Which component it is.
    pub digest: Digest,
    /// What it may do.
    pub grants: Arc<GrantSet>,
    /// When that ends, if it does.
    pub ends_at: Option<jiff::Timestamp>,
    pub(super) secret_access: SecretAccess,
    pub(super) compiled: Compiled,
    pub(super) client: AppClient,
    pub(super) sandbox: Arc<Sandbox>,
    pub(super) egress: Arc<Egress>,
    /// For the plugin's log lines.
    pub(super) name: Arc<str>,
}

impl App {
    /// Whether its grant has not ended. A grant ends when it ends, not when the folder is next looked through.
    pub(super) fn is_in_force(&self) -> bool {
        self.ends_at.is_none_or(|end| now() < end)
    }

    /// Has the plugin verify a credential that fits its schema.
    ///
    /// # Errors
    /// Where the plugin gave no verdict; nothing is known of the credential then.
    pub async fn verify(&self, credential: &Credential) -> Result<Verdict, CallError> {
        let slug = self.description.slug.as_str();
        let span = tracing::info_span!(target: SPANS, "verify", keyferry.app = slug, keyferry.outcome = Empty);
        let began = Instant::now();
        let verdict = self.run(credential).instrument(span.clone()).await;
        let outcome = match &verdict {
            Ok(Verdict::Verified(_)) => "verified",
            Ok(Verdict::Failed(failure)) => failure.kind.code(),
            Err(error) => error.code(),
        };
        span.record("keyferry.outcome", outcome);
        metrics::verification(slug, outcome, began.elapsed());
        verdict
    }

    async fn run(&self, credential: &Credential) -> Result<Verdict, CallError> {
        let deadline = Instant::now() + self.sandbox.limits().wall;
        let grants = self.grants.bound(|field| credential.plain(field).map(str::to_owned));
        let mut call = Call::new(grants, deadline, self.egress.limits());
        for secret in credential.secrets() {
            call.know(Arc::clone(secret));
        }
        let verification = Verification { client: &self.client, call, credential, access: self.secret_access };
        self.sandbox.verify(&self.compiled, Arc::clone(&self.name), verification).await
    }
}
