use crate::Secret;
use crate::bindings::exports::keyferry::plugin::renewal as wit;

/// Tokens that have been renewed.
pub struct Renewed(wit::Renewed);

impl Renewed {
    /// A new access token, of [`Response::take_minted`](crate::Response::take_minted).
    pub fn new(access_token: Secret) -> Self {
        Self(wit::Renewed {
            access_token,
            refresh_token: None,
            expires_at: None,
            refresh_expires_at: None,
            scopes: None,
            fields: Vec::new(),
        })
    }

    /// The new refresh token. Without it, the former one is kept.
    #[must_use]
    pub fn refresh_token(mut self, token: impl Into<Option<Secret>>) -> Self {
        self.0.refresh_token = token.into();
        self
    }

    /// When the access token ends, in milliseconds since 1970-01-01T00:00:00Z, if the answer says so.
    #[must_use]
    pub fn expires_at_ms(mut self, time: impl Into<Option<u64>>) -> Self {
        self.0.expires_at = time.into();
        self
    }

    /// When the refresh token ends, if the answer says so.
    #[must_use]
    pub fn refresh_expires_at_ms(mut self, time: impl Into<Option<u64>>) -> Self {
        self.0.refresh_expires_at = time.into();
        self
    }

    /// The scopes of the new access token, if the answer names them.
    #[must_use]
    pub fn scopes(mut self, scopes: impl Into<Option<Vec<String>>>) -> Self {
        self.0.scopes = scopes.into();
        self
    }

    /// A field of the credential, not secret, that has a new value.
    #[must_use]
    pub fn field(mut self, name: &str, value: impl Into<String>) -> Self {
        self.0.fields.push((name.to_owned(), value.into()));
        self
    }

    pub(crate) fn into_wit(self) -> wit::Renewed {
        self.0
    }
}
