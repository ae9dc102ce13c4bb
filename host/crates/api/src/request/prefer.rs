//! What a caller asks for in headers: `Prefer` (RFC 7240), `If-Match`, `If-None-Match` (RFC 9110), `Idempotency-Key`. Whatever is
//! asked for twice has to be the same both times.

use std::fmt;
use std::str::FromStr;

use http::{HeaderMap, header};

use crate::error::api_error::ApiError;
use crate::error::problem;
use crate::request::prefer_list::{self, Preference};
use crate::request::repeated::{self, Conflict};
use keyferry_service::{Precondition, Preferences, Revision, VerifyMode};
use keyferry_store::{AccountChange, OnUnverified};

/// Characters of an idempotency key.
const MAX_IDEMPOTENCY_KEY: usize = 255;
/// The preferences that are known.
const VERIFY: &str = "verify";
const ON_UNVERIFIED: &str = "on-unverified";
const ACCOUNT_CHANGE: &str = "account-change";
const KNOWN: [&str; 3] = [VERIFY, ON_UNVERIFIED, ACCOUNT_CHANGE];

/// What was asked for so far.
#[derive(Default)]
struct Asked {
    verify: Option<VerifyMode>,
    on_unverified: Option<OnUnverified>,
    account_change: Option<AccountChange>,
}

/// Reads the preferences. What is not known is ignored, as RFC 7240 says; a known preference with an unknown value is an
/// error, since `verify=onyl` must not store anything. So is one with two different values: RFC 7240 lets the first one count,
/// and a program on the way may let the last.
pub(crate) fn preferences(headers: &HeaderMap) -> Result<Preferences, ApiError> {
    let mut asked = Asked::default();
    for value in headers.get_all("prefer") {
        let value = value.to_str().map_err(|_| bad("Prefer", "it is not ASCII text"))?;
        let listed = prefer_list::parse(value);
        for preference in &listed.preferences {
            asked.add(preference)?;
        }
        // Text behind a quote that is not closed could be read in two ways.
        if let Some(known) = listed.unreadable.and_then(names_a_known_one) {
            return Err(bad("Prefer", &format!("a quote before `{known}` is not closed")));
        }
    }
    let Asked { verify, on_unverified, account_change } = asked;
    Ok(Preferences {
        verify: verify.unwrap_or_default(),
        on_unverified: on_unverified.unwrap_or_default(),
        account_change: account_change.unwrap_or_default(),
    })
}

impl Asked {
    fn add(&mut self, preference: &Preference) -> Result<(), ApiError> {
        if let Some(name) = preference.parameters.iter().find_map(|name| known(name)) {
            return Err(bad("Prefer", &format!("`{name}` follows a semicolon; separate preferences by commas")));
        }
        let Some(name) = known(&preference.name) else { return Ok(()) };
        let set = match (name, preference.value.to_ascii_lowercase().as_str()) {
            (VERIFY, "only") => repeated::set(&mut self.verify, VerifyMode::Only),
            (VERIFY, "skip") => repeated::set(&mut self.verify, VerifyMode::Skip),
            (ON_UNVERIFIED, "store") => repeated::set(&mut self.on_unverified, OnUnverified::Store),
            (ON_UNVERIFIED, "reject") => repeated::set(&mut self.on_unverified, OnUnverified::Reject),
            (ACCOUNT_CHANGE, "replace") => repeated::set(&mut self.account_change, AccountChange::Replace),
            (ACCOUNT_CHANGE, "reject") => repeated::set(&mut self.account_change, AccountChange::Reject),
            (VERIFY, _) => return Err(bad("Prefer", "verify is `only` or `skip`")),
            (ON_UNVERIFIED, _) => return Err(bad("Prefer", "on-unverified is `store` or `reject`")),
            _ => return Err(bad("Prefer", "account-change is `replace` or `reject`")),
        };
        set.map_err(|Conflict| bad("Prefer", &format!("{name} is there twice, with different values")))
    }
}

/// A preference of this name that is known. Upper and lower case make no difference.
fn known(name: &str) -> Option<&'static str> {
    KNOWN.into_iter().find(|known| known.eq_ignore_ascii_case(name))
}

fn names_a_known_one(text: &str) -> Option<&'static str> {
    let text = text.to_ascii_lowercase();
    KNOWN.into_iter().find(|known| text.contains(known))
}

/// Reads `If-Match` and `If-None-Match`.
pub(crate) fn precondition(headers: &HeaderMap) -> Result<Precondition, ApiError> {
    if headers.contains_key(header::IF_NONE_MATCH) {
        let tags = listed(headers, &header::IF_NONE_MATCH)?;
        if tags.is_empty() || tags.iter().any(|tag| tag != "*") {
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
    let tags = listed(headers, &header::IF_MATCH)?;
    let any = tags.iter().filter(|tag| *tag == "*").count();
    match any {
        // A tag that is not ours (weak, or of another server) matches nothing, which is what If-Match asks for.
        0 => {
            Ok(Precondition::AnyOf(tags.iter().filter_map(|tag| tag.parse().ok()).map(|EntityTag(tag)| tag).collect()))
        }
        _ if any == tags.len() => Ok(Precondition::Present),
        _ => Err(bad("If-Match", "`*` and an entity tag ask for different things; send one of them")),
    }
}

/// The members of a header that is a list, over all its lines.
fn listed(headers: &HeaderMap, name: &header::HeaderName) -> Result<Vec<String>, ApiError> {
    let mut members = Vec::new();
    for value in headers.get_all(name) {
        let text = value.to_str().map_err(|_| bad(name.as_str(), "it is not ASCII text"))?;
        members.extend(text.split(',').map(str::trim).filter(|member| !member.is_empty()).map(str::to_owned));
    }
    Ok(members)
}

/// Reads the header `Idempotency-Key`.
pub(crate) fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let mut found = None;
    for value in headers.get_all("idempotency-key") {
        let text = value.to_str().map_err(|_| bad("Idempotency-Key", "it is not ASCII text"))?.trim();
        // The draft has it in quotes, most clients leave them out.
        let key = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
        if key.is_empty() || key.len() > MAX_IDEMPOTENCY_KEY {
            return Err(bad("Idempotency-Key", "it must have 1 to 255 characters"));
        }
        if key.contains(['"', '\t']) {
            return Err(bad("Idempotency-Key", "it must not have a tab, or a quote but around it"));
        }
        repeated::set(&mut found, key.to_owned())
            .map_err(|Conflict| bad("Idempotency-Key", "it is there twice, with different values"))?;
    }
    Ok(found)
}

/// A header that is not of its form, or contradicts itself.
pub(crate) fn bad(name: &str, problem: &str) -> ApiError {
    ApiError::new(&problem::INVALID_HEADER, format!("header {name} is not valid: {problem}"))
}

/// An integration's revision as an entity tag: `"65a1...-3"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EntityTag(pub(crate) Revision);

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
    fn a_preference_that_is_there_twice_has_the_same_value_both_times() {
        let same: [&[(&'static str, &str)]; 7] = [
            &[("prefer", "verify=only, verify=only")],
            &[("prefer", "Verify=ONLY, verify=\"only\""), ("prefer", "VERIFY = only ; x=1")],
            &[("prefer", "verify=only"), ("prefer", "verify=only;foo=\"bar, baz\"")],
            &[("prefer", "verify=\"on\\ly\",,verify=only")],
            &[("prefer", "foo=\"x, verify=skip\", verify=only")],
            &[("prefer", "foo=\"verify=skip;\\\", verify=skip\", verify=only")],
            &[("prefer", "foo=\"never closed"), ("prefer", "verify=only")],
        ];
        for pairs in same {
            assert_eq!(preferences(&headers(pairs)).unwrap().verify, VerifyMode::Only, "{pairs:?}");
        }
        let different: [&[(&'static str, &str)]; 14] = [
            &[("prefer", "account-change=reject, account-change=replace")],
            &[("prefer", "account-change=replace, account-change=reject")],
            &[("prefer", "account-change=reject"), ("prefer", "account-change=replace")],
            &[("prefer", "verify=only, verify=skip")],
            &[("prefer", "verify=skip,verify=only")],
            &[("prefer", "verify=only"), ("prefer", "respond-async"), ("prefer", "VERIFY=Skip")],
            &[("prefer", "Verify = \"only\" ; a=b , verify=skip")],
            &[("prefer", "verify=\"o\\nly\", verify = \"skip\"")],
            &[("prefer", "on-unverified=reject, On-Unverified=\"store\"")],
            &[("prefer", "verify=only, verify")],
            // Behind a semicolon a preference would be a parameter of the one before, and ignored.
            &[("prefer", "verify=only; account-change=replace")],
            &[("prefer", "respond-async; Verify=only")],
            &[("prefer", "foo=\"bar, verify=only")],
            &[("prefer", "verify=\"only")],
        ];
        for pairs in different {
            assert!(preferences(&headers(pairs)).is_err(), "{pairs:?}");
        }
    }

    #[test]
    fn an_idempotency_key_that_is_there_twice_is_the_same_both_times() {
        let key = "idempotency-key";
        for (pairs, expected) in [
            (&[][..], Some(None)),
            (&[(key, "a")], Some(Some("a"))),
            (&[(key, "a"), (key, "a")], Some(Some("a"))),
            (&[(key, "a"), (key, "\"a\"")], Some(Some("a"))),
            (&[(key, "a"), (key, "b")], None),
            (&[(key, "a"), (key, "A")], None),
            (&[(key, "a"), (key, "")], None),
        ] {
            let found = idempotency_key(&headers(pairs)).ok();
            assert_eq!(found.as_ref().map(Option::as_deref), expected, "{pairs:?}");
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
        let twice = |name: &'static str, value: &str| headers(&[(name, "*"), (name, value)]);
        assert!(matches!(precondition(&twice("if-match", "*")), Ok(Precondition::Present)));
        assert!(matches!(precondition(&twice("if-none-match", "*")), Ok(Precondition::Absent)));
        assert!(precondition(&twice("if-match", tag)).is_err());
        assert!(precondition(&twice("if-none-match", tag)).is_err());
        match precondition(&headers(&[("if-match", tag), ("if-match", tag)])) {
            Ok(Precondition::AnyOf(tags)) => assert_eq!(tags.len(), 2),
            other => panic!("{other:?}"),
        }
    }
}
