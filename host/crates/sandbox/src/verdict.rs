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
    pub account_id: Option<String>,
    /// Name of the account, as the provider shows it.
    pub display_name: Option<String>,
    /// Its scopes, where the provider tells them.
    pub scopes: Vec<String>,
    /// When it ends, in milliseconds since the Unix epoch.
    pub expires_at: Option<u64>,
    /// Warnings about a credential that works.
    pub warnings: Vec<String>,
    /// Plain values worth keeping.
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

/// What is wrong. `wit/v1/plugin.wit` (variant `failure-kind`) says when each applies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FailureKind {
    /// Not valid, says the provider; the fields to look at.
    Rejected(Vec<String>),
    /// Live, but lacks these permissions.
    InsufficientScope(Vec<String>),
    /// Another tenant's; the fields to look at.
    WrongTenant(Vec<String>),
    /// The account is closed, frozen or locked.
    AccountSuspended,
    /// Too many requests; seconds to wait.
    RateLimited(Option<u32>),
    /// The provider could not be reached.
    Unreachable(Unreachable),
    /// The provider's own error, with its status.
    ProviderError(u16),
    /// An answer that the plugin does not understand.
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

    /// Whether a credential with this failure may be stored as unverified: nothing says that the provider would not take it.
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
