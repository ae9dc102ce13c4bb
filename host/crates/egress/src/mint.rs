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
    let found = std::str::from_utf8(&body).ok().and_then(|text| find(text, pointers)).unwrap_or_default();
    for minted in &found.minted {
        call.add_secret(Arc::clone(&minted.token));
    }
    let secrets = call.redactor().places(&body);

    let masked = || Cow::Borrowed(MASKED);
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

/// The parts of a JSON text that may have to be replaced.
#[derive(Default)]
struct Found {
    minted: Vec<Minted>,
    /// Ranges of the tokens in the text.
    masked: Vec<Range<usize>>,
    /// Ranges of the other strings and names with escapes, and their decoded text.
    escaped: Vec<(Range<usize>, Zeroizing<String>)>,
    numbers: Vec<Range<usize>>,
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

/// Ends of the names of secrets, in lower case and without what is no letter.
const SECRET: [&str; 23] = [
    "accesskey",
    "accesstoken",
    "apikey",
    "apisecret",
    "apitoken",
    "appsecret",
    "assertion",
    "authtoken",
    "bearertoken",
    "bottoken",
    "clientsecret",
    "consumersecret",
    "idtoken",
    "jwt",
    "oauthtoken",
    "privatekey",
    "refreshtoken",
    "secretaccesskey",
    "secretkey",
    "sessiontoken",
    "signingsecret",
    "tokensecret",
    "usertoken",
];

/// The meaning of a member's name for its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// A token, key or password.
    Secret,
    /// That too, or the field that an error is about (`"password": "required"`).
    SecretOrField,
    /// The name says nothing about secrecy.
    Else,
}

impl Meaning {
    /// `access_token`, `accessToken`, `Access-Token` and `x_access_token` mean the same.
    fn of(name: &str) -> Self {
        if name.is_ascii() && !may_be_of_a_secret(name) {
            return Self::Else;
        }
        // No name of a token is this long, and names are read again for each string of an array.
        let mut letters = [0; 128];
        if name.len() > letters.len() {
            return Self::Else;
        }
        if !name.is_ascii() {
            let letters: String = name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
            return Self::of_letters(letters.as_bytes());
        }
        let mut length = 0;
        for (slot, byte) in letters.iter_mut().zip(name.bytes().filter(u8::is_ascii_alphanumeric)) {
            *slot = byte.to_ascii_lowercase();
            length += 1;
        }
        Self::of_letters(letters.get(..length).unwrap_or_default())
    }

    fn of_letters(name: &[u8]) -> Self {
        let ends_in = |end: &&str| name.ends_with(end.as_bytes());
        // How each of them ends.
        if !["assertion", "jwt", "key", "passphrase", "passwd", "password", "secret", "token"].iter().any(ends_in) {
            Self::Else
        } else if SECRET.iter().any(ends_in) {
            Self::Secret
        } else if name == b"token" || ["secret", "password", "passwd", "passphrase"].iter().any(ends_in) {
            Self::SecretOrField
        } else {
            Self::Else
        }
    }
}

/// Whether a name in ASCII has the last two letters of some name of a secret: most have not.
fn may_be_of_a_secret(name: &str) -> bool {
    let mut letters = name.bytes().rev().filter(u8::is_ascii_alphanumeric).map(|byte| byte.to_ascii_lowercase());
    let (last, before) = (letters.next(), letters.next());
    // assertion, token; jwt, secret; key; passphrase; passwd, password.
    let ends = [b"on", b"en", b"wt", b"et", b"ey", b"se", b"wd", b"rd"];
    ends.iter().any(|[first, second]| last == Some(*second) && before == Some(*first))
}

/// Whether a value under a name of this meaning is a token. Sentences never are (`"access_token": "is missing"`), nor
/// is a plain word where the name may be that of a field.
fn is_token(meaning: Meaning, value: &str) -> bool {
    let is_pem = value.contains("-----BEGIN ");
    let is_sentence = value.contains(char::is_whitespace) && !is_pem;
    match meaning {
        Meaning::Secret => !is_sentence,
        Meaning::SecretOrField => {
            let in_a_word = |b: u8| b.is_ascii_lowercase() || matches!(b, b'_' | b'-' | b'.');
            let is_word = value.len() < 20 && value.bytes().all(in_a_word);
            !(is_sentence || is_word)
        }
        Meaning::Else => false,
    }
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
            "token=abc123",
            "",
        ] {
            assert_eq!(lifted(body, &[], &[]), (body.to_owned(), Vec::new()));
        }
    }

    #[test]
    fn each_name_of_a_secret_ends_in_letters_that_are_looked_for() {
        for name in SECRET.iter().chain(&["token", "secret", "password", "passwd", "passphrase"]) {
            assert!(may_be_of_a_secret(name), "{name}");
            assert_ne!(Meaning::of(&format!("{}_", name.to_uppercase())), Meaning::Else, "{name}");
        }
        assert!(!may_be_of_a_secret("display_name"));
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
