use crate::bindings::exports::keyferry::plugin::app::{self as wit, FailureKind, UnreachableKind};
use crate::bindings::keyferry::plugin::http::{Error, ErrorKind};

/// Why a credential could not be shown to work.
///
/// `detail` is one line for the person who supplied the credential. Quote the provider where it helps; Keyferry has
/// taken secrets out of what it said.
///
/// ```
/// # use keyferry_plugin::prelude::*;
/// Failure::rejected("Acme says: token expired").field("access_token");
/// Failure::insufficient_scope("The key may not read users").scope("users.read");
/// ```
#[derive(Debug)]
pub struct Failure {
    kind: FailureKind,
    detail: String,
}

impl Failure {
    /// The provider says that the credential is not valid. Name the [`field`](Self::field)s to look at.
    ///
    /// Not for a provider that is at fault itself.
    pub fn rejected(detail: impl Into<String>) -> Self {
        Self::new(FailureKind::Rejected(Vec::new()), detail)
    }

    /// The credential is live but lacks a permission. Name the missing [`scope`](Self::scope)s where they are known.
    pub fn insufficient_scope(detail: impl Into<String>) -> Self {
        Self::new(FailureKind::InsufficientScope(Vec::new()), detail)
    }

    /// The credential belongs to, or names, another tenant, site or region. Name the [`field`](Self::field)s to look at.
    pub fn wrong_tenant(detail: impl Into<String>) -> Self {
        Self::new(FailureKind::WrongTenant(Vec::new()), detail)
    }

    /// The account behind the credential is closed, frozen or locked.
    pub fn suspended(detail: impl Into<String>) -> Self {
        Self::new(FailureKind::AccountSuspended, detail)
    }

    /// Too many requests; the provider may have said how many seconds to wait.
    ///
    /// [`Request::send`](crate::Request::send) returns it for a 429.
    pub fn rate_limited(seconds: Option<u32>, detail: impl Into<String>) -> Self {
        Self::new(FailureKind::RateLimited(seconds), detail)
    }

    /// The provider could not be reached.
    ///
    /// [`Request::send`](crate::Request::send) returns it.
    pub fn unreachable(kind: UnreachableKind, detail: impl Into<String>) -> Self {
        Self::new(FailureKind::Unreachable(kind), detail)
    }

    /// The provider responded with an error of its own.
    ///
    /// [`Request::send`](crate::Request::send) returns it for a 5xx.
    pub fn provider_error(status: u16, detail: impl Into<String>) -> Self {
        Self::new(FailureKind::ProviderError(status), detail)
    }

    /// The provider's response is one that the plugin does not understand.
    /// [`Response::unexpected`](crate::Response::unexpected) makes it.
    pub fn unexpected(detail: impl Into<String>) -> Self {
        Self::new(FailureKind::UnexpectedAnswer, detail)
    }

    /// There is no cheap way to verify this kind of credential.
    pub fn not_verifiable(detail: impl Into<String>) -> Self {
        Self::new(FailureKind::NotVerifiable, detail)
    }

    /// Names a field to look at, for [`rejected`](Self::rejected) and [`wrong_tenant`](Self::wrong_tenant). The other
    /// kinds have no place for it.
    #[must_use]
    pub fn field(mut self, name: impl Into<String>) -> Self {
        if let FailureKind::Rejected(fields) | FailureKind::WrongTenant(fields) = &mut self.kind {
            fields.push(name.into());
        }
        self
    }

    /// Names several fields to look at. See [`field`](Self::field).
    #[must_use]
    pub fn fields(self, names: &[&str]) -> Self {
        names.iter().fold(self, |failure, name| failure.field(*name))
    }

    /// Names a permission that is missing, for [`insufficient_scope`](Self::insufficient_scope). The other kinds have no
    /// place for it.
    #[must_use]
    pub fn scope(mut self, name: impl Into<String>) -> Self {
        if let FailureKind::InsufficientScope(scopes) = &mut self.kind {
            scopes.push(name.into());
        }
        self
    }

    /// Names several permissions that are missing. See [`scope`](Self::scope).
    #[must_use]
    pub fn scopes<S: Into<String>>(self, names: impl IntoIterator<Item = S>) -> Self {
        names.into_iter().fold(self, Self::scope)
    }

    fn new(kind: FailureKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into() }
    }

    pub(crate) fn into_wit(self) -> wit::Failure {
        wit::Failure { kind: self.kind, detail: self.detail }
    }
}

impl From<Error> for Failure {
    /// The host's message is kept as it is: `getaddrinfo ENOTFOUND api.example.com` is what callers look for.
    fn from(error: Error) -> Self {
        let kind = match error.kind {
            ErrorKind::Denied(missing) => return denied(&missing, &error.message),
            // The provider did respond, with more than the limit.
            ErrorKind::TooLarge => return Self::unexpected(error.message),
            ErrorKind::Dns => UnreachableKind::Dns,
            ErrorKind::Refused => UnreachableKind::Refused,
            ErrorKind::Tls => UnreachableKind::Tls,
            ErrorKind::Timeout => UnreachableKind::Timeout,
            ErrorKind::InvalidRequest | ErrorKind::BudgetExhausted | ErrorKind::Transport => UnreachableKind::Transport,
        };
        Self::unreachable(kind, error.message)
    }
}

/// What the operator has to grant must be in what people read, whether or not the host's message has it already.
fn denied(missing: &str, message: &str) -> Failure {
    let detail = if message.ends_with(missing) {
        message.to_owned()
    } else {
        format!("{message} (the plugin lacks the grant {missing})")
    };
    Failure::unreachable(UnreachableKind::Denied, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(kind: ErrorKind, message: &str) -> Error {
        Error { kind, message: message.to_owned(), sent: false }
    }

    #[test]
    fn a_name_that_does_not_exist_is_told_in_the_hosts_words() {
        let failure = Failure::from(error(ErrorKind::Dns, "getaddrinfo ENOTFOUND x.example.com")).into_wit();
        assert!(matches!(failure.kind, FailureKind::Unreachable(UnreachableKind::Dns)));
        assert_eq!(failure.detail, "getaddrinfo ENOTFOUND x.example.com");
    }

    #[test]
    fn a_missing_grant_is_in_the_detail_once() {
        let grant = "GET https://api.example.com/v1/*";
        for message in ["denied", "no grant covers GET https://api.example.com/v1/*"] {
            let failure = Failure::from(error(ErrorKind::Denied(grant.to_owned()), message)).into_wit();
            assert!(matches!(failure.kind, FailureKind::Unreachable(UnreachableKind::Denied)));
            assert_eq!(failure.detail.matches(grant).count(), 1, "{}", failure.detail);
        }
    }

    #[test]
    fn no_trouble_on_the_way_reads_as_a_bad_credential() {
        use ErrorKind::{BudgetExhausted, Dns, InvalidRequest, Refused, Timeout, Tls, TooLarge, Transport};
        for kind in [BudgetExhausted, Dns, InvalidRequest, Refused, Timeout, Tls, TooLarge, Transport] {
            let failure = Failure::from(error(kind, "message")).into_wit();
            assert!(matches!(failure.kind, FailureKind::Unreachable(_) | FailureKind::UnexpectedAnswer));
            assert_eq!(failure.detail, "message");
        }
    }

    #[test]
    fn fields_and_scopes_go_where_they_belong() {
        let failure = Failure::rejected("no").field("a").fields(&["b", "c"]).scope("ignored").into_wit();
        assert!(matches!(failure.kind, FailureKind::Rejected(fields) if fields == ["a", "b", "c"]));
        let failure = Failure::insufficient_scope("no").scopes(["x", "y"]).field("ignored").into_wit();
        assert!(matches!(failure.kind, FailureKind::InsufficientScope(scopes) if scopes == ["x", "y"]));
    }
}
