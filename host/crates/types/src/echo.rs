//! Which parts of a caller's text a response may repeat.
//!
//! A caller that mixes up name and value sends a secret in place of a name. Responses are copied into logs, tickets and
//! chats. So a name that a caller chose is repeated only where it cannot be a secret: it is one or two typing errors
//! away from a name that is known here, or consists of words and figures that field names consist of ([`safe`]). Where a
//! name is expected and a value is seldom seen (slugs, paths, names of members and columns), what has the form of a name
//! is repeated as well ([`safe_name`]): a person cannot find a name that is masked. Any other name is masked.

use std::fmt::Write as _;

use strsim::osa_distance;

/// Shown in place of a name that is not repeated.
pub const MASK: &str = "***";

/// The longest name that is compared at all.
const LONGEST: usize = 64;

/// The longest name that is repeated for its form alone.
const LONGEST_NAME: usize = 32;

/// The most letters of a word in such a name, and the most consonants in a row. A random token has longer ones.
const LONGEST_WORD: usize = 20;
const MOST_CONSONANTS: usize = 5;

/// First words of tokens of well-known providers. What follows one of these is a value: `sk-abcdefgh`.
const TOKEN_STARTS: [&str; 16] = [
    "dop", "ghe", "gho", "ghp", "ghr", "ghs", "ghu", "glpat", "rk", "shpat", "shpca", "shppa", "shpss", "sk", "whsec",
    "xapp",
];

/// The words that names of credentials' fields, auth types and endpoints consist of, and the figures that go with them.
/// A value of only these words is worthless as a credential.
const WORDS: [&str; 106] = [
    "access",
    "account",
    "admin",
    "api",
    "app",
    "application",
    "at",
    "audience",
    "auth",
    "authorization",
    "azure",
    "base",
    "basic",
    "bearer",
    "bot",
    "bucket",
    "ca",
    "callback",
    "cert",
    "certificate",
    "client",
    "code",
    "company",
    "config",
    "connection",
    "consumer",
    "cookie",
    "credential",
    "credentials",
    "custom",
    "data",
    "database",
    "domain",
    "email",
    "endpoint",
    "environment",
    "expires",
    "expiry",
    "extra",
    "field",
    "fields",
    "google",
    "grant",
    "header",
    "host",
    "hub",
    "id",
    "in",
    "instance",
    "integration",
    "integrations",
    "issuer",
    "jwt",
    "key",
    "keybased",
    "linked",
    "login",
    "mail",
    "merchant",
    "metadata",
    "migrate",
    "name",
    "number",
    "oauth",
    "object",
    "org",
    "organization",
    "pass",
    "passphrase",
    "password",
    "path",
    "pin",
    "port",
    "private",
    "project",
    "public",
    "realm",
    "redirect",
    "refresh",
    "region",
    "role",
    "saml",
    "sandbox",
    "scope",
    "scopes",
    "secret",
    "server",
    "service",
    "session",
    "shop",
    "signature",
    "signing",
    "site",
    "slug",
    "state",
    "store",
    "subdomain",
    "team",
    "tenant",
    "test",
    "token",
    "tokens",
    "type",
    "uri",
    "url",
    "user",
];

/// A name of the caller's, if a message may repeat it; [`MASK`] otherwise.
pub fn safe<'a>(name: &'a str, known: impl IntoIterator<Item = &'a str>) -> &'a str {
    if is_harmless(name, known) { name } else { MASK }
}

/// A name of the caller's in the place of a name: a slug, a part of a path, a member, a column. Repeated if [`safe`] repeats
/// it, or if it has the form of a name.
pub fn safe_name<'a>(name: &'a str, known: impl IntoIterator<Item = &'a str>) -> &'a str {
    if has_form_of_name(name) || is_harmless(name, known) { name } else { MASK }
}

/// The known name that a caller's name may stand for: the nearest of those that one or two typing errors lead to.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = name.to_ascii_lowercase();
    let near = known.into_iter().filter(|known| name.len() <= LONGEST && is_near(&lower, &known.to_ascii_lowercase()));
    near.min_by_key(|known| osa_distance(&lower, known))
}

/// A note that a name is masked, for the end of a message; empty if `repeated` (what [`safe`] or [`safe_name`] returned) is the name
/// itself.
pub fn masked_note(name: &str, repeated: &str) -> String {
    if name == repeated {
        return String::new();
    }
    // The length is not given either: it may be a secret's.
    " (this name is not repeated here: it may be a value in the wrong place)".to_owned()
}

/// Several names of the caller's, separated by commas, each as [`safe_name`].
pub fn safe_list<'a>(names: impl IntoIterator<Item = &'a str>, known: &[&'a str]) -> String {
    let mut text = String::new();
    for name in names {
        let comma = if text.is_empty() { "" } else { ", " };
        // Writing to a string cannot fail.
        let _ = write!(text, "{comma}{}", safe_name(name, known.iter().copied()));
    }
    text
}

fn is_harmless<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> bool {
    if name.is_empty() || name.len() > LONGEST || !name.bytes().all(is_of_a_name) {
        return false;
    }
    let lower = name.to_ascii_lowercase();
    known.into_iter().any(|known| is_near(&lower, &known.to_ascii_lowercase()))
        || words(name).all(|word| is_word(&word))
}

/// Whether a name consists of words in lower case, with at most one digit at the begin or end of each: `acme-crm`,
/// `customer_ref2`. A token has upper case, digits between letters, or is longer.
fn has_form_of_name(name: &str) -> bool {
    let is_allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-');
    if name.is_empty() || name.len() > LONGEST_NAME || !name.bytes().all(is_allowed) {
        return false;
    }
    let mut words = name.split(['_', '-']).filter(|word| !word.is_empty());
    let begins_token = words.clone().nth(1).is_some()
        && words.clone().next().is_some_and(|word| TOKEN_STARTS.contains(&word) || word.starts_with("xox"));
    !begins_token
        && words.clone().any(|word| word.contains(|c: char| c.is_ascii_lowercase()))
        && words.all(is_name_word)
}

fn is_name_word(word: &str) -> bool {
    let is_digit = |c: char| c.is_ascii_digit();
    let letters = word.strip_prefix(is_digit).or_else(|| word.strip_suffix(is_digit)).unwrap_or(word);
    let consonants = |part: &str| part.len() <= MOST_CONSONANTS;
    letters.len() <= LONGEST_WORD
        && !letters.contains(is_digit)
        && letters.split(['a', 'e', 'i', 'o', 'u', 'y']).all(consonants)
}

fn is_of_a_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

/// Whether the edit distance to a publicly known name is at most 2, or at most 1 where that name has fewer than 5
/// bytes.
fn is_near(name: &str, known: &str) -> bool {
    let slips = if known.len() < 5 { 1 } else { 2 };
    name.len().abs_diff(known.len()) <= slips && osa_distance(name, known) <= slips
}

/// `accessToken2`, `access_token-2` -> `access`, `token`, `2`.
fn words(name: &str) -> impl Iterator<Item = String> {
    let mut words = vec![String::new()];
    let mut before = '_';
    for c in name.chars() {
        let begins = (c.is_ascii_uppercase() && !before.is_ascii_uppercase())
            || (c.is_ascii_digit() != before.is_ascii_digit())
            || !c.is_ascii_alphanumeric();
        if begins {
            words.push(String::new());
        }
        if c.is_ascii_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.push(c.to_ascii_lowercase());
        }
        before = c;
    }
    words.into_iter().filter(|word| !word.is_empty())
}

fn is_word(word: &str) -> bool {
    // `oauth2`, `v2`, `key1`: one figure tells nothing.
    let is_figure = word.len() == 1 && word.bytes().all(|b| b.is_ascii_digit() || b == b'v');
    is_figure || WORDS.contains(&word)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 3] = ["access_token", "shop_domain", "dc"];

    #[test]
    fn a_name_that_is_nearly_a_known_one_is_repeated() {
        for name in
            ["access_token", "acess_token", "access_tokne", "AccessToken", "shopdomain", "shop_domains", "cd", "d"]
        {
            assert_eq!(safe(name, KNOWN), name);
        }
    }

    #[test]
    fn a_name_made_of_the_words_of_names_is_repeated() {
        for name in ["password", "client_secret", "clientSecret", "OAuth2", "api-key", "apiKey1", "extra", "SAML", "v2"]
        {
            assert_eq!(safe(name, []), name);
        }
    }

    #[test]
    fn a_name_that_could_be_a_value_is_not() {
        for name in [
            "",
            "hunter",
            "hunter2",
            "s3cr3t",
            "correct-horse-battery-staple",
            "sk_test_4eC39HqLyjWDarjtT1zdp7dc",
            "xoxb-17653672481-19874698323",
            "8f14e45fceea167a5a36dedd4bea2543",
            "access_token_8f14e45fceea167a",
            "token=abc",
            "1234567890",
            "key12",
            "p\u{e4}ssword",
            "pass word",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
            &"token_".repeat(20),
        ] {
            assert_eq!(safe(name, KNOWN), MASK, "{name}");
        }
    }

    #[test]
    fn in_the_place_of_a_name_what_has_its_form_is_repeated_and_a_token_is_not() {
        for name in [
            "acme-crm",
            "customer_portal_ref",
            "legacy-billing-v2",
            "auth0",
            "2fa_code",
            "s3-bucket",
            "mysqlclient",
            "personalaccesstoken",
            "pat",
            "worldwide_rhythms",
            "access_token",
            "AccessToken",
        ] {
            assert_eq!(safe_name(name, KNOWN), name);
        }
        for name in [
            "",
            "s3cr3t",
            "s3cr3t-v4lue",
            "hunter22",
            "hunter2x",
            "key12",
            "Hunter",
            "V4LUE",
            "a.b",
            "sk-abcdefghijkl",
            "sk_live_abcdefghijkl",
            "xoxb-abcdefgh",
            "qhdkwpzmxnvbtyre",
            "abcdefghijklmnopqrstuvwxyz",
            "8f14e45fceea167a5a36dedd4bea2543",
            "3f0c5a7e-1b2d-4c6f-8a90-1e2d3c4b",
            "a-name-of-more-than-thirty-two-bytes",
            "p\u{e4}ssword",
            "pass word",
        ] {
            assert_eq!(safe_name(name, []), MASK, "{name}");
        }
    }

    #[test]
    fn what_is_masked_is_told_without_its_length() {
        assert_eq!(masked_note("api_key", safe("api_key", [])), "");
        let secret = "s3cr3t-v4lue";
        let told = masked_note(secret, safe(secret, []));
        assert!(told.contains("not repeated here") && !told.contains("s3"), "{told}");
        assert_eq!(told, masked_note("s3cr3t", safe("s3cr3t", [])));
    }

    #[test]
    fn a_list_masks_one_by_one() {
        assert_eq!(safe_list(["client_id", "s3cr3t-v4lue"], &KNOWN), "client_id, ***");
        assert_eq!(safe_list([], &KNOWN), "");
    }

    #[test]
    fn the_words_are_in_order_and_each_is_there_once() {
        assert!(WORDS.is_sorted_by(|a, b| a < b), "{WORDS:?}");
    }
}
