use crate::Value;
use crate::bindings::keyferry::plugin::http as wit;

/// An OAuth 1.0a signature (RFC 5849, HMAC-SHA256), made by Keyferry. See [`Request::oauth1`](crate::Request::oauth1).
pub struct OAuth1<'a>(wit::Oauth1<'a>);

impl<'a> OAuth1<'a> {
    /// The consumer's key and secret: what the application has of its own.
    pub fn consumer(key: impl Into<Value<'a>>, secret: impl Into<Value<'a>>) -> Self {
        Self(wit::Oauth1 {
            realm: None,
            consumer_key: key.into().into_parts(),
            consumer_secret: secret.into().into_parts(),
            token: Vec::new(),
            token_secret: Vec::new(),
        })
    }

    /// The token and its secret: what a user has given to the application.
    #[must_use]
    pub fn token(mut self, token: impl Into<Value<'a>>, secret: impl Into<Value<'a>>) -> Self {
        self.0.token = token.into().into_parts();
        self.0.token_secret = secret.into().into_parts();
        self
    }

    /// The realm, which is sent in the header and not signed.
    #[must_use]
    pub fn realm(mut self, realm: impl Into<String>) -> Self {
        self.0.realm = Some(realm.into());
        self
    }

    pub(crate) fn into_wit(self) -> wit::Oauth1<'a> {
        self.0
    }
}

/// An AWS Signature Version 4, made by Keyferry. See [`Request::sigv4`](crate::Request::sigv4).
pub struct SigV4<'a>(wit::Sigv4<'a>);

impl<'a> SigV4<'a> {
    /// The access key's id and secret.
    pub fn key(id: impl Into<Value<'a>>, secret: impl Into<Value<'a>>) -> Self {
        Self(wit::Sigv4 {
            access_key_id: id.into().into_parts(),
            secret_access_key: secret.into().into_parts(),
            session_token: None,
            region: String::new(),
            service: String::new(),
        })
    }

    /// The token of a temporary key, sent as `X-Amz-Security-Token`.
    #[must_use]
    pub fn session_token(mut self, token: impl Into<Value<'a>>) -> Self {
        self.0.session_token = Some(token.into().into_parts());
        self
    }

    /// What the signature is for: a region such as `us-east-1` and a service such as `sts`.
    #[must_use]
    pub fn scope(mut self, region: impl Into<String>, service: impl Into<String>) -> Self {
        self.0.region = region.into();
        self.0.service = service.into();
        self
    }

    pub(crate) fn into_wit(self) -> wit::Sigv4<'a> {
        self.0
    }
}
