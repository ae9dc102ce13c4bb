//! Whether a value that is not stored looks like a secret, by its name or by what it is.

/// Words of names under which secrets are kept.
const TELLING_WORDS: [&str; 14] = [
    "apikey",
    "bearer",
    "credential",
    "credentials",
    "jwt",
    "key",
    "keys",
    "pass",
    "passphrase",
    "password",
    "pat",
    "private",
    "pwd",
    "token",
];
/// Parts of names that are telling in any spelling: `CLIENTSECRET`.
const TELLING_PARTS: [&str; 9] =
    ["accesskey", "apikey", "credential", "passphrase", "passwd", "password", "privatekey", "secret", "token"];
/// Last words of names that only describe a secret: `token_type`, `key_id`, `client_secret_expires_at`.
const DESCRIBING: [&str; 25] = [
    "at",
    "count",
    "date",
    "endpoint",
    "expires",
    "expiry",
    "format",
    "id",
    "ids",
    "in",
    "kind",
    "label",
    "length",
    "limit",
    "method",
    "mode",
    "name",
    "placement",
    "scheme",
    "scope",
    "scopes",
    "status",
    "type",
    "uri",
    "url",
];
/// Words of names whose values are public.
const HARMLESS: [&str; 3] = ["public", "publishable", "cursor"];
/// How tokens and keys of well-known providers begin.
const PREFIXES: [&str; 29] = [
    "AIza",
    "Bearer ",
    "dop_v1_",
    "ghe_",
    "gho_",
    "ghp_",
    "ghr_",
    "ghs_",
    "ghu_",
    "github_pat_",
    "glpat-",
    "lin_api_",
    "lin_oauth_",
    "pat-eu",
    "pat-na",
    "rk_live_",
    "rk_test_",
    "shpat_",
    "shpca_",
    "shppa_",
    "shprt_",
    "shpss_",
    "sk_",
    "whsec_",
    "xapp-",
    "xkeysib-",
    "xox",
    "ya29.",
    "npm_",
];
/// The same, of which words can begin like that, too: only long ones count.
const SHORT_PREFIXES: [&str; 9] = ["1//0", "EAA", "SG.", "dapi", "hf_", "ntn_", "pat-", "secret_", "sk-"];
/// Characters of a value that is a secret for no other reason than that it looks random.
const RANDOM_FROM: usize = 20;
/// Bits a character from which a value looks random.
const RANDOM_BITS: f64 = 3.5;
/// Characters that are looked at: a secret shows itself before.
const LOOKED_AT: usize = 256;

/// Whether a value of that name looks like a secret.
pub(crate) fn looks_secret(name: &str, value: &str) -> bool {
    let value = value.trim();
    let words = words(name);
    if value.is_empty() || words.iter().any(|word| HARMLESS.contains(&word.as_str())) {
        return false;
    }
    let is_id = words.last().is_some_and(|word| matches!(word.as_str(), "id" | "ids"));
    (is_telling(&words) && !is_plain(value)) || is_well_known(value) || (!is_id && is_random(value))
}

/// Whether a name says that its value is a secret.
pub(super) fn is_telling_name(name: &str) -> bool {
    is_telling(&words(name))
}

fn is_telling(words: &[String]) -> bool {
    let flat = words.concat();
    let describes = words.last().is_some_and(|word| DESCRIBING.contains(&word.as_str()));
    let ends = ["type", "url", "uri", "expiresat", "expiresin", "expiry", "keyid"];
    !describes
        && !ends.iter().any(|end| flat.ends_with(end))
        && (words.iter().any(|word| TELLING_WORDS.contains(&word.as_str()))
            || TELLING_PARTS.iter().any(|part| flat.contains(part)))
}

/// `clientSecret`, `CLIENT-SECRET` and `client secret` -> `client`, `secret`.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = '_';
    for c in name.chars().take(LOOKED_AT) {
        if (c.is_uppercase() && (before.is_lowercase() || before.is_ascii_digit())) || !c.is_alphanumeric() {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| c.is_alphanumeric()) {
            word.extend(c.to_lowercase());
        }
        before = c;
    }
    words.retain(|word| !word.is_empty());
    words
}

/// A flag, a count or a time: no secret, whatever its name is.
fn is_plain(value: &str) -> bool {
    let is_flag = ["true", "false", "null", "none", "yes", "no"].iter().any(|flag| value.eq_ignore_ascii_case(flag));
    is_flag || value.parse::<u64>().is_ok_and(|number| number < 1000) || value.parse::<jiff::Timestamp>().is_ok()
}

fn is_well_known(value: &str) -> bool {
    let has_user = value.split_once("://").is_some_and(|(_, rest)| {
        let host = rest.split('/').next().unwrap_or_default();
        host.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'))
    });
    let parts = value.split('.').filter(|part| !part.is_empty()).count();
    has_user
        || value.contains("-----BEGIN")
        || begins(value, &PREFIXES, 4)
        || begins(value, &SHORT_PREFIXES, 16)
        || (value.starts_with("eyJ") && parts >= 2)
}

/// Whether a value begins with one of these prefixes, followed by more than `more` bytes without white space.
fn begins(value: &str, prefixes: &[&str], more: usize) -> bool {
    let rest = prefixes.iter().find_map(|prefix| value.strip_prefix(prefix));
    rest.is_some_and(|rest| rest.len() > more && !rest.contains(char::is_whitespace))
}

/// Long, without spaces, of several kinds of characters, and none of them often.
fn is_random(value: &str) -> bool {
    let head: Vec<char> = value.chars().take(LOOKED_AT).collect();
    let is_of_a_token = |c: &char| c.is_ascii_alphanumeric() || "+/=_-.~".contains(*c);
    if head.len() < RANDOM_FROM || !head.iter().all(is_of_a_token) || is_uuid(value) || is_sid(value) || is_host(value)
    {
        return false;
    }
    let has = |test: fn(&char) -> bool| head.iter().any(test);
    let digits = has(char::is_ascii_digit);
    let mixed = digits && has(char::is_ascii_uppercase) && has(char::is_ascii_lowercase);
    let hex = head.len() >= 32 && digits && head.iter().all(char::is_ascii_hexdigit);
    (mixed || hex) && entropy(&head) >= if hex { 3.0 } else { RANDOM_BITS }
}

/// The entropy of a text in bits per character.
fn entropy(text: &[char]) -> f64 {
    let mut counts = [0_u32; 128];
    for c in text {
        if let Some(count) = counts.get_mut(*c as usize) {
            *count += 1;
        }
    }
    let all = f64::from(u32::try_from(text.len()).unwrap_or(u32::MAX));
    let share = |count: u32| f64::from(count) / all;
    counts.into_iter().filter(|count| *count > 0).map(|count| -share(count) * share(count).log2()).sum()
}

fn is_uuid(value: &str) -> bool {
    let lengths = value.split('-').map(str::len);
    lengths.eq([8, 4, 4, 4, 12]) && value.chars().all(|c| c == '-' || c.is_ascii_hexdigit())
}

/// A Twilio identifier: two capitals that say of what, and 32 hexadecimal digits.
fn is_sid(value: &str) -> bool {
    let (kind, rest) = value.split_at_checked(2).unwrap_or_default();
    kind.bytes().all(|b| b.is_ascii_uppercase()) && rest.len() == 32 && rest.bytes().all(|b| b.is_ascii_hexdigit())
}

fn is_host(value: &str) -> bool {
    let end = value.rsplit_once('.').map(|(_, end)| end).unwrap_or_default();
    (2..=12).contains(&end.len())
        && end.bytes().all(|b| b.is_ascii_lowercase())
        && value.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_or_a_value_tells_a_secret() {
        for (name, value) in [
            ("applicationKey", "abc123"),
            ("application_key", "abc123"),
            ("APPLICATION-KEY", "abc123"),
            ("clientSecret", "short"),
            ("CLIENTSECRET", "short"),
            ("client secret", "short"),
            ("appSecretKey", "short"),
            ("webhookSigningSecret", "short"),
            ("password", "hunter2"),
            ("userPassword", "hunter2"),
            ("dbpasswd", "hunter2"),
            ("pwd", "hunter2"),
            ("private", "short"),
            ("privateKey", "short"),
            ("refreshtoken", "short"),
            ("credential", "short"),
            ("pat", "short"),
            ("note", "sk_live_0123456789"),
            ("note", "xoxp-1-2-3"),
            ("note", "xoxe.xoxp-1-2-3"),
            ("note", "-----BEGIN PRIVATE KEY-----\nabc"),
            ("note", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln"),
            ("note", "ghp_0123456789abcdef"),
            ("note", "shpat_0123456789abcdef"),
            ("note", "Bearer abcdef"),
            ("note", "https://user:hunter2@db.example.com/x"),
            ("note", "0123456789abcdef0123456789abcdee"),
            ("note", "Zm9vYmFy8QzX1kLmNoPq2rStUvWx"),
        ] {
            assert!(looks_secret(name, value), "{name}: {value}");
        }
    }

    #[test]
    fn what_only_describes_a_secret_or_is_public_is_none() {
        for (name, value) in [
            ("siteParameter", "datadoghq.eu"),
            ("token_type", "bearer"),
            ("tokenType", "bearer"),
            ("key_id", "abcdef"),
            ("accessKeyId", "AKIAEXAMPLE"),
            ("client_secret_expires_at", "1767225600"),
            ("tokenExpiresAt", "2026-01-01T00:00:00Z"),
            ("token_url", "https://example.com/token"),
            ("accessTokenUrl", "https://example.com/token"),
            ("has_password", "true"),
            ("token_count", "17"),
            ("stripe_publishable_key", "pk_live_0123456789abcdef"),
            ("public_key", "-----BEGIN PUBLIC KEY-----"),
            ("clientSecret", ""),
            ("region", "eu-central-1"),
            ("subdomain", "acme"),
            ("hostname", "acme-company.my.salesforce.com"),
            ("instance_url", "https://acme-company.my.salesforce.com"),
            ("scope", "read:user repo workflow"),
            ("id", "3f2b8c1e-9d4a-4f6b-8a7c-1e2d3c4b5a69"),
            ("team_id", "T0123456789ABCDEFghijk"),
            ("note", "3f2b8c1e-9d4a-4f6b-8a7c-1e2d3c4b5a69"),
            ("note", "AC0123456789abcdef0123456789abcdef"),
            ("note", "the customer asked for this on Monday"),
            ("created", "2026-09-02T10:00:00.000Z"),
            ("email", "somebody.longname@example-company.com"),
            ("plan", "Basic annual plan"),
            ("title", "pat-a-cake"),
        ] {
            assert!(!looks_secret(name, value), "{name}: {value}");
        }
    }
}
