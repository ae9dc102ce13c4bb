//! The requests that a plugin may make: [`Grant`] and [`GrantSet`].

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use url::Url;

use super::host_pattern::{HostPattern, InvalidHostPattern};
use super::path_prefix::{InvalidPathPrefix, PathPrefix};

/// The methods that a grant can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// HTTP `GET`.
    Get,
    /// HTTP `HEAD`.
    Head,
    /// HTTP `POST`.
    Post,
    /// HTTP `PUT`.
    Put,
    /// HTTP `PATCH`.
    Patch,
    /// HTTP `DELETE`.
    Delete,
}

impl Method {
    /// All methods, in the order of their definition.
    pub const ALL: [Self; 6] = [Self::Get, Self::Head, Self::Post, Self::Put, Self::Patch, Self::Delete];

    /// The method's name in upper case, as in a request line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<Method> for http::Method {
    fn from(method: Method) -> Self {
        match method {
            Method::Get => Self::GET,
            Method::Head => Self::HEAD,
            Method::Post => Self::POST,
            Method::Put => Self::PUT,
            Method::Patch => Self::PATCH,
            Method::Delete => Self::DELETE,
        }
    }
}

impl FromStr for Method {
    type Err = InvalidGrant;
    fn from_str(text: &str) -> Result<Self, InvalidGrant> {
        let found = Self::ALL.into_iter().find(|method| method.as_str() == text);
        found.ok_or_else(|| InvalidGrant::Method(text.chars().take(20).collect()))
    }
}

/// Requests that a plugin may make: `GET,POST https://api.example.com/v1/*`.
///
/// The scheme is always https (and http where a loopback address is allowed for development), so it has no part in the
/// comparison.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Grant {
    /// Hosts that requests may go to.
    pub host: HostPattern,
    /// Methods that requests may have; at least one.
    pub methods: BTreeSet<Method>,
    /// Beginning of the paths that requests may have.
    pub path_prefix: PathPrefix,
}

/// A text that is not a grant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidGrant {
    /// The line is not of the shape of a grant.
    #[error("{0:?} is not a grant; write it like `GET,POST https://api.example.com/v1/*`")]
    Shape(String),
    /// A method that grants do not know.
    #[error("{0:?} is not one of GET, HEAD, POST, PUT, PATCH, DELETE")]
    Method(String),
    /// The host is not a valid pattern.
    #[error(transparent)]
    Host(#[from] InvalidHostPattern),
    /// The path is not a valid prefix.
    #[error(transparent)]
    Path(#[from] InvalidPathPrefix),
}

impl Grant {
    /// Whether this grant covers a request.
    pub fn covers(&self, method: Method, url: &Url) -> bool {
        self.covers_path(method, url, url.path())
    }

    fn covers_path(&self, method: Method, origin: &Url, path: &str) -> bool {
        self.methods.contains(&method) && self.host.covers(origin) && self.path_prefix.covers(path)
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let methods: Vec<_> = self.methods.iter().map(|method| method.as_str()).collect();
        let path = self.path_prefix.to_string();
        write!(f, "{} https://{}{}/*", methods.join(","), self.host, path.trim_end_matches('/'))
    }
}

impl FromStr for Grant {
    type Err = InvalidGrant;

    fn from_str(text: &str) -> Result<Self, InvalidGrant> {
        let shape = || InvalidGrant::Shape(text.chars().take(120).collect());
        let (methods, rest) = text.trim().split_once(' ').ok_or_else(shape)?;
        let rest = rest.trim_start().strip_prefix("https://").ok_or_else(shape)?;
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        Ok(Self {
            host: host.parse()?,
            methods: methods.split(',').map(str::parse).collect::<Result<_, _>>()?,
            path_prefix: if path.is_empty() { "/" } else { path }.parse()?,
        })
    }
}

impl TryFrom<String> for Grant {
    type Error = InvalidGrant;
    fn try_from(text: String) -> Result<Self, InvalidGrant> {
        text.parse()
    }
}

impl From<Grant> for String {
    fn from(grant: Grant) -> String {
        grant.to_string()
    }
}

/// A request that no grant covers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no grant covers `{missing}`")]
pub struct Denied {
    /// The grant that is missing, as narrow as it can be: `GET https://api.example.com/v1/x`. It parses as a [`Grant`].
    pub missing: String,
}

/// The requests that a plugin may make. An empty set allows nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GrantSet(Vec<Grant>);

impl GrantSet {
    /// A set of grants.
    pub fn new(grants: Vec<Grant>) -> Self {
        Self(grants)
    }

    /// The grants, in the order in which they were given.
    pub fn iter(&self) -> impl Iterator<Item = &Grant> {
        self.0.iter()
    }

    /// Number of grants in the set.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the set is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a grant names that host itself, so that it is the same for every credential.
    pub fn names_host(&self, host: &str) -> bool {
        self.0.iter().any(|grant| grant.host.is_one_called(host))
    }

    /// The grants for one credential: `value` gives the text of its fields that are not secret. A grant for the host of a
    /// field that it lacks is left out.
    #[must_use]
    pub fn bound(self: &Arc<Self>, value: impl Fn(&str) -> Option<String>) -> Arc<Self> {
        if self.0.iter().all(|grant| grant.host.field().is_none()) {
            return Arc::clone(self);
        }
        let bind = |grant: &Grant| Some(Grant { host: grant.host.bound(&value)?, ..grant.clone() });
        Arc::new(self.0.iter().filter_map(bind).collect())
    }

    /// Whether a request is allowed; if not, what is missing.
    ///
    /// A path segment `*` represents a value that is hidden (`*` in a value is percent-encoded): no prefix covers it by
    /// name, and the missing grant ends before it.
    pub fn allows(&self, method: Method, url: &Url) -> Result<(), Denied> {
        self.allows_path(method, url, url.path())
    }

    /// As [`allows`](Self::allows), for a path on the host of a URL.
    pub(super) fn allows_path(&self, method: Method, origin: &Url, path: &str) -> Result<(), Denied> {
        if self.0.iter().any(|grant| grant.covers_path(method, origin, path)) {
            return Ok(());
        }
        let host = HostPattern::of(origin).map(|host| host.to_string()).unwrap_or_default();
        let mut missing = String::new();
        for segment in path.split('/').skip(1) {
            let wider = missing.trim_end_matches('/').len();
            missing.push('/');
            missing.push_str(segment);
            // A segment that a prefix cannot contain ends the suggested prefix.
            if missing.parse::<PathPrefix>().is_err() || segment == "*" {
                missing.replace_range(wider.., "/*");
                break;
            }
        }
        Err(Denied { missing: format!("{method} https://{host}{missing}") })
    }
}

impl FromIterator<Grant> for GrantSet {
    fn from_iter<I: IntoIterator<Item = Grant>>(grants: I) -> Self {
        Self(grants.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    #[test]
    fn a_grant_is_written_and_read_as_one_line() {
        for (text, kept) in [
            ("GET https://api.example.com/v1", "GET https://api.example.com/v1/*"),
            ("POST,GET https://api.example.com/v1/*", "GET,POST https://api.example.com/v1/*"),
            ("GET https://*.example.com", "GET https://*.example.com/*"),
            ("GET https://*.example.com/", "GET https://*.example.com/*"),
            (" DELETE  https://127.0.0.1:8080/x ", "DELETE https://127.0.0.1:8080/x/*"),
            ("GET https://*/*", "GET https://*/*"),
            ("GET https://{base_url}/api/v3", "GET https://{base_url}/api/v3/*"),
        ] {
            let grant: Grant = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!(grant.to_string(), kept);
            assert_eq!(kept.parse::<Grant>().unwrap(), grant);
            let json = serde_json::to_string(&grant).unwrap();
            assert_eq!(json, format!("{kept:?}"));
            assert_eq!(serde_json::from_str::<Grant>(&json).unwrap(), grant);
        }
        for text in [
            "",
            "GET",
            "https://a.example.com/",
            "GET http://a.example.com/",
            "get https://a.example.com/",
            "GET, https://a.example.com/",
            ", https://a.example.com/",
            "TRACE https://a.example.com/",
            "GET https:///x",
            "GET https://a.example.com/../x",
            "GET https://a.example.com?x",
        ] {
            assert!(text.parse::<Grant>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_not_granted_is_denied_with_the_line_to_add() {
        let grants: GrantSet = ["GET https://api.example.com/v1", "POST https://*.example.com/token"]
            .iter()
            .map(|line| line.parse().unwrap())
            .collect();
        assert!(grants.allows(Method::Get, &url("https://api.example.com/v1/x")).is_ok());
        assert!(grants.allows(Method::Post, &url("https://eu.example.com/token")).is_ok());
        for (method, asked, missing) in [
            (Method::Post, "https://api.example.com/v1/x", "POST https://api.example.com/v1/x"),
            (Method::Get, "https://api.example.com/v2", "GET https://api.example.com/v2"),
            (Method::Get, "https://api.example.com:8443/v1", "GET https://api.example.com:8443/v1"),
            (Method::Get, "https://example.org/", "GET https://example.org/"),
            (Method::Get, "https://example.org/v1/*/me", "GET https://example.org/v1/*"),
            (Method::Get, "https://example.org/v1/a%2Fb/me", "GET https://example.org/v1/*"),
            (Method::Get, "https://example.org/v1/", "GET https://example.org/v1/"),
            (Method::Get, "https://example.org/v1//me", "GET https://example.org/v1/*"),
            (Method::Get, "https://example.org//v1", "GET https://example.org/*"),
            (Method::Get, &format!("https://example.org/v1/{}", "x".repeat(600)), "GET https://example.org/v1/*"),
            (Method::Get, "http://127.0.0.1:8080/v1", "GET https://127.0.0.1:8080/v1"),
        ] {
            let denied = grants.allows(method, &url(asked)).unwrap_err();
            assert_eq!(denied.missing, missing);
            let grant: Grant = denied.missing.parse().unwrap_or_else(|e| panic!("{missing}: {e}"));
            assert!(
                GrantSet::new(vec![grant]).allows(method, &url(asked)).is_ok(),
                "the missing grant is enough: {missing}"
            );
        }
    }

    #[test]
    fn nothing_is_allowed_by_no_grant() {
        assert!(GrantSet::default().allows(Method::Get, &url("https://api.example.com/")).is_err());
    }
}
