//! [`WebhookError`]: why a webhook was not registered, changed or deleted.

use super::request::InvalidHeaders;
use keyferry_service::{Conflict, ServiceError};
use keyferry_store::StoreError;
use keyferry_vault::VaultError;

/// Why a webhook was not registered, changed or deleted. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum WebhookError {
    #[error("Webhook not found")]
    Missing,
    #[error("there are {most} webhooks in this environment already; delete one that is no longer needed")]
    TooMany { most: usize },
    #[error("webhook_headers: `***` keeps a stored value, and no value is stored under that name")]
    NothingToKeep,
    #[error(transparent)]
    Headers(#[from] InvalidHeaders),
    #[error("the store takes no writes for now, so deliveries cannot be recorded")]
    StoreNotReady,
    #[error("many others are changing this webhook at the same time; try again")]
    Contended,
    #[error(transparent)]
    Store(StoreError),
    #[error(transparent)]
    Vault(#[from] VaultError),
}

impl Conflict for WebhookError {
    fn is_conflict(&self) -> bool {
        matches!(self, Self::Contended)
    }
}

impl From<StoreError> for WebhookError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::TooManyWebhooks { most } => Self::TooMany { most },
            error if error.is_conflict() => Self::Contended,
            error => Self::Store(error),
        }
    }
}

impl WebhookError {
    /// What kept an organisation's keys from being unlocked.
    pub(super) fn of_keys(error: ServiceError) -> Self {
        match error {
            ServiceError::Vault(error) => Self::Vault(error),
            ServiceError::Store(error) => Self::Store(error),
            // Unlocking fails in no other way.
            _ => Self::Contended,
        }
    }
}
