//! Verifying a stored credential again, and storing the result with it.

use super::credential_service::CredentialService;
use super::error::ServiceError;
use super::keys;
use super::request::Caller;
use super::retry::retry_on_conflict;
use super::sealing::{envelope, seal_context};
use super::verify_new::PERMIT_PATIENCE;
use keyferry_sandbox::{App, FailureKind, Verdict, VerificationFailure};
use keyferry_schema::{Credential, Input};
use keyferry_store::{
    AuditAction, Check, CheckWrite, Checked, IntegrationKey, IntegrationRecord, Reauth, Timestamp, VerificationStatus,
};
use keyferry_types::ids::{LinkedAccountId, Slug};
use keyferry_types::secret::SharedSecret;

/// A stored credential to verify again, and the caller that asks for it.
#[derive(Debug)]
pub struct VerifyStored {
    /// The caller of the request.
    pub caller: Caller,
    /// The linked account of the request.
    pub account: LinkedAccountId,
    /// The slug of the app.
    pub slug: Slug,
    /// The request's id, for the audit trail.
    pub request_id: String,
}

/// The result of a repeated verification.
#[derive(Debug)]
pub struct Reverified {
    /// The integration as it is stored now.
    pub record: IntegrationRecord,
    /// The plugin's verdict.
    pub verdict: Verdict,
}

impl CredentialService {
    /// Has the app's plugin verify the stored credential, and stores the result. A rejected credential requires its user to
    /// connect again, until it is replaced or verified; a failure that says nothing about the credential does not change that.
    ///
    /// `None` if there is no such integration.
    ///
    /// # Errors
    /// `AccountMissing`; `Outdated`; if no plugin serves the app or gives a verdict; if the credential cannot be opened, or was
    /// replaced during each attempt.
    pub async fn verify_stored(&self, asked: &VerifyStored) -> Result<Option<Reverified>, ServiceError> {
        let _foreground = self.load.enter();
        let key = self.integration_key(&asked.caller, &asked.account, &asked.slug).await?;
        if self.integration(&key).await?.is_none() {
            return Ok(None);
        }
        let app = self.app(asked.slug.as_str())?;
        keys::unlock(self.store.as_ref(), &self.vault, &key.account.org).await?;
        let audit = |action, outcome: &str| asked.caller.audit(action, outcome, &asked.request_id).on_integration(&key);
        retry_on_conflict(|| async {
            let counted = asked.caller.counted;
            let permit =
                self.rejection_limiter.permit(counted, PERMIT_PATIENCE).await.map_err(ServiceError::LimitReached)?;
            let used = audit(AuditAction::CredentialUsed, "verify");
            let Some(stored) = self.store.read_integration(&key, used).await? else { return Ok(None) };
            let credential = self.opened(&app, &key, &stored)?;
            let verdict = app.verify(&credential).await.map_err(ServiceError::Plugin)?;
            let verdict = of_the_same_account(verdict, &stored);
            permit.settle(&verdict);
            let record = checked(stored, &verdict, Timestamp::now());
            let outcome = record.check.as_ref().map_or("", |check| check.outcome.as_str());
            let audit = audit(AuditAction::CredentialChecked, outcome);
            match self.store.commit_check(CheckWrite { record, audit }).await? {
                Checked::Written(record) => Ok(Some(Reverified { record: *record, verdict })),
                // The credential was replaced meanwhile: the one that is stored now is verified instead.
                Checked::Overtaken => Err(ServiceError::Contended),
            }
        })
        .await
    }

    /// The stored credential, opened and validated by the app's schema.
    pub(super) fn opened(
        &self,
        app: &App,
        key: &IntegrationKey,
        stored: &IntegrationRecord,
    ) -> Result<Credential, ServiceError> {
        let context = seal_context(key, &stored.auth_type, stored.version);
        let fields = self.vault.open(&context, &envelope(stored)?)?.into_iter();
        let fields = fields.map(|(name, value)| (name.to_string(), Input::Text(SharedSecret::new(value)))).collect();
        let auth_object = Input::Object(vec![(stored.auth_type.to_string(), Input::Object(fields))]);
        app.description.schema.validate_stored(&auth_object).map_err(ServiceError::Outdated)
    }
}

/// Makes a verdict a failure if the credential belongs to another account at the provider than the stored one's.
fn of_the_same_account(verdict: Verdict, stored: &IntegrationRecord) -> Verdict {
    match (&verdict, &stored.provider_account_id) {
        (Verdict::Verified(verified), Some(before)) => match &verified.provider_account_id {
            Some(now) if now != before => Verdict::Failed(VerificationFailure {
                kind: FailureKind::WrongTenant(Vec::new()),
                detail: format!("the credential was of the provider's account `{before}`, and is of `{now}` now"),
                contact: verified.contact.clone(),
            }),
            _ => verdict,
        },
        _ => verdict,
    }
}

/// The integration with what a verification found out.
fn checked(stored: IntegrationRecord, verdict: &Verdict, now: Timestamp) -> IntegrationRecord {
    let renewed_until = stored.renewals.values().filter_map(|state| state.expires_at).min();
    match verdict {
        Verdict::Verified(verified) => IntegrationRecord {
            standing: VerificationStatus::Verified,
            provider_account_id: stored.provider_account_id.or_else(|| verified.provider_account_id.clone()),
            display_name: verified.display_name.clone().or(stored.display_name),
            scopes: verified.scopes.clone(),
            expires_at: verified.expires_at.map(Timestamp::from_millis).or(renewed_until),
            warnings: verified.warnings.clone(),
            config: verified.config.iter().cloned().collect(),
            reauth: Reauth::NotRequired,
            verified_at: Some(now),
            check: Some(Check { at: now, outcome: "verified".to_owned(), detail: None }),
            ..stored
        },
        Verdict::Failed(failure) => IntegrationRecord {
            reauth: match failure.kind {
                FailureKind::Rejected(_) => Reauth::Required,
                _ => stored.reauth,
            },
            check: Some(Check {
                at: now,
                outcome: failure.kind.code().to_owned(),
                detail: Some(failure.detail.clone()),
            }),
            ..stored
        },
    }
}
