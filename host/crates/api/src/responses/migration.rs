//! Response bodies of migrate-token.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use keyferry_sandbox::{FailureKind, Unreachable, Verdict, VerificationFailure, Verified};
use keyferry_store::Timestamp;

/// The credential is stored, durably: the integration was created, or its former credential replaced.
#[derive(Serialize, ToSchema)]
pub(crate) struct TokenMigrated {
    /// Always true.
    success: bool,
    /// Always `Token migrated successfully`.
    #[schema(value_type = String, example = "Token migrated successfully")]
    message: &'static str,
}

/// What the provider says of a credential: the response to `Prefer: verify=only`, which stores nothing.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum CredentialVerdict {
    /// The credential works.
    Verified(CredentialVerified),
    /// The credential does not work, or the provider gave no verdict.
    Failed(CredentialNotVerified),
}

/// A successful response of migrate-token.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = MigrateTokenAnswer)]
pub(crate) enum MigrateTokenResponse {
    /// The credential is stored.
    Migrated(TokenMigrated),
    /// The credential was verified and not stored.
    Checked(CredentialVerdict),
}

/// The credential is stored, durably.
#[derive(Serialize, ToSchema)]
pub(crate) struct CredentialSaved {
    /// Always true.
    success: bool,
}

/// A successful response of saving a credential.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = SaveAnswer)]
pub(crate) enum SaveResponse {
    /// The credential is stored.
    Saved(CredentialSaved),
    /// The credential was verified and not stored.
    #[expect(dead_code, reason = "its response is that of migrate-token")]
    Checked(CredentialVerdict),
}

/// A credential that works, and what the provider said of it.
#[derive(Serialize, ToSchema)]
pub(crate) struct CredentialVerified {
    /// The outcome: always `verified`.
    outcome: VerifiedOutcome,
    /// The provider's id of the account behind it.
    #[schema(required = true)]
    account_id: Option<String>,
    /// The account's name for people.
    #[schema(required = true)]
    display_name: Option<String>,
    /// The scopes that the provider says the credential has.
    scopes: Vec<String>,
    /// The credential's expiry.
    #[schema(required = true, format = DateTime)]
    expires_at: Option<String>,
    /// Warnings about a working credential.
    warnings: Vec<String>,
    /// Plain values that the app needs, such as an `instance_url`.
    config: BTreeMap<String, String>,
}

/// The outcome of a credential that works.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum VerifiedOutcome {
    Verified,
}

/// A credential that did not verify.
#[derive(Serialize, ToSchema)]
pub(crate) struct CredentialNotVerified {
    /// The reason, as a stable code.
    outcome: FailedOutcome,
    /// The reason, for people.
    detail: String,
    /// With `rejected` and `wrong_tenant`: the fields to look at.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    fields: Option<Vec<String>>,
    /// With `insufficient_scope`: what is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    missing_scopes: Option<Vec<String>>,
    /// With `rate_limited`: seconds to wait, where the provider says.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<Option<u32>>,
    /// With `unreachable`: how the provider could not be reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    unreachable: Option<UnreachableHow>,
    /// With `provider_error`: the status of the provider's response.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    provider_status: Option<u16>,
}

/// Why a credential did not verify. The header `Keyferry-Failure` has the same values.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FailedOutcome {
    Rejected,
    InsufficientScope,
    WrongTenant,
    AccountSuspended,
    RateLimited,
    Unreachable,
    ProviderError,
    UnexpectedAnswer,
    NotVerifiable,
}

/// How a provider could not be reached.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum UnreachableHow {
    Dns,
    Refused,
    Tls,
    Timeout,
    Denied,
    Transport,
}

impl FailedOutcome {
    fn from_kind(kind: &FailureKind) -> Self {
        match kind {
            FailureKind::Rejected(_) => Self::Rejected,
            FailureKind::InsufficientScope(_) => Self::InsufficientScope,
            FailureKind::WrongTenant(_) => Self::WrongTenant,
            FailureKind::AccountSuspended => Self::AccountSuspended,
            FailureKind::RateLimited(_) => Self::RateLimited,
            FailureKind::Unreachable(_) => Self::Unreachable,
            FailureKind::ProviderError(_) => Self::ProviderError,
            FailureKind::UnexpectedAnswer => Self::UnexpectedAnswer,
            FailureKind::NotVerifiable => Self::NotVerifiable,
        }
    }
}

impl UnreachableHow {
    fn from_unreachable(how: Unreachable) -> Self {
        match how {
            Unreachable::Dns => Self::Dns,
            Unreachable::Refused => Self::Refused,
            Unreachable::Tls => Self::Tls,
            Unreachable::Timeout => Self::Timeout,
            Unreachable::Denied => Self::Denied,
            Unreachable::Transport => Self::Transport,
        }
    }
}

impl TokenMigrated {
    /// The only value of this type.
    pub(crate) const DONE: Self = Self { success: true, message: "Token migrated successfully" };
}

impl CredentialSaved {
    /// The only value of this type.
    pub(crate) const DONE: Self = Self { success: true };
}

impl CredentialVerdict {
    /// Builds the response from a plugin's verdict.
    pub(crate) fn new(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Verified(verified) => Self::Verified(CredentialVerified::new(verified)),
            Verdict::Failed(failure) => Self::Failed(CredentialNotVerified::new(failure)),
        }
    }
}

impl CredentialVerified {
    fn new(verified: &Verified) -> Self {
        Self {
            outcome: VerifiedOutcome::Verified,
            account_id: verified.provider_account_id.clone(),
            display_name: verified.display_name.clone(),
            scopes: verified.scopes.clone(),
            expires_at: verified.expires_at.map(|ms| Timestamp::from_millis(ms).to_string()),
            warnings: verified.warnings.clone(),
            config: verified.config.iter().cloned().collect(),
        }
    }
}

impl CredentialNotVerified {
    fn new(failure: &VerificationFailure) -> Self {
        let mut shown = Self {
            outcome: FailedOutcome::from_kind(&failure.kind),
            detail: failure.detail.clone(),
            fields: None,
            missing_scopes: None,
            retry_after: None,
            unreachable: None,
            provider_status: None,
        };
        match &failure.kind {
            FailureKind::Rejected(fields) | FailureKind::WrongTenant(fields) => shown.fields = Some(fields.clone()),
            FailureKind::InsufficientScope(scopes) => shown.missing_scopes = Some(scopes.clone()),
            FailureKind::RateLimited(seconds) => shown.retry_after = Some(*seconds),
            FailureKind::Unreachable(how) => shown.unreachable = Some(UnreachableHow::from_unreachable(*how)),
            FailureKind::ProviderError(status) => shown.provider_status = Some(*status),
            FailureKind::AccountSuspended | FailureKind::UnexpectedAnswer | FailureKind::NotVerifiable => {}
        }
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_a_response_are_those_of_the_header_and_the_log() {
        let unreachable = [
            Unreachable::Dns,
            Unreachable::Refused,
            Unreachable::Tls,
            Unreachable::Timeout,
            Unreachable::Denied,
            Unreachable::Transport,
        ];
        for how in unreachable {
            assert_eq!(serde_json::to_value(UnreachableHow::from_unreachable(how)).unwrap(), how.code());
        }
        let kinds = [
            FailureKind::Rejected(Vec::new()),
            FailureKind::InsufficientScope(Vec::new()),
            FailureKind::WrongTenant(Vec::new()),
            FailureKind::AccountSuspended,
            FailureKind::RateLimited(None),
            FailureKind::Unreachable(Unreachable::Dns),
            FailureKind::ProviderError(500),
            FailureKind::UnexpectedAnswer,
            FailureKind::NotVerifiable,
        ];
        for kind in kinds {
            assert_eq!(serde_json::to_value(FailedOutcome::from_kind(&kind)).unwrap(), kind.code());
        }
    }
}
