//! Credentials as extractors. A handler names the credential that it takes and the scope that it needs: a request without them
//! is refused before the arguments after it are looked at.

use std::marker::PhantomData;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::request::Parts;

use crate::auth::access::{Credential, FrontEnd, Identity};
use crate::auth::known_keys::KnownKey;
use crate::error::api_error::ApiError;
use crate::state::Api;
use keyferry_service::Caller;
use keyferry_store::Scope;
use keyferry_vault::TokenUse;

/// The caller of a request whose credential is valid and has the scope `S`.
pub(crate) struct Authorized<C, S> {
    pub(crate) caller: Caller,
    pub(crate) credential: C,
    scope: PhantomData<S>,
}

/// A valid API key.
pub(crate) struct Key(pub(crate) Arc<KnownKey>);

/// A front end that presents its refresh token. Its access token is the extractor [`FrontEnd`].
pub(crate) struct Refreshing(pub(crate) FrontEnd);

/// A [`Scope`] as a type.
pub(crate) trait RequiredScope {
    const SCOPE: Scope;
}

macro_rules! scopes {
    ($($scope:ident),*) => {$(
        pub(crate) enum $scope {}

        impl RequiredScope for $scope {
            const SCOPE: Scope = Scope::$scope;
        }
    )*};
}

scopes!(Read, Migrate, Admin, ReadCredentials);

impl Credential for Key {
    fn caller(&self, scope: Scope) -> Result<Caller, ApiError> {
        self.0.caller(scope)
    }
}

impl Credential for Refreshing {
    fn caller(&self, scope: Scope) -> Result<Caller, ApiError> {
        self.0.caller(scope)
    }
}

impl<C, S> FromRequestParts<Arc<Api>> for Authorized<C, S>
where
    C: Credential + FromRequestParts<Arc<Api>, Rejection = ApiError>,
    S: RequiredScope,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, ApiError> {
        let credential = C::from_request_parts(parts, api).await?;
        Ok(Self { caller: credential.caller(S::SCOPE)?, credential, scope: PhantomData })
    }
}

impl FromRequestParts<Arc<Api>> for Key {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, ApiError> {
        api.key(&parts.headers).await.map(Self)
    }
}

impl FromRequestParts<Arc<Api>> for FrontEnd {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, ApiError> {
        api.front_end(&parts.headers, parts.uri.query(), TokenUse::Access).await
    }
}

impl FromRequestParts<Arc<Api>> for Refreshing {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, ApiError> {
        api.front_end(&parts.headers, parts.uri.query(), TokenUse::Refresh).await.map(Self)
    }
}

impl FromRequestParts<Arc<Api>> for Identity {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, ApiError> {
        api.identity(&parts.headers, parts.uri.query()).await
    }
}
