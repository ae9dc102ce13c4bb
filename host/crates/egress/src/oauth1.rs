//! OAuth 1.0a signatures (RFC 5849) with HMAC-SHA256.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keyferry_types::zeroizing::Zeroizing;
use ring::hmac;

use super::error::Invalid;
use super::offending_parts::breaks_json;
use super::percent_encode::strict;

/// Input of a signature, with secrets in it.
pub(super) struct Parameters<'a> {
    pub(super) method: &'a str,
    /// Scheme and host in lower case, and the port unless it is the scheme's own (RFC 5849, 3.4.1.2).
    pub(super) origin: &'a str,
    /// Path as it is sent; the query is in `pairs`.
    pub(super) path: &'a str,
    pub(super) realm: Option<&'a str>,
    pub(super) consumer_key: &'a str,
    pub(super) consumer_secret: &'a str,
    pub(super) token: &'a str,
    pub(super) token_secret: &'a str,
    pub(super) nonce: &'a str,
    /// Seconds since 1970.
    pub(super) timestamp: u64,
    /// Query parameters and form fields, decoded.
    pub(super) pairs: &'a [(&'a str, &'a str)],
}

/// A signed `Authorization` header.
pub(super) struct Signed {
    pub(super) header: Zeroizing<String>,
    pub(super) signature: Zeroizing<String>,
}

/// Signs a request and returns the `Authorization` header's parts.
pub(super) fn sign(parameters: &Parameters<'_>) -> Result<Signed, Invalid> {
    let timestamp = parameters.timestamp.to_string();
    let mut own = vec![
        ("oauth_consumer_key", parameters.consumer_key),
        ("oauth_nonce", parameters.nonce),
        ("oauth_signature_method", "HMAC-SHA256"),
        ("oauth_timestamp", timestamp.as_str()),
    ];
    if !parameters.token.is_empty() {
        own.push(("oauth_token", parameters.token));
    }
    own.push(("oauth_version", "1.0"));

    let base = base_string(
        parameters.method,
        parameters.origin,
        parameters.path,
        parameters.pairs.iter().chain(&own).copied(),
    );
    let key = Zeroizing::new(format!("{}&{}", strict(parameters.consumer_secret), strict(parameters.token_secret)));
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
    let signature = Zeroizing::new(STANDARD.encode(hmac::sign(&key, base.as_bytes())));

    let mut header = Zeroizing::new(String::from("OAuth "));
    if let Some(realm) = parameters.realm {
        if realm.chars().any(|c| c.is_control() || matches!(c, '"' | '\\')) {
            let message = "the OAuth realm must not hold quotes, backslashes or control characters";
            return Err(Invalid::with_text(message, realm, breaks_json));
        }
        header.push_str(&format!("realm=\"{realm}\", "));
    }
    for (name, value) in own {
        header.push_str(&format!("{name}=\"{}\", ", strict(value)));
    }
    header.push_str(&format!("oauth_signature=\"{}\"", strict(&signature)));
    Ok(Signed { header, signature })
}

/// The signature base string (RFC 5849, 3.4.1).
fn base_string<'a>(
    method: &str,
    origin: &str,
    path: &str,
    pairs: impl Iterator<Item = (&'a str, &'a str)>,
) -> Zeroizing<String> {
    let mut pairs: Vec<(Zeroizing<String>, Zeroizing<String>)> = pairs
        .map(|(name, value)| (Zeroizing::new(strict(name).to_string()), Zeroizing::new(strict(value).to_string())))
        .collect();
    // By encoded name, then by encoded value.
    pairs.sort_unstable_by(|a, b| (a.0.as_str(), a.1.as_str()).cmp(&(b.0.as_str(), b.1.as_str())));
    let mut normalized = Zeroizing::new(String::new());
    for (index, (name, value)) in pairs.iter().enumerate() {
        if index > 0 {
            normalized.push('&');
        }
        normalized.push_str(name);
        normalized.push('=');
        normalized.push_str(value);
    }
    let base_uri = Zeroizing::new(format!("{origin}{path}"));
    Zeroizing::new(format!("{method}&{}&{}", strict(&base_uri), strict(&normalized)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_base_string_is_that_of_rfc_5849() {
        // RFC 5849, 3.4.1.1, with the parameters of 3.4.1.3.1.
        let pairs = [
            ("b5", "=%3D"),
            ("a3", "a"),
            ("c@", ""),
            ("a2", "r b"),
            ("oauth_consumer_key", "9djdj82h48djs9d2"),
            ("oauth_token", "kkk9d7dh3k39sjv7"),
            ("oauth_signature_method", "HMAC-SHA1"),
            ("oauth_timestamp", "137131201"),
            ("oauth_nonce", "7d8f3e4a"),
            ("c2", ""),
            ("a3", "2 q"),
        ];
        assert_eq!(
            base_string("POST", "http://example.com", "/request", pairs.into_iter()).as_str(),
            "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q%26a3%3Da%26b5%3D%253D%25253D%26c%2540%3D%26c2\
             %3D%26oauth_consumer_key%3D9djdj82h48djs9d2%26oauth_nonce%3D7d8f3e4a%26oauth_signature_method%3DHMAC-SHA1%26oauth_\
             timestamp%3D137131201%26oauth_token%3Dkkk9d7dh3k39sjv7"
        );
    }

    const ORIGIN: &str = "https://1234567-sb1.suitetalk.api.netsuite.com";

    fn parameters<'a>(pairs: &'a [(&'a str, &'a str)]) -> Parameters<'a> {
        Parameters {
            method: "GET",
            origin: ORIGIN,
            path: "/services/rest/record/v1/x",
            realm: Some("1234567_SB1"),
            consumer_key: "ck & 1",
            consumer_secret: "cs/1",
            token: "tk",
            token_secret: "ts=1",
            nonce: "n0nce",
            timestamp: 1_700_000_000,
            pairs,
        }
    }

    #[test]
    fn the_signature_is_that_of_another_implementation() {
        let signed = sign(&parameters(&[("limit", "1 0"), ("a", "é&=")])).unwrap();
        // hmac-sha256("cs%2F1&ts%3D1", base string), computed with Python's hmac and urllib.parse.quote(safe="-._~").
        assert_eq!(signed.signature.as_str(), "80SurFLdF00SuOgProMLbostfXHHBKlMM9qX4SuC2pA=");
        assert!(
            signed
                .header
                .starts_with("OAuth realm=\"1234567_SB1\", oauth_consumer_key=\"ck%20%26%201\", oauth_nonce=\"n0nce\"")
        );
        assert!(
            signed
                .header
                .contains("oauth_signature_method=\"HMAC-SHA256\", oauth_timestamp=\"1700000000\", oauth_token=\"tk\"")
        );
        assert!(signed.header.ends_with(&format!("oauth_signature=\"{}\"", strict(&signed.signature))));
    }

    #[test]
    fn without_a_token_there_is_no_token_parameter() {
        let signed = sign(&Parameters { token: "", token_secret: "", ..parameters(&[]) }).unwrap();
        assert!(!signed.header.contains("oauth_token"));
    }

    #[test]
    fn a_realm_cannot_break_out_of_its_quotes() {
        for realm in ["a\"b", "a\\", "a\r\nX: y"] {
            assert!(sign(&Parameters { realm: Some(realm), ..parameters(&[]) }).is_err(), "{realm:?}");
        }
    }
}
