//! Which error each failure of the service, the store and the vault becomes.

use std::time::Duration;

use http::{HeaderName, HeaderValue};
use keyferry_sandbox::{CallError, FailureKind, Unreachable};
use keyferry_service::MigrateError;
use keyferry_store::StoreError;
use keyferry_vault::VaultError;

use crate::error::api_error::Failure;
use crate::error::problem_type as kind;

static KEYFERRY_FAILURE: HeaderName = HeaderName::from_static("keyferry-failure");

/// Each reason of the use case as an answer.
pub(crate) fn failure(error: MigrateError) -> Failure {
    let message = error.to_string();
    match error {
        MigrateError::CustomApp => Failure::new(&kind::CUSTOM_APP, message),
        MigrateError::UnknownApp { .. } => Failure::new(&kind::UNKNOWN_APP, message),
        MigrateError::AppNotInService { .. } => Failure::new(&kind::APP_NOT_IN_SERVICE, message),
        MigrateError::AccountMissing { .. } => Failure::new(&kind::ACCOUNT_UNKNOWN_TO_MIGRATE, message),
        MigrateError::Content(violations) => Failure::violations(&violations),
        MigrateError::Outdated(_) => Failure::new(&kind::CREDENTIAL_OUTDATED, message),
        MigrateError::LimitReached(limit) => {
            let message = format!("{message}; correct them, and try again after Retry-After seconds");
            Failure::new(&kind::TOO_MANY_FAILED, message).retry_after(Some(limit.wait))
        }
        MigrateError::NotVerified(failed) => not_verified(&failed.kind, &failed.detail),
        MigrateError::Plugin(CallError::Busy { retry_after, .. }) => {
            Failure::new(&kind::BUSY, message).retry_after(Some(retry_after))
        }
        MigrateError::Plugin(CallError::Timeout { .. }) => Failure::verification(&kind::PLUGIN_TIMEOUT, &message),
        MigrateError::Plugin(_) => Failure::verification(&kind::PLUGIN_FAILED, &message),
        MigrateError::OtherAccount { .. } => Failure::new(&kind::OTHER_ACCOUNT, message),
        // Of rows of imports alone.
        MigrateError::NoTime | MigrateError::InvisibleId(_) => Failure::internal(&error),
        MigrateError::Precondition { .. } => Failure::new(&kind::PRECONDITION_FAILED, message),
        MigrateError::IdempotencyReuse => Failure::new(&kind::IDEMPOTENCY_REUSED, message),
        MigrateError::IdempotencyInFlight => {
            Failure::new(&kind::IDEMPOTENCY_IN_FLIGHT, message).retry_after(Some(Duration::from_secs(1)))
        }
        MigrateError::NotAllowed { .. } => Failure::new(&kind::PREFERENCE_NOT_ALLOWED, message),
        MigrateError::TooLarge(_) | MigrateError::RecordTooLarge { .. } => {
            Failure::new(&kind::CREDENTIAL_TOO_LARGE, message)
        }
        MigrateError::Contended => Failure::new(&kind::CONTENDED, message).retry_after(Some(Duration::from_secs(1))),
        MigrateError::Store(error) => store_failure(error),
        MigrateError::Vault(error) => vault_failure(&error),
    }
}

/// Keys that cannot be had are no fault of the request, and none that a caller can do something about. Which key it is and
/// what is wrong with it is for the operator.
pub(crate) fn vault_failure(error: &VaultError) -> Failure {
    let Some((why, wait)) = error.locked() else { return Failure::internal(error) };
    tracing::error!(%error, "an organisation's keys cannot be unlocked");
    let message = format!("this organisation's keys cannot be unlocked: {why}; nothing was changed, try again later");
    Failure::new(&kind::KEYS_LOCKED, message).retry_after(Some(wait))
}

/// What the store could not do, as an answer.
pub(crate) fn store_failure(error: StoreError) -> Failure {
    match error {
        StoreError::NoSpace { .. } => Failure::new(&kind::NO_SPACE, "the server's disk is full; nothing was stored")
            .retry_after(Some(Duration::from_secs(30))),
        other => Failure::internal(&other),
    }
}

fn not_verified(verdict: &FailureKind, detail: &str) -> Failure {
    let failed = match verdict {
        FailureKind::Rejected(_) => &kind::CREDENTIALS_REJECTED,
        FailureKind::InsufficientScope(_) => &kind::INSUFFICIENT_SCOPE,
        FailureKind::WrongTenant(_) => &kind::WRONG_TENANT,
        FailureKind::AccountSuspended => &kind::ACCOUNT_SUSPENDED,
        FailureKind::RateLimited(_) => &kind::PROVIDER_RATE_LIMITED,
        FailureKind::Unreachable(Unreachable::Timeout) => &kind::PROVIDER_TIMEOUT,
        FailureKind::Unreachable(_) => &kind::PROVIDER_UNREACHABLE,
        FailureKind::ProviderError(_) => &kind::PROVIDER_ERROR,
        FailureKind::UnexpectedAnswer => &kind::UNEXPECTED_ANSWER,
        FailureKind::NotVerifiable => &kind::NOT_VERIFIABLE,
    };
    let wait = match verdict {
        FailureKind::RateLimited(seconds) => seconds.map(|seconds| Duration::from_secs(u64::from(seconds))),
        _ => None,
    };
    // The documented shape is the same for a bad key and for a provider that is down. The header tells them apart.
    Failure::verification(failed, detail)
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
