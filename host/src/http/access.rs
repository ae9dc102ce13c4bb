//! Who is calling: the API key in `x-api-key` selects organisation and environment.

use http::{HeaderMap, HeaderValue};

use super::failure::Failure;
use super::kind;
use super::routes::Api;
use crate::ids::AccountId;
use crate::migrate::Caller;
use crate::store::{ApiKeyRecord, Scope, Timestamp};
use crate::vault::ApiKey;

/// The header that carries the key.
pub(super) const API_KEY: &str = "x-api-key";
/// The header (and query parameter) that names the linked account.
pub(super) const LINKED_ACCOUNT_ID: &str = "linked_account_id";

impl Api {
    /// The caller behind a request, if its key is known, not expired or revoked, has the scope, and is within its rate.
    pub(super) async fn caller(&self, headers: &HeaderMap, scope: Scope) -> Result<Caller, Failure> {
        caller(self.key(headers).await?, scope)
    }

    /// The key of a request, if it is known, not expired or revoked, and within its rate. For what needs no scope.
    pub(super) async fn key(&self, headers: &HeaderMap) -> Result<ApiKeyRecord, Failure> {
        let text = only(headers, API_KEY)
            .ok()
            .flatten()
            .and_then(|value| value.to_str().ok())
            .ok_or_else(Failure::unauthorized)?;
        // The checksum turns typing errors and noise away before the store is asked.
        let key: ApiKey = text.parse().map_err(|_| Failure::unauthorized())?;
        let record = self.store.api_key(&key.hash()).await.map_err(|error| Failure::internal(&error))?;
        let now = Timestamp::now();
        let record = record
            .filter(|record| key.hash_matches(&record.hash) && record.environment == key.environment())
            .filter(|record| record.is_live(now))
            .ok_or_else(Failure::unauthorized)?;
        self.rates.request(&record.hash)?;
        self.last_use.note(&self.store, &record, now);
        Ok(record)
    }
}

/// The caller behind a key that has the scope.
pub(super) fn caller(key: ApiKeyRecord, scope: Scope) -> Result<Caller, Failure> {
    if !key.allows(scope) {
        let message = format!("this API key does not have the scope `{scope}`; use one that was made with it");
        return Err(Failure::new(&kind::SCOPE_MISSING, message));
    }
    Ok(Caller { org: key.org, environment: key.environment, actor: key.shown })
}

/// The linked account that a request names: the header, or, where there is none, the query or the body. The header wins.
pub(super) fn linked_account(
    headers: &HeaderMap,
    query: Option<&str>,
    body: Option<&str>,
) -> Result<AccountId, Failure> {
    let header = match only(headers, LINKED_ACCOUNT_ID).map_err(|Twice| not_an_id("it is there twice"))? {
        Some(value) => Some(std::str::from_utf8(value.as_bytes()).map_err(|_| not_an_id("it is not UTF-8"))?),
        None => None,
    };
    let text = header.or(query).or(body).map(str::trim).filter(|text| !text.is_empty()).ok_or_else(|| {
        Failure::new(
            &kind::ACCOUNT_NOT_NAMED,
            "header linked_account_id is missing: it names the linked account to attach the integration to",
        )
    })?;
    text.parse().map_err(|error: crate::ids::InvalidName| not_an_id(&error.rule()))
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

fn not_an_id(problem: &str) -> Failure {
    Failure::new(&kind::ACCOUNT_ID_INVALID, format!("header linked_account_id: {problem}"))
}
