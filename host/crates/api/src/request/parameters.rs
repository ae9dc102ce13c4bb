//! Parameters in a request's path and query.

use std::borrow::Cow;
use std::collections::HashSet;

use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path, Query};
use http::Uri;
use http::request::Parts;
use serde::de::DeserializeOwned;
use url::form_urlencoded;

use crate::error::api_error::ApiError;
use crate::error::problem;
use crate::request::account_name::{LINKED_ACCOUNT_ID, NamedAccount, is_account};

/// The parameters in a path, percent-decoded.
pub(crate) struct InPath<T>(pub(crate) T);

/// The query. Unknown parameters are ignored, and named in the response by the middleware `unknown_parameters`; a known one may be repeated with the same value only.
pub(crate) struct InQuery<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for InPath<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let found = Path::from_request_parts(parts, state).await;
        let invalid = |rejection: PathRejection| {
            ApiError::new(&problem::INVALID_PATH, format!("the path is not valid: {rejection}"))
        };
        found.map(|Path(found)| Self(found)).map_err(invalid)
    }
}

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for InQuery<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        read(parts.uri.query().unwrap_or_default()).map(Self)
    }
}

/// Reads a query. The linked account can be spelled in several ways, which become one parameter here.
pub(crate) fn read<T: DeserializeOwned>(text: &str) -> Result<T, ApiError> {
    let account = NamedAccount::default().and_query(Some(text))?;
    let mut seen: HashSet<(Cow<'_, str>, Cow<'_, str>)> = HashSet::new();
    let mut once = form_urlencoded::Serializer::new(String::new());
    if let Some(account) = account.text() {
        once.append_pair(LINKED_ACCOUNT_ID, account);
    }
    for (name, value) in form_urlencoded::parse(text.as_bytes()) {
        if !is_account(&name) && seen.insert((name.clone(), value.clone())) {
            once.append_pair(&name, &value);
        }
    }
    let uri = format!("/?{}", once.finish());
    let uri: Uri = uri.parse().map_err(|_| invalid_query("it is too long"))?;
    let Query(query) = Query::try_from_uri(&uri).map_err(|rejection| {
        let problem = rejection.to_string();
        match problem.split_once("duplicate field ") {
            Some((_, name)) => invalid_query(&format!("{name} is there twice, with different values")),
            None => invalid_query(&problem),
        }
    })?;
    Ok(query)
}

/// A query that has a wrong value.
pub(crate) fn invalid_query(problem: &str) -> ApiError {
    ApiError::new(&problem::INVALID_QUERY, format!("the query is not valid: {problem}"))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Asked {
        linked_account_id: Option<String>,
        limit: Option<u32>,
        force: Option<bool>,
    }

    #[test]
    fn a_parameter_may_be_repeated_with_the_same_value_only() {
        let cases = [
            ("", "None None None"),
            ("limit=3&force=true", "None Some(3) Some(true)"),
            ("limit=3&limit=3", "None Some(3) None"),
            ("limit=3&%6Cimit=%33", "None Some(3) None"),
            ("limit=3&limit=4", "`limit` is there twice"),
            ("limit=3&limit=03", "`limit` is there twice"),
            ("force=true&limit=1&force=false", "`force` is there twice"),
            ("other=1&other=2&limit=3", "None Some(3) None"),
            ("linked_account_id=a%20b&linked-account-id=a+b", "Some(\"a b\") None None"),
            ("linked_account_id=a&LinkedAccountId=b", "twice in the query"),
            ("linked_account_id=", "None None None"),
            ("limit=x", "the query is not valid"),
        ];
        for (text, expected) in cases {
            let found = match read::<Asked>(text) {
                Ok(Asked { linked_account_id, limit, force }) => format!("{linked_account_id:?} {limit:?} {force:?}"),
                Err(failure) => format!("{failure:?}"),
            };
            assert!(found.contains(expected), "{text}: {found}");
        }
    }
}
