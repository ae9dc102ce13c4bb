//! Verifying a credential again that is stored already, and keeping what comes out with it.

use super::read::envelope;
use super::{Caller, CredentialService, MAX_ATTEMPTS, PERMIT_PATIENCE, ServiceError, keys, seal_context};
use keyferry_sandbox::{App, FailureKind, Verdict, VerificationFailure};
use keyferry_schema::{Credential, Input};
use keyferry_store::{
    AuditAction, AuditEvent, Check, CheckWrite, Checked, IntegrationKey, IntegrationRecord, Reauth, Timestamp,
    VerificationStatus,
};
use keyferry_types::ids::{LinkedAccountId, Slug};
use keyferry_types::secret::SharedSecret;

/// Which credential, and who asks.
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
    /// Has an app's plugin verify the credential that is stored, and keeps what comes out. One that the provider rejects needs
    /// its user, until it is replaced or verifies again; whatever says nothing of the credential changes nothing of that.
    ///
    /// `None` where there is no such integration.
    ///
    /// # Errors
    /// `AccountMissing`; where no plugin serves the app, or gives no verdict; `Outdated`; and where the credential cannot be
    /// opened, or was replaced again and again meanwhile.
    pub async fn verify_stored(&self, asked: &VerifyStored) -> Result<Option<Reverified>, ServiceError> {
        let _live = self.live.enter();
        let key = self.place(&asked.caller, &asked.account, &asked.slug).await?;
        if self.integration(&key).await?.is_none() {
            return Ok(None);
        }
        let app = self.app(asked.slug.as_str())?;
        keys::unlock(self.store.as_ref(), &self.vault, &key.account.org).await?;
        for _ in 0..MAX_ATTEMPTS {
            let counted = asked.caller.counted;
            let permit = self.turned_away.permit(counted, PERMIT_PATIENCE).await.map_err(ServiceError::LimitReached)?;
            let audit = asked.audit(AuditAction::CredentialUsed, "verify");
            let found = self.store.read_integration(&key, audit).await.map_err(ServiceError::Store)?;
            let Some(stored) = found else { return Ok(None) };
            let credential = self.opened(&app, &key, &stored)?;
            let verdict = app.verify(&credential).await.map_err(ServiceError::Plugin)?;
            let verdict = of_the_same_account(verdict, &stored);
            permit.settle(&verdict);
            let record = checked(stored, &verdict, Timestamp::now());
            let outcome = record.check.as_ref().map_or("", |check| check.outcome.as_str());
            let audit = asked.audit(AuditAction::CredentialChecked, outcome);
            let write = CheckWrite { record, audit };
            match self.store.commit_check(write).await.map_err(ServiceError::Store)? {
                Checked::Written(record) => return Ok(Some(Reverified { record: *record, verdict })),
                // What came out is of a credential that is no more: once more, with the one that is there now.
                Checked::Overtaken => {}
            }
        }
        Err(ServiceError::Contended)
    }

    /// The credential as the plugin's schema has it.
    fn opened(&self, app: &App, key: &IntegrationKey, stored: &IntegrationRecord) -> Result<Credential, ServiceError> {
        let context = seal_context(key, &stored.auth_type, stored.version);
        let fields = self.vault.open(&context, &envelope(stored)?)?.into_iter();
        let fields = fields.map(|(name, value)| (name.to_string(), Input::Text(SharedSecret::new(value)))).collect();
        let auth_object = Input::Object(vec![(stored.auth_type.to_string(), Input::Object(fields))]);
        app.description.schema.validate_stored(&auth_object).map_err(ServiceError::Outdated)
    }
}

impl VerifyStored {
    fn audit(&self, action: AuditAction, outcome: &str) -> AuditEvent {
        AuditEvent {
            action,
            actor: self.caller.actor.clone(),
            environment: Some(self.caller.environment),
            account: Some(self.account.clone()),
            slug: Some(self.slug.clone()),
            outcome: outcome.to_owned(),
            request_id: Some(self.request_id.clone()),
            at: Timestamp::now(),
        }
    }
}

/// A credential that has come to be of another account at the provider is not the one that was stored.
fn of_the_same_account(verdict: Verdict, stored: &IntegrationRecord) -> Verdict {
    match (&verdict, &stored.provider_account_id) {
        (Verdict::Verified(verified), Some(before)) => match &verified.account_id {
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
    match verdict {
        Verdict::Verified(verified) => IntegrationRecord {
            standing: VerificationStatus::Verified,
            provider_account_id: stored.provider_account_id.or_else(|| verified.account_id.clone()),
            display_name: verified.display_name.clone().or(stored.display_name),
            scopes: verified.scopes.clone(),
            expires_at: verified.expires_at.map(Timestamp::from_millis),
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
