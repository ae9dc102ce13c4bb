//! What a caller asks for in headers: `Prefer` (RFC 7240), `If-Match`, `If-None-Match` (RFC 9110), `Idempotency-Key`.

use std::fmt;
use std::str::FromStr;

use http::{HeaderMap, header};

use super::failure::Failure;
use super::kind;
use crate::migrate::{Precondition, Preferences, Revision, VerifyMode};
use crate::store::{AccountChange, OnUnverified};

/// Characters of an idempotency key.
const MAX_IDEMPOTENCY_KEY: usize = 255;

/// Reads the preferences. What is not known is ignored, as RFC 7240 says; a known preference with an unknown value is an
/// error, since `verify=onyl` must not store anything.
pub(super) fn preferences(headers: &HeaderMap) -> Result<Preferences, Failure> {
    let mut preferences = Preferences::default();
    for value in headers.get_all("prefer") {
        let value = value.to_str().map_err(|_| bad("Prefer", "it is not ASCII text"))?;
        for preference in value.split(',').filter(|preference| !preference.trim().is_empty()) {
            // Parameters behind a `;` belong to the preference, and none of ours has any.
            let preference = preference.split(';').next().unwrap_or_default();
            let (name, value) = preference.split_once('=').unwrap_or((preference, ""));
            let value = value.trim().trim_matches('"').to_ascii_lowercase();
            match (name.trim().to_ascii_lowercase().as_str(), value.as_str()) {
                ("verify", "only") => preferences.verify = VerifyMode::Only,
                ("verify", "skip") => preferences.verify = VerifyMode::Skip,
                ("on-unverified", "store") => preferences.on_unverified = OnUnverified::Store,
                ("on-unverified", "reject") => preferences.on_unverified = OnUnverified::Reject,
                ("account-change", "replace") => preferences.account_change = AccountChange::Replace,
                ("account-change", "reject") => preferences.account_change = AccountChange::Reject,
                ("verify", _) => return Err(bad("Prefer", "verify is `only` or `skip`")),
                ("on-unverified", _) => return Err(bad("Prefer", "on-unverified is `store` or `reject`")),
                ("account-change", _) => return Err(bad("Prefer", "account-change is `replace` or `reject`")),
                _ => {}
            }
        }
    }
    Ok(preferences)
}

/// Reads `If-Match` and `If-None-Match`.
pub(super) fn precondition(headers: &HeaderMap) -> Result<Precondition, Failure> {
    let listed = |name: &header::HeaderName| {
        let values: Result<Vec<_>, _> = headers.get_all(name).iter().map(|value| value.to_str()).collect();
        values.map(|values| values.join(",")).map_err(|_| bad(name.as_str(), "it is not ASCII text"))
    };
    if headers.contains_key(header::IF_NONE_MATCH) {
        if listed(&header::IF_NONE_MATCH)?.trim() != "*" {
            return Err(bad("If-None-Match", "only `*` (create, never update) is supported"));
        }
        if headers.contains_key(header::IF_MATCH) {
            return Err(bad("If-None-Match", "it contradicts If-Match"));
        }
        return Ok(Precondition::Absent);
    }
    if !headers.contains_key(header::IF_MATCH) {
        return Ok(Precondition::None);
    }
    let text = listed(&header::IF_MATCH)?;
    if text.trim() == "*" {
        return Ok(Precondition::Present);
    }
    let tags = text.split(',').map(str::trim).filter(|tag| !tag.is_empty());
    // A tag that is not ours (weak, or of another server) matches nothing, which is what If-Match asks for.
    Ok(Precondition::AnyOf(tags.filter_map(|tag| tag.parse::<EntityTag>().ok().map(|tag| tag.0)).collect()))
}

/// Reads `Idempotency-Key`.
pub(super) fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Failure> {
    let mut values = headers.get_all("idempotency-key").iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(bad("Idempotency-Key", "it is there twice"));
    }
    let text = value.to_str().map_err(|_| bad("Idempotency-Key", "it is not ASCII text"))?.trim();
    // The draft has it in quotes, most clients leave them out.
    let key = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    if key.is_empty() || key.len() > MAX_IDEMPOTENCY_KEY {
        return Err(bad("Idempotency-Key", "it must have 1 to 255 characters"));
    }
    if key.contains(['"', '\t']) {
        return Err(bad("Idempotency-Key", "it must not have a tab, or a quote but around it"));
    }
    Ok(Some(key.to_owned()))
}

fn bad(name: &str, problem: &str) -> Failure {
    Failure::new(&kind::INVALID_HEADER, format!("header {name} is not valid: {problem}"))
}

/// An integration's revision as an entity tag: `"65a1...-3"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EntityTag(pub(super) Revision);

impl fmt::Display for EntityTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0)
    }
}

impl FromStr for EntityTag {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).ok_or(())?;
        inner.parse().map(Self).map_err(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(*name, HeaderValue::from_str(value).unwrap());
        }
        map
    }

    #[test]
    fn preferences_are_read_from_several_headers_and_forms() {
        let read = preferences(&headers(&[
            ("prefer", "respond-async, on-unverified=store; foo=bar"),
            ("prefer", "Verify=\"only\""),
        ]))
        .unwrap();
        assert_eq!((read.verify, read.on_unverified), (VerifyMode::Only, OnUnverified::Store));
        assert_eq!(read.account_change, AccountChange::Reject);
        for wrong in ["verify=onyl", "verify", "on-unverified=keep", "account-change=maybe"] {
            assert!(preferences(&headers(&[("prefer", wrong)])).is_err(), "{wrong}");
        }
    }

    #[test]
    fn preconditions_are_read_and_what_contradicts_itself_is_refused() {
        let tag = "\"0123456789abcdef01234567-3\"";
        assert!(matches!(precondition(&headers(&[])), Ok(Precondition::None)));
        assert!(matches!(precondition(&headers(&[("if-match", "*")])), Ok(Precondition::Present)));
        assert!(matches!(precondition(&headers(&[("if-none-match", "*")])), Ok(Precondition::Absent)));
        let both = format!("W/\"x\", {tag}");
        match precondition(&headers(&[("if-match", &both)])) {
            Ok(Precondition::AnyOf(tags)) => assert_eq!(EntityTag(tags[0].clone()).to_string(), tag),
            other => panic!("{other:?}"),
        }
        assert!(precondition(&headers(&[("if-none-match", tag)])).is_err());
        assert!(precondition(&headers(&[("if-none-match", "*"), ("if-match", tag)])).is_err());
    }
}
