//! [`OffendingParts`]: the values that make it impossible to build a request.

use std::fmt;
use std::sync::Arc;

use keyferry_types::secret::SharedSecret;
use keyferry_types::zeroizing::Zeroizing;

use super::request::{Auth, Body, JsonValue, Part, Request};

/// The parts that a request could not be built with, and the test that a value fails there.
#[derive(Clone)]
pub struct OffendingParts {
    parts: Vec<Part>,
    fails: fn(&str) -> bool,
}

impl OffendingParts {
    pub(super) fn new(parts: &[Part], fails: fn(&str) -> bool) -> Self {
        Self { parts: parts.to_vec(), fails }
    }

    /// The names of those values that the request could not be built with. A secret is identified by its handle, a text by its
    /// content.
    pub fn names_among<'a>(&self, values: impl Iterator<Item = (&'a str, &'a SharedSecret)>) -> Vec<String> {
        let at_fault = values.filter(|(_, value)| (self.fails)(value.expose()) && self.contains(value));
        at_fault.map(|(name, _)| name.to_owned()).collect()
    }

    fn contains(&self, value: &SharedSecret) -> bool {
        self.parts.iter().any(|part| match part {
            Part::Secret(secret) => Arc::ptr_eq(secret, value),
            Part::Jwt(jwt) => Arc::ptr_eq(&jwt.key, value),
            Part::Text(text) => is_within(value.expose(), text),
        })
    }
}

/// Whether a text was made from a value: it contains the value, or the host of the URL that the value is. Plugins write hosts in
/// lower case, and `-` where a tenant's name has `_`.
fn is_within(value: &str, text: &str) -> bool {
    let rest = value.split_once("://").map_or(value, |(_, rest)| rest);
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let fold = |text: &str| Zeroizing::new(text.to_ascii_lowercase().replace('_', "-"));
    let text = fold(text);
    [value, host].into_iter().any(|value| !value.is_empty() && text.contains(fold(value).as_str()))
}

/// The parts can contain texts with values of the credential, so they are not printed.
impl fmt::Debug for OffendingParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OffendingParts")
    }
}

/// All parts of a request.
pub(super) fn parts_of(request: &Request) -> Vec<Part> {
    let mut all: Vec<&[Part]> = request.path.iter().map(Vec::as_slice).collect();
    all.extend(request.query.iter().chain(&request.headers).map(|pair| pair.value.as_slice()));
    match &request.body {
        Body::Empty | Body::Text { .. } => {}
        Body::Form(fields) => all.extend(fields.iter().map(|pair| pair.value.as_slice())),
        Body::Json(members) => all.extend(members.iter().filter_map(|member| match &member.value {
            JsonValue::Parts(parts) => Some(parts.as_slice()),
            JsonValue::Literal(_) => None,
        })),
    }
    match &request.auth {
        None => {}
        Some(Auth::Bearer(value)) => all.push(value),
        Some(Auth::Basic { user, password }) => all.extend([user.as_slice(), password]),
        Some(Auth::OAuth1(auth)) => {
            all.extend([auth.consumer_key.as_slice(), &auth.consumer_secret, &auth.token, &auth.token_secret]);
        }
        Some(Auth::SigV4(auth)) => {
            all.extend([auth.access_key_id.as_slice(), &auth.secret_access_key]);
            all.extend(auth.session_token.as_deref());
        }
    }
    all.into_iter().flatten().cloned().collect()
}

/// Whether a value contributes to a request that is too large.
pub(super) fn is_large(value: &str) -> bool {
    value.len() > 1024
}

/// Whether a value breaks a JSON string that it is inserted into without escapes.
pub(super) fn breaks_json(value: &str) -> bool {
    value.chars().any(|c| c.is_control() || matches!(c, '"' | '\\'))
}

/// Whether a value cannot be a part of a host's name or of its port.
pub(super) fn breaks_host(value: &str) -> bool {
    let is_of_a_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | ':');
    !value.chars().all(is_of_a_host) || value.split('.').any(|label| label.len() > 63 || label.is_empty())
}

/// Whether a value is an address whose scheme is not https, or one that cannot be in an address at all.
pub(super) fn names_another_scheme(value: &str) -> bool {
    !value.to_ascii_lowercase().starts_with("https://") && breaks_host(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_https_address_is_not_at_fault_for_another_scheme() {
        for (value, is) in [
            ("http://git.acme.example", true),
            ("ftp://git.acme.example", true),
            ("git acme", true),
            ("https://git.acme.example:8443/x", false),
            ("HTTPS://git.acme.example", false),
            ("acme", false),
        ] {
            assert_eq!(names_another_scheme(value), is, "{value}");
        }
    }

    #[test]
    fn a_text_was_made_of_a_value_or_of_the_host_in_it() {
        for (value, text, is) in [
            ("acme", "https://acme.example.com", true),
            ("ACME_SB1", "https://acme-sb1.example.com", true),
            ("https://git.acme.example:0/api/v3/", "https://git.acme.example:0", true),
            ("Git.Acme.example:0443", "https://git.acme.example:0443", true),
            ("https://git.acme.example", "https://api.example.com", false),
            ("acme", "https://api.example.com", false),
            ("", "https://api.example.com", false),
            ("https://", "https://api.example.com", true),
            ("/x", "https://api.example.com", false),
        ] {
            assert_eq!(is_within(value, text), is, "{value} {text}");
        }
    }
}
