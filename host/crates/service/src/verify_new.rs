//! Verifying a credential that is to be stored.

use std::time::Duration;

use super::credential_service::CredentialService;
use super::error::ServiceError;
use super::request::{Caller, Preferences, VerifyMode};
use keyferry_sandbox::{App, Verdict, Verified};
use keyferry_schema::Credential;
use keyferry_store::{IntegrationVersion, OnUnverified, VerificationStatus};

/// How long a request waits for a permit to verify: longer than a verification may take by default.
pub(super) const PERMIT_PATIENCE: Duration = Duration::from_secs(15);

/// What a verification found out about a credential that is to be stored.
pub(super) struct VerificationOutcome {
    pub(super) standing: VerificationStatus,
    pub(super) verified: Verified,
}

impl CredentialService {
    /// Has the plugin verify the credential and decides whether it may be stored. The inner error is the verdict of a
    /// request that asked for no more.
    ///
    /// A permit of the limit of rejected credentials is waited for `patience` at most.
    pub(super) async fn verify_new(
        &self,
        caller: &Caller,
        patience: Duration,
        app: &App,
        credential: &Credential,
        preferences: Preferences,
    ) -> Result<Result<VerificationOutcome, Verdict>, ServiceError> {
        if preferences.verify == VerifyMode::Skip {
            let standing = VerificationStatus::Unverified { reason: "not asked to verify".to_owned() };
            return Ok(Ok(VerificationOutcome { standing, verified: unconfirmed(credential) }));
        }
        let permit =
            self.rejection_limiter.permit(caller.counted, patience).await.map_err(ServiceError::LimitReached)?;
        // A call of a plugin takes kilobytes, which each future around this one would have, and copy when it is moved.
        let verdict = Box::pin(app.verify(credential)).await.map_err(ServiceError::Plugin)?;
        permit.settle(&verdict);
        if preferences.verify == VerifyMode::Only {
            return Ok(Err(verdict));
        }
        match verdict {
            Verdict::Verified(verified) => {
                Ok(Ok(VerificationOutcome { standing: VerificationStatus::Verified, verified }))
            }
            Verdict::Failed(failure)
                if preferences.on_unverified == OnUnverified::Store && failure.kind.may_store_unverified() =>
            {
                let standing = VerificationStatus::Unverified { reason: failure.to_string() };
                Ok(Ok(VerificationOutcome { standing, verified: unconfirmed(credential) }))
            }
            Verdict::Failed(failure) => Err(ServiceError::NotVerified(failure)),
        }
    }
}

/// What the caller says of a credential that no provider has confirmed.
fn unconfirmed(credential: &Credential) -> Verified {
    let warnings = credential.warnings.clone();
    Verified { expires_at: credential.expires_at(), warnings, ..Verified::default() }
}

/// Refuses a credential of another account at the provider than the stored one's.
pub(super) fn check_same_account(
    current: Option<&IntegrationVersion>,
    verified: &Verified,
) -> Result<(), ServiceError> {
    let before = current.and_then(|current| current.provider_account_id.as_ref());
    match (before, &verified.provider_account_id) {
        (Some(before), Some(now)) if before != now => {
            Err(ServiceError::OtherAccount { before: before.clone(), now: now.clone() })
        }
        _ => Ok(()),
    }
}
