//! Which linked account a request names. Header, query, path and body can each name it, and each more than once. All of them
//! have to agree: a request that names two accounts is refused, whichever of them would have counted.

use std::borrow::Cow;
use std::fmt;

use http::HeaderMap;

use crate::error::api_error::ApiError;
use crate::error::problem::{self, ProblemType};
use keyferry_types::ids::{InvalidName, LinkedAccountId};

/// The header, query parameter and member of a body that names the linked account.
pub(crate) const LINKED_ACCOUNT_ID: &str = "linked_account_id";
/// The header's names. Some proxies drop headers with underscores in their names.
const HEADERS: [&str; 2] = [LINKED_ACCOUNT_ID, "linked-account-id"];

/// What naming a linked account by header or query fails with.
pub(crate) const ACCOUNT_PROBLEMS: [&ProblemType; 3] =
    [&problem::ACCOUNT_NOT_NAMED, &problem::ACCOUNT_ID_INVALID, &problem::ACCOUNT_CONFLICT];

/// Where an account is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Header,
    Query,
    Path,
    Body,
    Session,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Header => "the header",
            Self::Query => "the query",
            Self::Path => "the path",
            Self::Body => "the body",
            Self::Session => "the session token",
        })
    }
}

/// The account that a request names, as far as it has been looked at.
#[derive(Debug, Default)]
pub(crate) struct NamedAccount<'a>(Option<(Place, Cow<'a, str>)>);

/// Whether a name in a query or body means the linked account: upper and lower case, `-` and `_` make no difference.
pub(crate) fn is_account(name: &str) -> bool {
    let letters = name.bytes().filter(|byte| !b"-_".contains(byte)).map(|byte| byte.to_ascii_lowercase());
    letters.eq(LINKED_ACCOUNT_ID.bytes().filter(|byte| *byte != b'_'))
}

/// Whether a header names the linked account.
pub(crate) fn is_in_headers(headers: &HeaderMap) -> bool {
    HEADERS.iter().any(|name| headers.contains_key(*name))
}

impl<'a> NamedAccount<'a> {
    /// Collects the names in the headers.
    pub(crate) fn in_headers(headers: &'a HeaderMap) -> Result<Self, ApiError> {
        let mut named = Self::default();
        for value in HEADERS.iter().flat_map(|name| headers.get_all(*name)) {
            let text = std::str::from_utf8(value.as_bytes()).map_err(|_| not_an_id("it is not UTF-8"))?;
            named = named.and(Place::Header, text)?;
        }
        Ok(named)
    }

    /// What the query names as well, still percent-encoded.
    pub(crate) fn and_query(mut self, query: Option<&'a str>) -> Result<Self, ApiError> {
        for (name, value) in url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            if is_account(&name) {
                self = self.and(Place::Query, value)?;
            }
        }
        Ok(self)
    }

    /// What this place names as well. Blank text names nothing.
    pub(crate) fn and(self, place: Place, text: impl Into<Cow<'a, str>>) -> Result<Self, ApiError> {
        let text = match text.into() {
            Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
            Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
        };
        match &self.0 {
            _ if text.is_empty() => Ok(self),
            None => Ok(Self(Some((place, text)))),
            Some((_, known)) if *known == text => Ok(self),
            Some((other, _)) => Err(conflict(*other, place)),
        }
    }

    /// The text that names the account, if any does.
    pub(crate) fn text(&self) -> Option<&str> {
        self.0.as_ref().map(|(_, text)| text.as_ref())
    }

    /// The linked account that the request names.
    pub(crate) fn account(self) -> Result<LinkedAccountId, ApiError> {
        let text = self.text().ok_or_else(|| {
            let message =
                "header linked_account_id is missing: it names the linked account to attach the integration to; \
                 where a proxy such as nginx drops headers with underscores, send it as linked-account-id";
            ApiError::new(&problem::ACCOUNT_NOT_NAMED, message)
        })?;
        text.parse().map_err(|error: InvalidName| not_an_id(&error.rule()))
    }
}

/// Refuses a request whose headers or query name another account than its path does.
pub(crate) fn check_path(headers: &HeaderMap, query: Option<&str>, account: &str) -> Result<(), ApiError> {
    NamedAccount::in_headers(headers)?.and_query(query)?.and(Place::Path, account)?;
    Ok(())
}

/// Refuses a request whose headers or query name another account than its body does.
pub(crate) fn check_body(headers: &HeaderMap, query: Option<&str>, account: &str) -> Result<(), ApiError> {
    NamedAccount::in_headers(headers)?.and_query(query)?.and(Place::Body, account)?;
    Ok(())
}

/// The linked account that header or query names.
pub(crate) fn linked_account(headers: &HeaderMap, query: Option<&str>) -> Result<LinkedAccountId, ApiError> {
    let named = NamedAccount::in_headers(headers)?;
    match query {
        Some(text) => named.and(Place::Query, text)?.account(),
        None => named.account(),
    }
}

/// The error for two different linked accounts in one request.
pub(crate) fn conflict(one: Place, other: Place) -> ApiError {
    let message = if one == other {
        format!("linked_account_id: it is there twice in {one}, with different values; name the linked account once")
    } else {
        format!("linked_account_id: {one} and {other} name different linked accounts; name the same one in both")
    };
    ApiError::new(&problem::ACCOUNT_CONFLICT, message)
}

fn not_an_id(problem: &str) -> ApiError {
    ApiError::new(&problem::ACCOUNT_ID_INVALID, format!("header linked_account_id: {problem}"))
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn named(headers: &[(&'static str, &'static str)], query: Option<&str>, body: Option<&str>) -> String {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let account = NamedAccount::in_headers(&map)
            .and_then(|named| named.and_query(query))
            .and_then(|named| named.and(Place::Body, body.unwrap_or_default()))
            .and_then(NamedAccount::account);
        match account {
            Ok(account) => account.to_string(),
            Err(failure) => format!("{failure:?}"),
        }
    }

    #[test]
    fn all_places_that_name_an_account_have_to_agree() {
        const UNDERSCORE: &str = "linked_account_id";
        const HYPHEN: &str = "linked-account-id";
        type Headers = &'static [(&'static str, &'static str)];
        let cases: &[(Headers, Option<&str>, Option<&str>, &str)] = &[
            (&[(UNDERSCORE, "a")], None, None, "a"),
            (&[(HYPHEN, "a")], None, None, "a"),
            (&[(UNDERSCORE, "a"), (HYPHEN, " a")], None, None, "a"),
            (&[(UNDERSCORE, "a"), (UNDERSCORE, "a")], Some("linked_account_id=a"), Some("a "), "a"),
            (&[], Some("linked_account_id=a&LINKED-account_id=a"), None, "a"),
            (&[], Some("linkedAccountId=a"), None, "a"),
            (&[], Some("linked%5Faccount%5fid=%61"), Some("a"), "a"),
            (&[], None, Some("a"), "a"),
            // Blank text names nothing.
            (&[(UNDERSCORE, "")], Some("linked_account_id=a"), None, "a"),
            (&[(UNDERSCORE, "a")], Some("linked_account_id=&linked_account_id=%20"), Some(""), "a"),
            // Other parameters are other parameters.
            (&[(UNDERSCORE, "a")], Some("account_id=b&linked_account=b&linked_account_ids=b"), None, "a"),
            (&[(UNDERSCORE, "a"), (UNDERSCORE, "b")], None, None, "twice in the header"),
            (&[(UNDERSCORE, "a"), (HYPHEN, "b")], None, None, "twice in the header"),
            (&[(UNDERSCORE, "a"), (UNDERSCORE, "A")], None, None, "twice in the header"),
            (&[(UNDERSCORE, "a")], Some("linked_account_id=b"), None, "the header and the query name"),
            (&[(HYPHEN, "a")], Some("Linked_Account_Id=b"), None, "the header and the query name"),
            (&[(UNDERSCORE, "a")], Some("linked_account_id=a"), Some("b"), "the header and the body name"),
            (&[], Some("linked_account_id=a&linked_account_id=b"), None, "twice in the query"),
            (&[], Some("linked_account_id=a&linked%2Daccount%2did=b"), None, "twice in the query"),
            (&[], Some("linked_account_id=a"), Some("b"), "the query and the body name"),
            (&[(UNDERSCORE, "")], None, None, "is missing"),
        ];
        for (headers, query, body, expected) in cases {
            let found = named(headers, *query, *body);
            let is_expected = if expected.len() == 1 { found == *expected } else { found.contains(expected) };
            assert!(is_expected, "{headers:?} {query:?} {body:?}: {found}");
        }
    }
}
