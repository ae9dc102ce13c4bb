//! Which error each failure of the service, the store and the vault becomes.

use std::time::Duration;

use http::{HeaderName, HeaderValue};
use keyferry_sandbox::{CallError, FailureKind, Unreachable};
use keyferry_service::{RenewalProblem, ServiceError};
use keyferry_store::StoreError;
use keyferry_vault::VaultError;

use crate::error::api_error::ApiError;
use crate::error::problem;

static KEYFERRY_FAILURE: HeaderName = HeaderName::from_static("keyferry-failure");

/// The response for each error of the service layer.
pub(crate) fn failure(error: ServiceError) -> ApiError {
    let message = error.to_string();
    match error {
        ServiceError::CustomApp => ApiError::new(&problem::CUSTOM_APP, message),
        ServiceError::UnknownApp { .. } => ApiError::new(&problem::UNKNOWN_APP, message),
        ServiceError::AppNotInService { .. } => ApiError::new(&problem::APP_NOT_IN_SERVICE, message),
        ServiceError::AccountMissing { .. } => ApiError::new(&problem::ACCOUNT_UNKNOWN_TO_MIGRATE, message),
        ServiceError::Content(violations) => ApiError::violations(&violations),
        ServiceError::Outdated(_) => ApiError::new(&problem::CREDENTIAL_OUTDATED, message),
        ServiceError::LimitReached(limit) => {
            let message = format!("{message}; correct them, and try again after Retry-After seconds");
            ApiError::new(&problem::TOO_MANY_FAILED, message).retry_after(Some(limit.wait))
        }
        ServiceError::NotVerified(failed) => not_verified(&failed.kind, &failed.detail),
        ServiceError::Plugin(CallError::Busy { retry_after, .. }) => {
            ApiError::new(&problem::BUSY, message).retry_after(Some(retry_after))
        }
        ServiceError::Plugin(CallError::Timeout { .. }) => ApiError::verification(&problem::PLUGIN_TIMEOUT, &message),
        ServiceError::Plugin(_) => ApiError::verification(&problem::PLUGIN_FAILED, &message),
        ServiceError::OtherAccount { .. } => ApiError::new(&problem::OTHER_ACCOUNT, message),
        ServiceError::OAuthClientMissing { .. } => ApiError::new(&problem::OAUTH_CLIENT_UNKNOWN, message),
        ServiceError::TooManyOAuthClients { .. } => ApiError::new(&problem::TOO_MANY_OAUTH_CLIENTS, message),
        // Of rows of imports alone, and of renewals.
        ServiceError::NoTime | ServiceError::InvisibleId(_) | ServiceError::SeveralOAuthClients { .. } => {
            ApiError::internal(&error)
        }
        ServiceError::Precondition { .. } | ServiceError::OAuthClientPrecondition { .. } => {
            ApiError::new(&problem::PRECONDITION_FAILED, message)
        }
        ServiceError::IdempotencyReuse => ApiError::new(&problem::IDEMPOTENCY_REUSED, message),
        ServiceError::IdempotencyInFlight => {
            ApiError::new(&problem::IDEMPOTENCY_IN_FLIGHT, message).retry_after(Some(Duration::from_secs(1)))
        }
        ServiceError::NotAllowed { .. } => ApiError::new(&problem::PREFERENCE_NOT_ALLOWED, message),
        ServiceError::TooLarge(_) | ServiceError::RecordTooLarge { .. } => {
            ApiError::new(&problem::CREDENTIAL_TOO_LARGE, message)
        }
        ServiceError::Contended | ServiceError::OAuthClientContended => {
            ApiError::new(&problem::CONTENDED, message).retry_after(Some(Duration::from_secs(1)))
        }
        ServiceError::Renewal(problem) => renewal_failure(&problem),
        ServiceError::Store(error) => store_failure(error),
        ServiceError::Vault(error) => vault_failure(&error),
    }
}

/// Why there is no token that lasts long enough.
fn renewal_failure(problem: &RenewalProblem) -> ApiError {
    let failed = match problem {
        RenewalProblem::ReauthRequired { .. } => &problem::REAUTH_REQUIRED,
        RenewalProblem::NoRefreshToken { .. } => &problem::NO_REFRESH_TOKEN,
        RenewalProblem::NotRenewable { .. } => &problem::NOT_RENEWABLE,
        RenewalProblem::NotGranted { .. } => &problem::RENEWAL_NOT_GRANTED,
        RenewalProblem::NoClient { .. } => &problem::NO_OAUTH_CLIENT,
        RenewalProblem::ClientRefused { .. } => &problem::OAUTH_CLIENT_REFUSED,
        RenewalProblem::ProviderDown { .. } => &problem::PROVIDER_DOWN,
        RenewalProblem::Unavailable { .. } => &problem::RENEWAL_UNAVAILABLE,
        RenewalProblem::Gone => &problem::NO_SUCH_INTEGRATION,
    };
    ApiError::new(failed, problem.to_string()).retry_after(problem.retry_after())
}

/// Unavailable keys are not the fault of the request, and the caller cannot fix them. Which key it is and what is wrong with it
/// is for the operator.
pub(crate) fn vault_failure(error: &VaultError) -> ApiError {
    let Some((why, wait)) = error.locked() else { return ApiError::internal(error) };
    tracing::error!(%error, "an organisation's keys cannot be unlocked");
    let message = format!("this organisation's keys cannot be unlocked: {why}; nothing was changed, try again later");
    ApiError::new(&problem::KEYS_LOCKED, message).retry_after(Some(wait))
}

/// The response for an error of the store.
pub(crate) fn store_failure(error: StoreError) -> ApiError {
    match error {
        StoreError::NoSpace { .. } => {
            ApiError::new(&problem::NO_SPACE, "the server's disk is full; nothing was stored")
                .retry_after(Some(Duration::from_secs(30)))
        }
        StoreError::Unavailable { .. } => {
            // What the database says is for the operator.
            tracing::error!(%error, "the store is not available");
            ApiError::new(
                &problem::STORE_UNAVAILABLE,
                "the server's database cannot be used at the moment; nothing was stored",
            )
            .retry_after(Some(Duration::from_secs(1)))
        }
        other => ApiError::internal(&other),
    }
}

fn not_verified(verdict: &FailureKind, detail: &str) -> ApiError {
    let failed = match verdict {
        FailureKind::Rejected(_) => &problem::CREDENTIALS_REJECTED,
        FailureKind::InsufficientScope(_) => &problem::INSUFFICIENT_SCOPE,
        FailureKind::WrongTenant(_) => &problem::WRONG_TENANT,
        FailureKind::AccountSuspended => &problem::ACCOUNT_SUSPENDED,
        FailureKind::RateLimited(_) => &problem::PROVIDER_RATE_LIMITED,
        FailureKind::Unreachable(Unreachable::Timeout) => &problem::PROVIDER_TIMEOUT,
        FailureKind::Unreachable(_) => &problem::PROVIDER_UNREACHABLE,
        FailureKind::ProviderError(_) => &problem::PROVIDER_ERROR,
        FailureKind::UnexpectedAnswer => &problem::UNEXPECTED_ANSWER,
        FailureKind::NotVerifiable => &problem::NOT_VERIFIABLE,
    };
    let wait = match verdict {
        FailureKind::RateLimited(seconds) => seconds.map(|seconds| Duration::from_secs(u64::from(seconds))),
        _ => None,
    };
    // The documented shape is the same for a bad key and for a provider that is down. The header distinguishes them.
    ApiError::verification(failed, detail)
        .retry_after(wait)
        .fields(fields_of(verdict))
        .header(KEYFERRY_FAILURE.clone(), HeaderValue::from_static(verdict.code()))
}

fn fields_of(verdict: &FailureKind) -> Vec<String> {
    match verdict {
        FailureKind::Rejected(fields) | FailureKind::WrongTenant(fields) => fields.clone(),
        _ => Vec::new(),
    }
}
