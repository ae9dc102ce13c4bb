use crate::bindings::exports::keyferry::plugin::app;
use crate::bindings::exports::keyferry::plugin::renewal as wit;
use crate::{Error, Failure};

/// Why tokens were not renewed.
///
/// [`ended`](Self::ended) and [`client_refused`](Self::client_refused) are for answers that the provider documents with this meaning.
/// Everything else is tried again later, so an outage never ends a connection. A [`Failure`] of a request becomes one by `?`.
pub struct RenewalFailure {
    kind: wit::RenewalFailureKind,
    detail: String,
}

impl RenewalFailure {
    /// The provider says that the refresh token is revoked, expired or unknown: the user has to connect again.
    pub fn ended(detail: impl Into<String>) -> Self {
        Self::new(wit::RenewalFailureKind::Ended, detail)
    }

    /// The provider refuses the OAuth client. The tokens are not at fault.
    pub fn client_refused(detail: impl Into<String>) -> Self {
        Self::new(wit::RenewalFailureKind::ClientRefused, detail)
    }

    /// The credential lacks these fields, which a renewal needs.
    pub fn not_renewable(fields: &[&str], detail: impl Into<String>) -> Self {
        let fields = fields.iter().map(|field| (*field).to_owned()).collect();
        Self::new(wit::RenewalFailureKind::NotRenewable(fields), detail)
    }

    fn new(kind: wit::RenewalFailureKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into() }
    }

    pub(crate) fn into_wit(self) -> wit::RenewalFailure {
        wit::RenewalFailure { kind: self.kind, detail: self.detail }
    }
}

impl From<Failure> for RenewalFailure {
    /// What says nothing about the tokens stays what it is. Verdicts on a credential become an unexpected answer: only
    /// [`ended`](RenewalFailure::ended) ends a connection.
    fn from(failure: Failure) -> Self {
        let app::Failure { kind, detail } = failure.into_wit();
        let kind = match kind {
            app::FailureKind::RateLimited(seconds) => wit::RenewalFailureKind::RateLimited(seconds),
            app::FailureKind::Unreachable(kind) => wit::RenewalFailureKind::Unreachable(kind),
            app::FailureKind::ProviderError(status) => wit::RenewalFailureKind::ProviderError(status),
            _ => wit::RenewalFailureKind::UnexpectedAnswer,
        };
        Self { kind, detail }
    }
}

impl From<Error> for RenewalFailure {
    fn from(error: Error) -> Self {
        Failure::from(error).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_verdict_of_a_verification_ends_a_connection() {
        let kind = |failure: Failure| RenewalFailure::from(failure).into_wit().kind;
        assert!(matches!(kind(Failure::rejected("no")), wit::RenewalFailureKind::UnexpectedAnswer));
        assert!(matches!(kind(Failure::suspended("no")), wit::RenewalFailureKind::UnexpectedAnswer));
        assert!(matches!(kind(Failure::provider_error(502, "no")), wit::RenewalFailureKind::ProviderError(502)));
        assert!(matches!(kind(Failure::rate_limited(Some(3), "no")), wit::RenewalFailureKind::RateLimited(Some(3))));
    }
}
