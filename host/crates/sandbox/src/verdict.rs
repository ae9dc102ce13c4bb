//! Verdicts of plugins on credentials.

use std::fmt;

use keyferry_egress::Contact;

/// The outcome of one verification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The provider accepted the credential.
    Verified(Verified),
    /// The provider rejected it, or no verdict is possible now.
    Failed(VerificationFailure),
}

/// A credential that works, and what the provider said of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verified {
    /// The provider's stable id of the account behind it.
    pub provider_account_id: Option<String>,
    /// Name of the account, as the provider shows it.
    pub display_name: Option<String>,
    /// Scopes of the credential, if the provider returns them.
    pub scopes: Vec<String>,
    /// End of the credential, in milliseconds since the Unix epoch.
    pub expires_at: Option<u64>,
    /// Warnings about a credential that works.
    pub warnings: Vec<String>,
    /// Values that are not secret and that the plugin wants stored.
    pub config: Vec<(String, String)>,
    /// Host and progress of the plugin's last request.
    pub contact: Option<Contact>,
}

/// Why a verification did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerificationFailure {
    /// Kind of the failure, as the contract names it.
    pub kind: FailureKind,
    /// For people: one line, redacted and cut by the host.
    pub detail: String,
    /// Host and progress of the plugin's last request; `None` where it made none.
    pub contact: Option<Contact>,
}

/// Kinds of failures. `wit/v1/plugin.wit` (variant `failure-kind`) says when each applies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FailureKind {
    /// The provider says that the credential is not valid; the fields to check.
    Rejected(Vec<String>),
    /// The credential is valid but lacks these permissions.
    InsufficientScope(Vec<String>),
    /// The credential belongs to another tenant; the fields to check.
    WrongTenant(Vec<String>),
    /// The account is closed, frozen or locked.
    AccountSuspended,
    /// Too many requests; seconds to wait, if the provider says so.
    RateLimited(Option<u32>),
    /// The provider could not be reached.
    Unreachable(Unreachable),
    /// The provider failed, with this HTTP status.
    ProviderError(u16),
    /// A response that the plugin does not understand.
    UnexpectedAnswer,
    /// There is no cheap way to verify.
    NotVerifiable,
}

/// Why a provider could not be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the contract documents each member")]
pub enum Unreachable {
    Dns,
    Refused,
    Tls,
    Timeout,
    Denied,
    Transport,
}

impl FailureKind {
    /// Stable text for programs: `rejected`, `rate_limited`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Rejected(_) => "rejected",
            Self::InsufficientScope(_) => "insufficient_scope",
            Self::WrongTenant(_) => "wrong_tenant",
            Self::AccountSuspended => "account_suspended",
            Self::RateLimited(_) => "rate_limited",
            Self::Unreachable(_) => "unreachable",
            Self::ProviderError(_) => "provider_error",
            Self::UnexpectedAnswer => "unexpected_answer",
            Self::NotVerifiable => "not_verifiable",
        }
    }

    /// Whether a credential with this failure may be stored as unverified, where caller and policy ask for it: the provider
    /// did not say that the credential is bad.
    pub fn may_store_unverified(&self) -> bool {
        match self {
            Self::Rejected(_) | Self::WrongTenant(_) | Self::AccountSuspended => false,
            Self::InsufficientScope(_)
            | Self::RateLimited(_)
            | Self::Unreachable(_)
            | Self::ProviderError(_)
            | Self::UnexpectedAnswer
            | Self::NotVerifiable => true,
        }
    }
}

impl Unreachable {
    /// Stable text for programs: `dns`, `timeout`.
    pub fn code(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Refused => "refused",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::Denied => "denied",
            Self::Transport => "transport",
        }
    }
}

impl fmt::Display for VerificationFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.code(), self.detail)
    }
}
