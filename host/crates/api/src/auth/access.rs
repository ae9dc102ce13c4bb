//! Who is calling: the API key in `x-api-key` selects organisation and environment; a session token in `Authorization` is a
//! front end that acts for one linked account.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, header};
use subtle::ConstantTimeEq as _;

use crate::auth::known_keys::KnownKey;
use crate::error::api_error::ApiError;
use crate::error::mapping::{failure, store_failure};
use crate::error::problem::{self, ProblemType};
use crate::middleware::trace::name_caller;
use crate::request::account_name::{NamedAccount, Place, is_in_headers, linked_account};
use crate::state::Api;
use keyferry_sandbox::Digest;
use keyferry_service::{Caller, CountedFor};
use keyferry_store::{AccountKey, Scope, SessionRecord, Timestamp};
use keyferry_types::ids::LinkedAccountId;
use keyferry_vault::{ApiKey, TokenUse};

/// The header that carries the key.
pub(crate) const API_KEY: &str = "x-api-key";

/// What a problem says where there is no API key, and where it is of no use: nothing that tells why.
const NO_KEY: &str =
    "the header x-api-key is missing: it has the API key, which the operator makes by `keyferry api-key create`";
const UNKNOWN_KEY: &str = "this server has no such API key, or it is revoked or expired; `keyferry api-key list` lists those that \
                           are valid";
/// The same of a session token.
const NO_TOKEN: &str = "the header Authorization is missing: it has a session token, as `Bearer TOKEN`; \
                        POST /api/v2/public/session-token issues one, and an API key is not taken here";
const UNKNOWN_TOKEN: &str = "this is no session token of this server, or its session has ended; POST /api/v2/public/session-token \
                             issues one";

/// What authentication by API key fails with.
pub(crate) const KEY_PROBLEMS: [&ProblemType; 4] =
    [&problem::INVALID_API_KEY, &problem::TOO_MANY_REQUESTS, &problem::INTERNAL, &problem::STORE_UNAVAILABLE];
/// What authentication by session token fails with.
pub(crate) const TOKEN_PROBLEMS: [&ProblemType; 8] = [
    &problem::TOKEN_MISSING,
    &problem::TOKEN_INVALID,
    &problem::ACCOUNT_ID_INVALID,
    &problem::ACCOUNT_CONFLICT,
    &problem::TOO_MANY_REQUESTS,
    &problem::KEYS_LOCKED,
    &problem::INTERNAL,
    &problem::STORE_UNAVAILABLE,
];

impl Api {
    /// The caller behind a request, if its key is known, not expired or revoked, has the scope, and is within its rate.
    pub(crate) async fn caller(&self, headers: &HeaderMap, scope: Scope) -> Result<Caller, ApiError> {
        self.key(headers).await?.caller(scope)
    }

    /// The key of a request, if it is known, not expired or revoked, and within its rate. For what needs no scope.
    pub(crate) async fn key(&self, headers: &HeaderMap) -> Result<Arc<KnownKey>, ApiError> {
        let value =
            only(headers, API_KEY).map_err(|Twice| ApiError::unauthorized("the header x-api-key is there twice"))?;
        let value = value.ok_or_else(|| ApiError::unauthorized(NO_KEY))?;
        let unknown = || ApiError::unauthorized(UNKNOWN_KEY);
        // The checksum turns typing errors and noise away before the store is asked.
        let key: ApiKey = value.to_str().ok().and_then(|text| text.parse().ok()).ok_or_else(unknown)?;
        let hash = key.hash();
        let now = Timestamp::now();
        let record = self.keys.get(&hash, now).await.map_err(store_failure)?;
        let record = record
            .filter(|record| bool::from(record.hash.ct_eq(&hash)) && record.environment == key.environment())
            .filter(|record| record.is_live(now))
            .ok_or_else(unknown)?;
        name_caller(&record, None);
        self.rates.request(&record.hash)?;
        self.keys.note_use(&record, now);
        Ok(record)
    }

    /// The front end behind a request, if its token is one, for this use, its session has not ended, and the linked account's
    /// front ends together are within their rate. Headers and query may only repeat the account that the session is of.
    pub(crate) async fn front_end(
        &self,
        headers: &HeaderMap,
        query: Option<&str>,
        token_use: TokenUse,
    ) -> Result<FrontEnd, ApiError> {
        let invalid = || ApiError::new(&problem::TOKEN_INVALID, "Invalid token").detail(UNKNOWN_TOKEN.to_owned());
        let value = only(headers, header::AUTHORIZATION.as_str()).map_err(|Twice| invalid())?;
        let Some(value) = value.filter(|value| !value.is_empty()) else {
            let missing = ApiError::new(&problem::TOKEN_MISSING, "Authorization Token Missing");
            return Err(missing.detail(NO_TOKEN.to_owned()));
        };
        let (scheme, token) = value.to_str().ok().and_then(|text| text.split_once(' ')).ok_or_else(invalid)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(invalid());
        }
        let session = self.service.session(token.trim(), token_use).await.map_err(failure)?.ok_or_else(invalid)?;
        // A session lives no longer than the API key that it was made with: revoking that one is what stops a thief.
        let now = Timestamp::now();
        let key = self.keys.get(&session.made_by, now).await.map_err(store_failure)?;
        let key = key.filter(|key| key.org == session.org && key.environment == session.environment);
        let key = key.filter(|key| key.is_live(now)).ok_or_else(invalid)?;
        name_caller(&key, Some(&session));
        let front_end = FrontEnd { session, key };
        self.rates.request(&front_end.measure())?;
        let named = NamedAccount::in_headers(headers)?.and_query(query)?;
        named.and(Place::Session, front_end.account().as_str())?;
        Ok(front_end)
    }

    /// The caller of a route that accepts an API key or a session token. An API key takes precedence.
    pub(crate) async fn identity(&self, headers: &HeaderMap, query: Option<&str>) -> Result<Identity, ApiError> {
        if headers.contains_key(API_KEY) || !headers.contains_key(header::AUTHORIZATION) {
            return self.key(headers).await.map(Identity::Key);
        }
        self.front_end(headers, query, TokenUse::Access).await.map(Identity::FrontEnd)
    }
}

/// What identifies a caller.
pub(crate) trait Credential {
    /// The caller, if the credential has the scope.
    fn caller(&self, scope: Scope) -> Result<Caller, ApiError>;
}

impl Credential for KnownKey {
    fn caller(&self, scope: Scope) -> Result<Caller, ApiError> {
        if !self.allows(scope) {
            let message = format!("this API key does not have the scope `{scope}`; use one that was made with it");
            return Err(ApiError::new(&problem::SCOPE_MISSING, message));
        }
        let counted = CountedFor::ApiKey(self.hash);
        Ok(Caller { org: self.org.clone(), environment: self.environment, actor: self.shown.clone(), counted })
    }
}

/// A front end that acts for one linked account, and can do what the API key can that its session was made with.
pub(crate) struct FrontEnd {
    pub(crate) session: SessionRecord,
    key: Arc<KnownKey>,
}

impl Credential for FrontEnd {
    fn caller(&self, scope: Scope) -> Result<Caller, ApiError> {
        if !self.key.allows(scope) {
            let message = format!("the API key that this session was made with does not have the scope `{scope}`");
            return Err(ApiError::new(&problem::SCOPE_MISSING, message));
        }
        Ok(self.actor())
    }
}

impl FrontEnd {
    /// The caller, for what needs no scope.
    pub(crate) fn actor(&self) -> Caller {
        let SessionRecord { org, environment, id, .. } = &self.session;
        Caller {
            org: org.clone(),
            environment: *environment,
            actor: format!("session {id}"),
            counted: CountedFor::FrontEnd { account: self.measure(), key: self.key.hash },
        }
    }

    /// The linked account that it acts for.
    pub(crate) fn account(&self) -> &LinkedAccountId {
        &self.session.account
    }

    /// The key of the rate limit: the linked account, so that further sessions do not raise the limit.
    pub(crate) fn measure(&self) -> [u8; 32] {
        let SessionRecord { org, environment, account, .. } = &self.session;
        *Digest::of(format!("front ends of {org} {environment} {account}").as_bytes()).as_bytes()
    }
}

/// The caller of a request.
pub(crate) enum Identity {
    Key(Arc<KnownKey>),
    FrontEnd(FrontEnd),
}

impl Credential for Identity {
    fn caller(&self, scope: Scope) -> Result<Caller, ApiError> {
        match self {
            Self::Key(key) => key.caller(scope),
            Self::FrontEnd(front_end) => front_end.caller(scope),
        }
    }
}

impl Identity {
    /// Whether it may see the account: a front end sees its own.
    pub(crate) fn sees(&self, account: &AccountKey) -> bool {
        match self {
            Self::Key(_) => true,
            Self::FrontEnd(front_end) => front_end.account() == &account.account,
        }
    }

    /// The linked account that a request is about: a front end's own, else the one that header and query name.
    pub(crate) fn account(&self, headers: &HeaderMap, query: Option<&str>) -> Result<LinkedAccountId, ApiError> {
        match self {
            Self::FrontEnd(front_end) => Ok(front_end.account().clone()),
            Self::Key(_) if query.is_none() && !is_in_headers(headers) => {
                let message = "linked_account_id header is required when using org API key authentication.";
                Err(ApiError::new(&problem::ACCOUNT_HEADER_MISSING, message))
            }
            Self::Key(_) => linked_account(headers, query),
        }
    }
}

/// A header is there more than once.
struct Twice;

/// The value of a header that may be there once. Of two, another program could have looked at the other one.
fn only<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a HeaderValue>, Twice> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (value, None) => Ok(value),
        (_, Some(_)) => Err(Twice),
    }
}
