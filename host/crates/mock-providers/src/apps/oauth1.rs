//! OAuth 1.0a from the server's side (RFC 5849): reading the header, rebuilding the signature.
//!
//! The base string comes from the crate `oauth1-request`, so that a mistake in Keyferry's own signer is not repeated
//! here. The crate is written for clients; it takes a nonce and a timestamp, and a custom signature method, which here
//! returns the base string instead of signing it.

use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};
use std::num::NonZeroU64;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use oauth1_request::Credentials;
use oauth1_request::request::{AssertSorted, Request as _};
use oauth1_request::serializer::auth::{Authorizer, Options};
use oauth1_request::signature_method::{Sign, SignatureMethod};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use ring::hmac;

/// All but the unreserved characters of RFC 3986, which is what RFC 5849 section 3.6 asks for.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Why an `Authorization` header cannot be used, in the words of the OAuth problem reporting extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HeaderProblem {
    /// `parameter_absent`: a parameter is missing or empty.
    Absent,
    /// `parameter_rejected`: twice the same, not quoted, not percent-encoded UTF-8.
    Rejected,
}

/// The parameters of an `Authorization: OAuth` header, decoded.
#[derive(Debug, Default)]
pub(super) struct Parameters(BTreeMap<String, String>);

impl Parameters {
    pub(super) fn parse(header: &str) -> Result<Self, HeaderProblem> {
        let (scheme, list) = header.trim().split_once(' ').ok_or(HeaderProblem::Absent)?;
        if !scheme.eq_ignore_ascii_case("OAuth") {
            return Err(HeaderProblem::Absent);
        }
        let mut known = BTreeMap::new();
        // Values are percent-encoded, so a comma or a quote inside one cannot be meant as itself.
        for pair in list.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').ok_or(HeaderProblem::Rejected)?;
            let value = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
            let (name, value) = (decoded(name)?, decoded(value.ok_or(HeaderProblem::Rejected)?)?);
            if known.insert(name, value).is_some() {
                return Err(HeaderProblem::Rejected);
            }
        }
        Ok(Self(known))
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub(super) fn require(&self, name: &str) -> Result<&str, HeaderProblem> {
        self.get(name).filter(|value| !value.is_empty()).ok_or(HeaderProblem::Absent)
    }
}

fn decoded(text: &str) -> Result<String, HeaderProblem> {
    let text = percent_decode_str(text).decode_utf8().map_err(|_| HeaderProblem::Rejected)?;
    Ok(text.into_owned())
}

/// What a signature covers, besides the request's own parameters.
pub(super) struct Signed<'a> {
    pub(super) method: &'a str,
    /// Scheme, host and path: no query, no default port.
    pub(super) uri: &'a str,
    pub(super) consumer_key: &'a str,
    pub(super) token: &'a str,
    pub(super) signature_method: &'static str,
    pub(super) nonce: &'a str,
    /// Time of the request, in seconds since 1970.
    pub(super) timestamp: NonZeroU64,
    /// Whether `oauth_version="1.0"` was sent.
    pub(super) version: bool,
}

/// The signature base string (section 3.4.1). `parameters` are those of query and form body, decoded, without `realm`.
pub(super) fn base_string(signed: &Signed<'_>, parameters: &[(String, String)]) -> String {
    // The crate encodes values but expects names as the base string contains them: encoded twice. Sorting is by the
    // encoded name, then the encoded value (section 3.4.1.3.2), and a second encoding keeps that order.
    let mut parameters: Vec<(String, String, &str)> =
        parameters.iter().map(|(name, value)| (encoded(&encoded(name)), encoded(value), value.as_str())).collect();
    parameters.sort();
    let pairs = parameters.iter().map(|(name, _, value)| (name.as_str(), *value));
    let mut options = Options::new();
    options.nonce(signed.nonce).timestamp(signed.timestamp).version(signed.version);
    let authorizer = Authorizer::form(
        signed.method,
        signed.uri,
        Credentials::new(signed.consumer_key, ""),
        Some(Credentials::new(signed.token, "")),
        &options,
        Transcript { method_name: signed.signature_method, text: String::new() },
    );
    let form = AssertSorted::new(pairs).serialize(authorizer);
    // The form ends with the signature, which here is the base string itself: nothing in it is `=`.
    form.rsplit_once("oauth_signature=").map(|(_, text)| text.to_owned()).unwrap_or_default()
}

/// Whether `signature` (base64) is the HMAC-SHA256 of `base_string` under both secrets. Constant time in the digest.
pub(super) fn is_signed(base_string: &str, consumer_secret: &str, token_secret: &str, signature: &str) -> bool {
    let key = format!("{}&{}", encoded(consumer_secret), encoded(token_secret));
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
    STANDARD.decode(signature).is_ok_and(|tag| hmac::verify(&key, base_string.as_bytes(), &tag).is_ok())
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// A signature method whose signature is what was to be signed.
struct Transcript {
    method_name: &'static str,
    text: String,
}

impl SignatureMethod for Transcript {
    type Sign = Self;

    fn sign_with(self, _client_secret: &str, _token_secret: Option<&str>) -> Self {
        self
    }
}

impl Sign for Transcript {
    type Signature = String;

    fn get_signature_method_name(&self) -> &'static str {
        self.method_name
    }

    fn request_method(&mut self, method: &str) {
        self.text.push_str(method);
        self.text.push('&');
    }

    fn uri<T: Display>(&mut self, uri: T) {
        self.push(uri);
        self.text.push('&');
    }

    fn parameter<V: Display>(&mut self, key: &str, value: V) {
        self.text.push_str(key);
        self.text.push_str("%3D");
        self.push(value);
    }

    fn delimiter(&mut self) {
        self.text.push_str("%26");
    }

    fn end(self) -> String {
        self.text
    }
}

impl Transcript {
    fn push(&mut self, what: impl Display) {
        // Writing to a `String` cannot fail.
        let _always_ok = write!(self.text, "{what}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn builds_the_base_string_of_rfc_5849_section_3_4_1_1() {
        let signed = Signed {
            method: "POST",
            uri: "http://example.com/request",
            consumer_key: "9djdj82h48djs9d2",
            token: "kkk9d7dh3k39sjv7",
            signature_method: "HMAC-SHA1",
            nonce: "7d8f3e4a",
            timestamp: NonZeroU64::new(137_131_201).unwrap(),
            version: false,
        };
        let parameters = owned(&[("b5", "=%3D"), ("a3", "a"), ("c@", ""), ("a2", "r b"), ("c2", ""), ("a3", "2 q")]);
        assert_eq!(
            base_string(&signed, &parameters),
            "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q%26a3%3Da%26b5%3D%253D%25253D%26c%2540\
             %3D%26c2%3D%26oauth_consumer_key%3D9djdj82h48djs9d2%26oauth_nonce%3D7d8f3e4a%26oauth_signature_method%3D\
             HMAC-SHA1%26oauth_timestamp%3D137131201%26oauth_token%3Dkkk9d7dh3k39sjv7"
        );
    }

    #[test]
    fn parameters_are_sorted_by_their_encoded_form() {
        let signed = Signed {
            method: "GET",
            uri: "https://h/",
            consumer_key: "k",
            token: "t",
            signature_method: "HMAC-SHA256",
            nonce: "n",
            timestamp: NonZeroU64::new(1).unwrap(),
            version: true,
        };
        // `é` sorts after `z` as it is but before it encoded; `p` and `z` stand after the oauth ones.
        let text = base_string(&signed, &owned(&[("z", "1"), ("é", "2"), ("p", "3"), ("p", "")]));
        assert_eq!(
            text,
            "GET&https%3A%2F%2Fh%2F&%25C3%25A9%3D2%26oauth_consumer_key%3Dk%26oauth_nonce%3Dn%26\
             oauth_signature_method%3DHMAC-SHA256%26oauth_timestamp%3D1%26oauth_token%3Dt%26oauth_version%3D1.0%26\
             p%3D%26p%3D3%26z%3D1"
        );
    }

    #[test]
    fn reads_a_header_and_refuses_a_crooked_one() {
        let good = Parameters::parse(r#"OAuth realm="A_1",oauth_token="a%2Fb", oauth_signature="x%3D""#).unwrap();
        assert_eq!((good.get("realm"), good.get("oauth_token")), (Some("A_1"), Some("a/b")));
        assert_eq!(good.require("oauth_signature"), Ok("x="));
        assert_eq!(good.require("oauth_nonce"), Err(HeaderProblem::Absent));
        for (header, problem) in [
            ("Bearer x", HeaderProblem::Absent),
            ("OAuth", HeaderProblem::Absent),
            (r#"OAuth a="1",a="2""#, HeaderProblem::Rejected),
            ("OAuth a=1", HeaderProblem::Rejected),
            ("OAuth a", HeaderProblem::Rejected),
            (r#"OAuth a=""#, HeaderProblem::Rejected),
            (r#"OAuth a="%ff""#, HeaderProblem::Rejected),
        ] {
            assert_eq!(Parameters::parse(header).map(|_| ()), Err(problem), "{header}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_request_makes_the_base_string_panic(
            parameters in proptest::collection::vec((".{0,8}", ".{0,8}"), 0..6),
            nonce in ".{1,10}", key in ".{0,10}", token in ".{0,10}", header in ".{0,40}",
        ) {
            let signed = Signed {
                method: "GET", uri: "https://h/p", consumer_key: &key, token: &token,
                signature_method: "HMAC-SHA256", nonce: &nonce, timestamp: NonZeroU64::MIN, version: false,
            };
            let text = base_string(&signed, &parameters);
            proptest::prop_assert!(text.starts_with("GET&https%3A%2F%2Fh%2Fp&"));
            let _either = Parameters::parse(&format!("OAuth {header}"));
        }
    }
}
