//! [`ServiceError`]: why a use case failed. The stored credential is unchanged then.

use super::rejection_limit::LimitReached;
use super::renewal::RenewalProblem;
use super::retry::Conflict;
use keyferry_sandbox::{CallError, VerificationFailure};
use keyferry_schema::Violations;
use keyferry_store::{AccountKey, StoreError};
use keyferry_types::ids::{Environment, LinkedAccountId, OAuthClientName, Slug};
use keyferry_types::invisible::InvisibleCharacter;
use keyferry_vault::{SizeLimit, VaultError};

/// Why a use case failed.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum ServiceError {
    #[error("Custom apps are not supported for this endpoint.")]
    CustomApp,
    #[error("there is no app with the slug `{slug}`{aside}")]
    UnknownApp { slug: String, aside: String },
    #[error("the app `{slug}` is installed but not in service: {reason}")]
    AppNotInService { slug: String, reason: String },
    #[error("linked account with id {account} does not exist in {environment} environment{}", invisible_in(.account))]
    AccountMissing { account: LinkedAccountId, environment: Environment },
    #[error("a linked account cannot be made with an id that holds the invisible character {0}; correct the id")]
    InvisibleId(InvisibleCharacter),
    #[error(transparent)]
    Content(Violations),
    #[error("the stored credential no longer fits the app's schema ({0}); migrate it again")]
    Outdated(Violations),
    #[error("{0}")]
    NotVerified(VerificationFailure),
    #[error("{0}")]
    LimitReached(LimitReached),
    #[error(transparent)]
    Plugin(CallError),
    #[error(
        "the credential belongs to the provider's account `{now}`, and the stored one to `{before}`; send \
         `Prefer: account-change=replace` if that is meant"
    )]
    OtherAccount { before: String, now: String },
    #[error("the integration is not at the revision that the request asks for; it is {}", current.as_deref().unwrap_or("not there"))]
    Precondition { current: Option<String> },
    #[error("there is no OAuth client `{name}` of the app `{slug}` in this environment{aside}")]
    OAuthClientMissing { slug: Slug, name: OAuthClientName, aside: String },
    #[error("the app `{slug}` has several OAuth clients and none is called `default`; name one of {names}")]
    SeveralOAuthClients { slug: Slug, names: String },
    #[error("there are {most} OAuth clients in this environment already; delete one that is no longer needed")]
    TooManyOAuthClients { most: usize },
    #[error("the OAuth client is not at the revision that the request asks for; it is {}", current.as_deref().unwrap_or("not there"))]
    OAuthClientPrecondition { current: Option<String> },
    #[error("many others are changing this OAuth client at the same time; try again")]
    OAuthClientContended,
    #[error("there is a credential already, and the row does not say when its own was last changed (`updated_at`)")]
    NoTime,
    #[error("this Idempotency-Key was used for another request within the last 24 hours; use a new one")]
    IdempotencyReuse,
    #[error("a request with this Idempotency-Key is being worked on; wait for its response")]
    IdempotencyInFlight,
    #[error("this server does not allow `Prefer: {preference}`; its operator can, in the configuration")]
    NotAllowed { preference: &'static str },
    #[error("{0}")]
    TooLarge(SizeLimit),
    #[error(
        "the credential is too large to be stored with what the provider said of its account: the record of both may have {limit} bytes"
    )]
    RecordTooLarge { limit: usize },
    #[error("many others are changing this integration at the same time; try again")]
    Contended,
    #[error("{0}")]
    Renewal(RenewalProblem),
    #[error(transparent)]
    Store(StoreError),
    #[error(transparent)]
    Vault(VaultError),
}

impl ServiceError {
    /// The linked account does not exist.
    pub(super) fn missing(account: &AccountKey) -> Self {
        Self::AccountMissing { account: account.account.clone(), environment: account.environment }
    }

    /// Stable text for programs: `account_missing`. All verdicts but `verified` are `not_verified`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::CustomApp => "custom_app",
            Self::UnknownApp { .. } => "unknown_app",
            Self::AppNotInService { .. } => "app_not_in_service",
            Self::AccountMissing { .. } => "account_missing",
            Self::InvisibleId(_) => "invalid_account_id",
            Self::Content(_) => "invalid_content",
            Self::Outdated(_) => "outdated",
            Self::NotVerified(_) => "not_verified",
            Self::LimitReached(_) => "too_many_failed_verifications",
            Self::Plugin(_) => "plugin_failed",
            Self::OtherAccount { .. } => "other_account",
            Self::OAuthClientMissing { .. } => "oauth_client_missing",
            Self::SeveralOAuthClients { .. } => "several_oauth_clients",
            Self::TooManyOAuthClients { .. } => "too_many_oauth_clients",
            Self::Precondition { .. } | Self::OAuthClientPrecondition { .. } => "precondition_failed",
            Self::NoTime => "updated_at_missing",
            Self::IdempotencyReuse => "idempotency_reuse",
            Self::IdempotencyInFlight => "idempotency_in_flight",
            Self::NotAllowed { .. } => "not_allowed",
            Self::TooLarge(_) | Self::RecordTooLarge { .. } => "too_large",
            Self::Contended | Self::OAuthClientContended => "contended",
            Self::Renewal(problem) => problem.code(),
            Self::Store(_) => "store",
            Self::Vault(_) => "keys",
        }
    }
}

/// A note about an invisible character in the id of a missing account.
fn invisible_in(account: &LinkedAccountId) -> String {
    InvisibleCharacter::first_in(account.as_str())
        .map_or_else(String::new, |found| format!(" (the id holds the invisible character {found})"))
}

impl Conflict for ServiceError {
    fn is_conflict(&self) -> bool {
        matches!(self, Self::Contended | Self::OAuthClientContended)
    }
}

impl From<StoreError> for ServiceError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::AccountMissing { account, environment } => Self::AccountMissing { account, environment },
            StoreError::TooManyOAuthClients { most } => Self::TooManyOAuthClients { most },
            error if error.is_conflict() => Self::Contended,
            error => Self::Store(error),
        }
    }
}

impl From<VaultError> for ServiceError {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::TooLarge(limit) => Self::TooLarge(limit),
            error => Self::Vault(error),
        }
    }
}
