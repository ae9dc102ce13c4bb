//! Moves tokens out of a response into new secrets, before a plugin gets the body.

use std::borrow::Cow;
use std::mem;
use std::ops::Range;
use std::sync::Arc;

use keyferry_types::zeroizing::Zeroizing;

use keyferry_types::secret::Secret;

use super::call::Call;
use super::error::Invalid;
use super::json_strings::{ScalarKind, decode, visit};
use super::redact::{self, MASK};
use super::request::Minted;
use super::secret_names::{Meaning, is_token};

/// What replaces a string or a number of a JSON text.
const MASKED: &str = "\"***\"";

/// Maximum number of tokens that one response gives. Further ones are masked too, but get no handle: each known secret
/// makes every later redaction slower.
const MOST_MINTED: usize = 32;

/// The most pointers that a request may ask for.
const MOST_POINTERS: usize = 32;

/// The body of a response without its tokens.
pub(super) struct Lifted {
    pub(super) body: Vec<u8>,
    pub(super) minted: Vec<Minted>,
}

/// Checks the pointers that a request asks for.
pub(super) fn check_pointers(pointers: &[String]) -> Result<(), Invalid> {
    if pointers.len() > MOST_POINTERS {
        return Err(Invalid::new(format!("at most {MOST_POINTERS} pointers can be minted from one answer")));
    }
    match pointers.iter().find(|pointer| !is_pointer(pointer)) {
        Some(_) => Err(Invalid::new("what is to be minted must be JSON pointers (RFC 6901), such as /data/token")),
        None => Ok(()),
    }
}

/// Whether a text is a JSON pointer: empty, or `/` before each step, and `~` only as `~0` and `~1`.
pub(super) fn is_pointer(text: &str) -> bool {
    let escapes_are_right = text.split('~').skip(1).all(|after| after.starts_with(['0', '1']));
    (text.is_empty() || text.starts_with('/')) && escapes_are_right
}

/// Moves out the values with the name of a secret and those at `pointers`, and redacts every known secret in the rest.
pub(super) fn lift(mut body: Zeroizing<Vec<u8>>, pointers: &[String], call: &mut Call) -> Lifted {
    let text = std::str::from_utf8(&body).ok();
    let found = text.and_then(|text| find(text, pointers).or_else(|| find_in_form(text, pointers))).unwrap_or_default();
    for minted in &found.minted {
        call.add_secret(Arc::clone(&minted.token));
    }
    let secrets = call.redactor().places(&body);

    let masked = || Cow::Borrowed(found.mask);
    let mut edits: Vec<(Range<usize>, Cow<'_, str>)> =
        found.masked.into_iter().map(|place| (place, masked())).collect();
    edits.extend(numbers_with_secrets(found.numbers, &secrets).map(|place| (place, masked())));
    edits.extend(escaped_strings_with_secrets(&found.escaped, call));
    if edits.is_empty() {
        let body = if secrets.is_empty() { mem::take(&mut *body) } else { redact::mask(&body, &secrets) };
        return Lifted { body, minted: Vec::new() };
    }
    edits.sort_unstable_by_key(|(place, _)| place.start);

    let mut clean = Vec::with_capacity(body.len());
    let mut end = 0;
    for (place, replacement) in edits {
        clean.extend_from_slice(body.get(end..place.start).unwrap_or_default());
        clean.extend_from_slice(replacement.as_bytes());
        end = place.end;
    }
    clean.extend_from_slice(body.get(end..).unwrap_or_default());

    let minted =
        found.minted.into_iter().map(|minted| Minted { pointer: call.redact(&minted.pointer), ..minted }).collect();
    Lifted { body: call.redact_bytes(&clean), minted }
}

/// The parts of a text that may have to be replaced.
struct Found {
    /// What replaces a token: a string of JSON, or text in a form.
    mask: &'static str,
    minted: Vec<Minted>,
    /// Ranges of the tokens in the text.
    masked: Vec<Range<usize>>,
    /// Ranges of the other strings and names with escapes, and their decoded text.
    escaped: Vec<(Range<usize>, Zeroizing<String>)>,
    numbers: Vec<Range<usize>>,
}

impl Default for Found {
    fn default() -> Self {
        Self { mask: MASKED, minted: Vec::new(), masked: Vec::new(), escaped: Vec::new(), numbers: Vec::new() }
    }
}

/// The tokens of an answer in `application/x-www-form-urlencoded`, as some token endpoints write it. The pointer of a token is that of
/// a member of its name.
fn find_in_form(text: &str, pointers: &[String]) -> Option<Found> {
    if !text.contains('=') || text.contains(|c: char| c.is_whitespace() || matches!(c, '<' | '{' | '"')) {
        return None;
    }
    let mut found = Found { mask: MASK, ..Found::default() };
    let mut start = 0;
    for pair in text.split('&') {
        let end = start + pair.len();
        if let Some(((name, _), value)) = pair.split_once('=').zip(decoded(pair)) {
            let pointer = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
            let asked_for = pointers.contains(&pointer);
            if (asked_for || is_token(Meaning::of(name), &value)) && !value.is_empty() && *value != *MASK {
                found.masked.push(start + name.len() + 1..end);
                if found.minted.len() < MOST_MINTED || asked_for {
                    found.minted.push(Minted { pointer, token: Arc::new(Secret::new(value.as_str())) });
                }
            }
        }
        start = end + 1;
    }
    Some(found)
}

/// The value of a pair, without its percent-encoding.
fn decoded(pair: &str) -> Option<Zeroizing<String>> {
    let (_, value) = url::form_urlencoded::parse(pair.as_bytes()).next()?;
    Some(Zeroizing::new(value.into_owned()))
}

fn find(text: &str, pointers: &[String]) -> Option<Found> {
    let mut found = Found::default();
    visit(text, |scalar| {
        let written = text.get(scalar.place.clone()).unwrap_or_default();
        let (pointer, member) = match scalar.kind {
            ScalarKind::Number => return found.numbers.push(scalar.place),
            ScalarKind::Name => (None, None),
            ScalarKind::String { pointer, member } => (Some(pointer), member),
        };
        let asked_for = pointer.is_some_and(|pointer| pointers.iter().any(|asked| asked == pointer));
        let named = member.map_or(Meaning::Else, Meaning::of);
        let is_escaped = written.contains('\\');
        if !asked_for && named == Meaning::Else && !is_escaped {
            return;
        }
        let value = decode(written).unwrap_or_default();
        let is_token = asked_for || is_token(named, &value);
        match pointer {
            Some(pointer) if is_token && !value.is_empty() && value != MASK => {
                found.masked.push(scalar.place);
                if found.minted.len() < MOST_MINTED || asked_for {
                    found.minted.push(Minted { pointer: pointer.to_owned(), token: Arc::new(Secret::new(value)) });
                }
            }
            _ if is_escaped => found.escaped.push((scalar.place, Zeroizing::new(value))),
            _ => {}
        }
    })?;
    Some(found)
}

/// Numbers that contain a secret become strings, so that the response remains JSON.
fn numbers_with_secrets(numbers: Vec<Range<usize>>, secrets: &[Range<usize>]) -> impl Iterator<Item = Range<usize>> {
    let mut secrets = secrets.iter().peekable();
    numbers.into_iter().filter(move |number| {
        while secrets.next_if(|secret| secret.end <= number.start).is_some() {}
        secrets.peek().is_some_and(|secret| secret.start < number.end)
    })
}

/// Strings with escapes are searched in their decoded form. All are searched at once, as one text.
fn escaped_strings_with_secrets(
    escaped: &[(Range<usize>, Zeroizing<String>)],
    call: &Call,
) -> Vec<(Range<usize>, Cow<'static, str>)> {
    if escaped.is_empty() {
        return Vec::new();
    }
    let mut meant = Zeroizing::new(String::with_capacity(escaped.iter().map(|(_, value)| value.len() + 2).sum()));
    let mut ends = Vec::with_capacity(escaped.len());
    for (_, value) in escaped {
        meant.push('"');
        meant.push_str(value);
        meant.push('"');
        ends.push(meant.len());
    }
    let mut secrets = call.redactor().places(meant.as_bytes()).into_iter().peekable();
    let mut start = 0;
    let mut edits = Vec::new();
    for ((place, value), end) in escaped.iter().zip(ends) {
        while secrets.next_if(|secret| secret.end <= start).is_some() {}
        if secrets.peek().is_some_and(|secret| secret.start < end) {
            // A secret across two strings is in neither of them, so it is the single string that decides.
            let clean = call.redact(value);
            if clean != **value {
                edits.push((place.clone(), serde_json::Value::from(clean).to_string().into()));
            }
        }
        start = end;
    }
    edits
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EgressLimits, GrantSet};
    use tokio::time::Instant;

    fn call(secrets: &[&str]) -> Call {
        let mut call = Call::new(Arc::new(GrantSet::default()), Instant::now(), &EgressLimits::default());
        for secret in secrets {
            call.add_secret(Arc::new(Secret::new(*secret)));
        }
        call
    }

    fn lifted(body: &str, pointers: &[&str], secrets: &[&str]) -> (String, Vec<(String, String)>) {
        let pointers: Vec<String> = pointers.iter().map(|&pointer| pointer.to_owned()).collect();
        let body = Zeroizing::new(body.as_bytes().to_vec());
        let lifted = lift(body, &pointers, &mut call(secrets));
        let minted = lifted.minted.into_iter().map(|minted| (minted.pointer, minted.token.expose().to_owned()));
        (String::from_utf8(lifted.body).unwrap(), minted.collect())
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|&(pointer, token)| (pointer.to_owned(), token.to_owned())).collect()
    }

    #[test]
    fn tokens_are_lifted_and_all_else_stays_as_it_was_written() {
        for (body, clean, minted) in [
            (
                r#"{ "token_type":"bearer", "access_token" : "at-1",  "expires_in":3600.50, "refresh_token":"rt-1" }"#,
                r#"{ "token_type":"bearer", "access_token" : "***",  "expires_in":3600.50, "refresh_token":"***" }"#,
                &[("/access_token", "at-1"), ("/refresh_token", "rt-1")][..],
            ),
            (
                r#"{"data":[{"apiKey":"k1"},{"Api-Key":"k\u0032"}],"id":12345678901234567890123}"#,
                r#"{"data":[{"apiKey":"***"},{"Api-Key":"***"}],"id":12345678901234567890123}"#,
                &[("/data/0/apiKey", "k1"), ("/data/1/Api-Key", "k2")][..],
            ),
            (r#"{"token":"abcdef0123"}"#, r#"{"token":"***"}"#, &[("/token", "abcdef0123")][..]),
            (r#"{"token":"abcdefghijabcdefghij"}"#, r#"{"token":"***"}"#, &[("/token", "abcdefghijabcdefghij")][..]),
            (r#"{"x_client_secret":"cs"}"#, r#"{"x_client_secret":"***"}"#, &[("/x_client_secret", "cs")][..]),
            (r#"{"id_token":["a.b.c"]}"#, r#"{"id_token":["***"]}"#, &[("/id_token/0", "a.b.c")][..]),
            (
                r#"{"access_token":"a1b2","access_token":"c3d4"}"#,
                r#"{"access_token":"***","access_token":"***"}"#,
                &[("/access_token", "a1b2"), ("/access_token", "c3d4")][..],
            ),
            (
                r#"{"private_key":"-----BEGIN PRIVATE KEY-----\nMII\n"}"#,
                r#"{"private_key":"***"}"#,
                &[("/private_key", "-----BEGIN PRIVATE KEY-----\nMII\n")][..],
            ),
        ] {
            assert_eq!(lifted(body, &[], &[]), (clean.to_owned(), pairs(minted)), "{body}");
        }
    }

    #[test]
    fn what_is_no_token_stays() {
        for body in [
            r#"{"token_type":"bearer","expires_in":3600,"scope":"a b"}"#,
            r#"{"access_token":"","refresh_token":null,"token":true,"api_key":1,"secret":{}}"#,
            r#"{"access_token":"***"}"#,
            r#"{"errors":{"password":"required","token":"invalid_token","access_token":"is missing"}}"#,
            r#"{"next_page_token":"abc123","tokens":3,"token_url":"https://a","secretary":"Ann1"}"#,
            r#"["abc123","token"]"#,
            "a=b&c=abc123",
            "token=is missing",
            "access_token=abc123 and more words",
            "",
        ] {
            assert_eq!(lifted(body, &[], &[]), (body.to_owned(), Vec::new()));
        }
    }

    #[test]
    fn tokens_of_a_form_are_lifted_as_those_of_json() {
        let body = "access_token=at%2D1&scope=a%20b&refresh_token=rt%2B1&expires_in=3600&id_token=&again=at-1";
        let body = body.replace("a%20b", "a+b");
        let clean = "access_token=***&scope=a+b&refresh_token=***&expires_in=3600&id_token=&again=***";
        let minted = pairs(&[("/access_token", "at-1"), ("/refresh_token", "rt+1")]);
        assert_eq!(lifted(&body, &[], &[]), (clean.to_owned(), minted));
        assert_eq!(lifted("code=xyz987", &["/code"], &[]), ("code=***".to_owned(), pairs(&[("/code", "xyz987")])));
    }

    #[test]
    fn a_pointer_lifts_what_it_points_at() {
        let body = r#"{"a":{"b/c":["x","word"]},"n":1}"#;
        assert_eq!(
            lifted(body, &["/a/b~1c/1", "/n", "/nothing"], &[]),
            (r#"{"a":{"b/c":["x","***"]},"n":1}"#.to_owned(), pairs(&[("/a/b~1c/1", "word")]),)
        );
        assert_eq!(lifted(r#""word""#, &[""], &[]), (r#""***""#.to_owned(), pairs(&[("", "word")])));
    }

    #[test]
    fn a_minted_token_is_taken_out_of_the_rest_too() {
        let body = r#"{"echo":"Bearer at-12345","access_token":"at-12345","at-12345":{"id_token":"it-1"}}"#;
        let clean = r#"{"echo":"Bearer ***","access_token":"***","***":{"id_token":"***"}}"#;
        let minted = pairs(&[("/access_token", "at-12345"), ("/***/id_token", "it-1")]);
        assert_eq!(lifted(body, &[], &[]), (clean.to_owned(), minted));
    }

    #[test]
    fn secrets_are_found_behind_any_escapes_and_in_numbers() {
        let body =
            r#"{"a":"x \u0073\u0033cr3t","b":9123459,"c":"\n","s3c\u00723t":1,"d":"s3cr3t","e":"\u006eo","f":1}"#;
        let clean = r#"{"a":"x ***","b":"***","c":"\n","***":1,"d":"***","e":"***","f":1}"#;
        assert_eq!(lifted(body, &[], &["s3cr3t", "12345", "no"]).0, clean);
    }

    #[test]
    fn a_flood_of_tokens_is_masked_but_not_kept() {
        let body = format!("[{}]", vec![r#"{"access_token":"abc123"}"#; 1000].join(","));
        let (clean, minted) = lifted(&body, &[], &[]);
        assert!(!clean.contains("abc123"));
        assert_eq!(minted.len(), MOST_MINTED);
    }

    #[test]
    fn pointers_are_checked() {
        for good in ["", "/", "/a", "/a~0b~1c/0"] {
            assert!(is_pointer(good), "{good}");
        }
        for bad in ["a", "a/b", "/a~", "/a~2", "#/a"] {
            assert!(!is_pointer(bad), "{bad}");
        }
        assert!(check_pointers(&vec!["/a".to_owned(); MOST_POINTERS + 1]).is_err());
    }
}
