//! [`RenewalProblem`]: why there is no fresh token.

use std::time::Duration;

use keyferry_store::Timestamp;

/// Why there is no token that lasts for as long as it is needed. Many readers get the same one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum RenewalProblem {
    #[error("the user has to connect the app again: {why}")]
    ReauthRequired { why: String },
    #[error(
        "the credential cannot be renewed, since it has no refresh token, and {}; migrate a newer one, or ask for less",
        left_of(*.left)
    )]
    NoRefreshToken { left: Option<Duration> },
    #[error("the app `{slug}` cannot renew credentials of auth type `{auth_type}`, and {}; migrate a newer one, or ask for less", left_of(*.left))]
    NotRenewable { slug: String, auth_type: String, left: Option<Duration> },
    #[error(
        "the plugin of `{slug}` may not renew yet: `keyferry plugin grant {slug} --renewal` shows its requests and grants them"
    )]
    NotGranted { slug: String },
    #[error("renewing needs the OAuth client that the tokens were issued to: {why}")]
    NoClient { why: String },
    #[error("the provider refuses the OAuth client{}: {why}", name.as_ref().map(|name| format!(" `{name}`")).unwrap_or_default())]
    ClientRefused { name: Option<String>, why: String },
    #[error("the token could not be renewed now: {why}")]
    ProviderDown { why: String, retry_after: Duration },
    #[error("the token could not be renewed now: {why}")]
    Unavailable { why: String, retry_after: Duration },
    #[error("the linked account has no integration of this app")]
    Gone,
}

impl RenewalProblem {
    /// A renewal that takes longer than its reader waits.
    pub(super) fn still_under_way() -> Self {
        let why = "its renewal has not ended yet".to_owned();
        Self::Unavailable { why, retry_after: Duration::from_secs(1) }
    }

    /// The wait before the next attempt, if one can succeed without a change.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::ProviderDown { retry_after, .. } | Self::Unavailable { retry_after, .. } => Some(*retry_after),
            _ => None,
        }
    }

    /// Stable text for programs: `reauth_required`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::ReauthRequired { .. } => "reauth_required",
            Self::NoRefreshToken { .. } => "no_refresh_token",
            Self::NotRenewable { .. } => "not_renewable",
            Self::NotGranted { .. } => "renewal_not_granted",
            Self::NoClient { .. } => "no_oauth_client",
            Self::ClientRefused { .. } => "oauth_client_refused",
            Self::ProviderDown { .. } => "provider_down",
            Self::Unavailable { .. } => "renewal_unavailable",
            Self::Gone => "no_such_integration",
        }
    }
}

fn left_of(left: Option<Duration>) -> String {
    match left {
        Some(left) if left.is_zero() => "it has ended".to_owned(),
        Some(left) => format!("its access token ends in {} s", left.as_secs()),
        None => "the end of its access token is not known".to_owned(),
    }
}

/// What is left until a moment.
pub(super) fn left_until(end: Timestamp, now: Timestamp) -> Duration {
    Duration::from_millis(end.as_millis().saturating_sub(now.as_millis()))
}
