//! [`App`]: a plugin that serves.

use std::sync::Arc;

use tokio::time::Instant;
use tracing::Instrument as _;
use tracing::field::Empty;

use super::description::{AppDescription, Digest, SecretAccess};
use super::error::{CallError, RenewalCallError};
use super::renewal::{AskedRenewal, RenewalClient, RenewalResult};
use super::sandbox::{Compiled, Sandbox, Verification};
use super::verdict::Verdict;
use keyferry_egress::{AppClient, Call, Egress, GrantSet};
use keyferry_schema::Credential;
use keyferry_telemetry::{SPANS, metrics};
use keyferry_types::ids::FieldName;
use keyferry_types::secret::SharedSecret;

/// A plugin that serves its app.
pub struct App {
    /// The description of the app.
    pub description: AppDescription,
    /// Digest of the component.
    pub digest: Digest,
    /// The requests that the plugin may make.
    pub grants: Arc<GrantSet>,
    /// The requests that it may make to renew credentials.
    pub renewal_grants: Arc<GrantSet>,
    /// End of the grant, if it has one.
    pub ends_at: Option<jiff::Timestamp>,
    pub(super) secret_access: SecretAccess,
    pub(super) compiled: Compiled,
    pub(super) client: Arc<AppClient>,
    pub(super) sandbox: Arc<Sandbox>,
    pub(super) egress: Arc<Egress>,
    /// For the plugin's log lines.
    pub(super) name: Arc<str>,
}

impl App {
    /// Whether its grant has not ended. A grant ends when it ends, not when the folder is next looked through.
    pub(super) fn is_in_force(&self) -> bool {
        self.ends_at.is_none_or(|end| jiff::Timestamp::now() < end)
    }

    /// Verifies a credential that fits the schema. The verdict includes the changes to the credential's values.
    ///
    /// # Errors
    /// If the plugin gave no verdict; nothing is known of the credential then.
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

    /// Renews a pair of tokens of a credential that fits the schema.
    ///
    /// # Errors
    /// If the plugin gave no result; whether the refresh token was spent is in the error.
    pub async fn renew(
        &self,
        credential: &Credential,
        pair: &FieldName,
        client: Option<&RenewalClient>,
    ) -> Result<RenewalResult, RenewalCallError> {
        let slug = self.description.slug.as_str();
        let span = tracing::info_span!(target: SPANS, "renew", keyferry.app = slug, keyferry.outcome = Empty);
        let deadline = Instant::now() + self.sandbox.limits().wall;
        let secrets = client.into_iter().flat_map(|client| [Some(&client.id), client.secret.as_ref()]).flatten();
        let call = self.call(&self.renewal_grants, credential, secrets, deadline);
        let verification =
            Verification { client: Arc::clone(&self.client), call, credential, access: SecretAccess::Handles };
        let asked = AskedRenewal { pair: pair.as_str(), client };
        let renewed = self
            .sandbox
            .renew(&self.compiled, Arc::clone(&self.name), verification, asked)
            .instrument(span.clone())
            .await;
        let outcome = match &renewed {
            Ok(Ok(_)) => "renewed",
            Ok(Err(failure)) => failure.kind.code(),
            Err(error) => error.error.code(),
        };
        span.record("keyferry.outcome", outcome);
        renewed
    }

    /// A call with these grants, bound to the credential's fields. It knows the secrets of the credential and these.
    fn call<'a>(
        &self,
        grants: &Arc<GrantSet>,
        credential: &'a Credential,
        secrets: impl Iterator<Item = &'a SharedSecret>,
        deadline: Instant,
    ) -> Box<Call> {
        let grants = grants.bound(|field| credential.plain(field).map(str::to_owned));
        let mut call = Box::new(Call::new(grants, deadline, self.egress.limits()));
        for secret in credential.secrets().chain(secrets) {
            call.add_secret(Arc::clone(secret));
        }
        call
    }

    async fn run(&self, credential: &Credential) -> Result<Verdict, CallError> {
        let deadline = Instant::now() + self.sandbox.limits().wall;
        let call = self.call(&self.grants, credential, std::iter::empty(), deadline);
        let verification =
            Verification { client: Arc::clone(&self.client), call, credential, access: self.secret_access };
        let verdict = self.sandbox.verify(&self.compiled, Arc::clone(&self.name), verification).await?;
        Ok(completed(verdict, credential))
    }
}

/// Adds to a verdict what the host knows: the changes to the credential's values and, if the provider does not return one, the
/// expiry from the field `expires_at`.
fn completed(verdict: Verdict, credential: &Credential) -> Verdict {
    match verdict {
        Verdict::Verified(mut verified) => {
            verified.warnings.extend(credential.warnings.iter().cloned());
            if let (None, Some(millis)) = (verified.expires_at, credential.expires_at()) {
                if millis > u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or_default() {
                    verified.expires_at = Some(millis);
                } else {
                    let warning = "`expires_at` is past and the provider accepts the credential, so that it is not kept as its end";
                    verified.warnings.push(warning.to_owned());
                }
            }
            Verdict::Verified(verified)
        }
        Verdict::Failed(mut failure) => {
            for warning in &credential.warnings {
                failure.detail = format!("{} ({warning})", failure.detail);
            }
            Verdict::Failed(failure)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FailureKind, VerificationFailure, Verified};
    use keyferry_schema::{AuthSchema, AuthTypeSpec, FieldKind, FieldSpec};

    fn credential(expires_at: &str) -> Credential {
        let fields = vec![
            FieldSpec { name: "token".into(), secret: true, ..FieldSpec::default() },
            FieldSpec { name: "expires_at".into(), kind: FieldKind::Number, ..FieldSpec::default() },
        ];
        let schema =
            AuthSchema::parse(vec![AuthTypeSpec { name: "oauth2".into(), fields, ..AuthTypeSpec::default() }]).unwrap();
        let sent = serde_json::json!({ "oauth2": { "token": " t", "expires_at": expires_at } });
        schema.validate(&serde_json::from_value(sent).unwrap()).unwrap()
    }

    fn verified(expires_at: Option<u64>, credential: &Credential) -> Verified {
        let said = Verdict::Verified(Verified { expires_at, ..Verified::default() });
        match completed(said, credential) {
            Verdict::Verified(verified) => verified,
            Verdict::Failed(failure) => panic!("{failure}"),
        }
    }

    #[test]
    fn the_end_that_a_caller_knows_is_kept_unless_the_provider_knows_another() {
        let (ahead, past) = (credential("9000-01-01T00:00:00Z"), credential("2001-01-01T00:00:00Z"));
        let blanks = "`token` was taken without the blanks around it";
        assert_eq!(verified(None, &ahead).expires_at, ahead.expires_at());
        assert_eq!(verified(Some(1), &ahead).expires_at, Some(1));
        assert_eq!(verified(None, &ahead).warnings, [blanks]);
        let past = verified(None, &past);
        assert_eq!(past.expires_at, None);
        assert!(past.warnings.len() == 2 && past.warnings[1].contains("`expires_at` is past"), "{:?}", past.warnings);
    }

    #[test]
    fn a_credential_that_fails_is_told_with_what_was_changed_of_it() {
        let failure = VerificationFailure { kind: FailureKind::NotVerifiable, detail: "no".to_owned(), contact: None };
        let Verdict::Failed(failure) = completed(Verdict::Failed(failure), &credential("")) else { panic!() };
        assert_eq!(failure.detail, "no (`token` was taken without the blanks around it)");
    }
}
