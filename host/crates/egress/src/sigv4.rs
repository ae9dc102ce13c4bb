//! AWS Signature Version 4
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>).
//!
//! Written here and not taken from `aws-sigv4`: that crate builds the signing key and the canonical request, which contain
//! secrets, in memory that is not wiped, and depends on AWS' runtime, which only builds with the feature `aws-kms` have.

use keyferry_types::zeroizing::Zeroizing;
use percent_encoding::percent_decode_str;
use ring::{digest, hmac};

use super::error::Invalid;
use super::percent_encode::strict;

/// Input of a signature, with secrets in it.
pub(super) struct Parameters<'a> {
    pub(super) method: &'a str,
    /// The value of `Host`.
    pub(super) host: &'a str,
    /// Percent-encoded path of the URL, as it is sent.
    pub(super) path: &'a str,
    /// The query parameters, decoded.
    pub(super) query: &'a [(&'a str, &'a str)],
    /// The request's headers, names in lower case. `content-type` and `x-amz-*` of them are signed.
    pub(super) headers: &'a [(&'a str, &'a str)],
    pub(super) body: &'a [u8],
    pub(super) access_key_id: &'a str,
    pub(super) secret_access_key: &'a str,
    pub(super) session_token: Option<&'a str>,
    pub(super) region: &'a str,
    pub(super) service: &'a str,
    /// Time of the signature, such as `20150830T123600Z`.
    pub(super) date: &'a str,
}

/// The signed `Authorization` header and the headers that are sent with it.
pub(super) struct Signed {
    pub(super) authorization: Zeroizing<String>,
    /// Headers that were signed and have to be sent.
    pub(super) headers: Vec<(&'static str, Zeroizing<String>)>,
    pub(super) signature: String,
}

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// Signs a request and returns the headers of the signature.
pub(super) fn sign(parameters: &Parameters<'_>) -> Result<Signed, Invalid> {
    for (what, text) in [("region", parameters.region), ("service", parameters.service)] {
        if !is_plain(text) {
            let message =
                format!("the AWS {what} must be lower-case letters, digits and `-`, such as us-east-1 or sts");
            return Err(Invalid::with_text(message, text, |value| !is_plain(value)));
        }
    }
    let body_hash = hex::encode(digest::digest(&digest::SHA256, parameters.body));
    let mut own = vec![("x-amz-date", Zeroizing::new(parameters.date.to_owned()))];
    if let Some(token) = parameters.session_token {
        own.push(("x-amz-security-token", Zeroizing::new(token.to_owned())));
    }
    // S3 alone requires the hash as a header.
    if is_s3(parameters.service) {
        own.push(("x-amz-content-sha256", Zeroizing::new(body_hash.clone())));
    }
    if let Some((name, _)) = parameters.headers.iter().find(|(name, _)| own.iter().any(|(known, _)| known == name)) {
        return Err(Invalid::new(format!("the header {name} is set by the signature")));
    }

    let (signed_headers, canonical_headers) = canonical_headers(parameters, &own);
    let canonical_request = Zeroizing::new(format!(
        "{}\n{}\n{}\n{}\n{signed_headers}\n{body_hash}",
        parameters.method,
        canonical_path(parameters.path, parameters.service).as_str(),
        canonical_query(parameters.query).as_str(),
        canonical_headers.as_str(),
    ));
    let day = parameters.date.get(..8).unwrap_or_default();
    let scope = format!("{day}/{}/{}/aws4_request", parameters.region, parameters.service);
    let request_hash = hex::encode(digest::digest(&digest::SHA256, canonical_request.as_bytes()));
    let to_sign = format!("{ALGORITHM}\n{}\n{scope}\n{request_hash}", parameters.date);

    let first = Zeroizing::new(format!("AWS4{}", parameters.secret_access_key));
    let mut key = hmac::Key::new(hmac::HMAC_SHA256, first.as_bytes());
    for step in [day, parameters.region, parameters.service, "aws4_request"] {
        key = hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&key, step.as_bytes()).as_ref());
    }
    let signature = hex::encode(hmac::sign(&key, to_sign.as_bytes()));
    let authorization = Zeroizing::new(format!(
        "{ALGORITHM} Credential={}/{scope}, SignedHeaders={signed_headers}, Signature={signature}",
        parameters.access_key_id,
    ));
    Ok(Signed { authorization, headers: own, signature })
}

fn canonical_headers(parameters: &Parameters<'_>, own: &[(&str, Zeroizing<String>)]) -> (String, Zeroizing<String>) {
    let mut signed: Vec<(&str, &str)> = vec![("host", parameters.host)];
    signed.extend(own.iter().map(|(name, value)| (*name, value.as_str())));
    signed.extend(parameters.headers.iter().filter(|(name, _)| *name == "content-type" || name.starts_with("x-amz-")));
    // Stable: values of one name stay in their order.
    signed.sort_by_key(|(name, _)| *name);

    let mut names: Vec<&str> = Vec::new();
    let mut lines = Zeroizing::new(String::new());
    for (name, value) in signed {
        let value = Zeroizing::new(value.split_ascii_whitespace().collect::<Vec<_>>().join(" "));
        if names.last() == Some(&name) {
            lines.pop();
            lines.push(',');
        } else {
            names.push(name);
            lines.push_str(name);
            lines.push(':');
        }
        lines.push_str(&value);
        lines.push('\n');
    }
    (names.join(";"), lines)
}

fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// Whether a service is signed for by S3's own rules.
pub(super) fn is_s3(service: &str) -> bool {
    service == "s3"
}

/// S3 signs the path as it is meant, every other service as it is sent, encoded once more and without empty segments.
fn canonical_path(path: &str, service: &str) -> Zeroizing<String> {
    let mut canonical = Zeroizing::new(String::new());
    if is_s3(service) {
        for segment in path.split('/').skip(1) {
            canonical.push('/');
            canonical.extend(strict(&percent_decode_str(segment).decode_utf8_lossy()));
        }
        return canonical;
    }
    for segment in path.split('/').filter(|segment| !segment.is_empty()) {
        canonical.push('/');
        canonical.extend(strict(segment));
    }
    if path.ends_with('/') {
        canonical.push('/');
    }
    canonical
}

fn canonical_query(query: &[(&str, &str)]) -> Zeroizing<String> {
    let mut pairs: Vec<(String, Zeroizing<String>)> = query
        .iter()
        .map(|(name, value)| (strict(name).to_string(), Zeroizing::new(strict(value).to_string())))
        .collect();
    pairs.sort_unstable_by(|a, b| (a.0.as_str(), a.1.as_str()).cmp(&(b.0.as_str(), b.1.as_str())));
    let mut canonical = Zeroizing::new(String::new());
    for (index, (name, value)) in pairs.iter().enumerate() {
        if index > 0 {
            canonical.push('&');
        }
        canonical.push_str(name);
        canonical.push('=');
        canonical.push_str(value);
    }
    canonical
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8\
        YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6\
        d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==";

    fn parameters() -> Parameters<'static> {
        Parameters {
            method: "GET",
            host: "example.amazonaws.com",
            path: "/",
            query: &[],
            headers: &[],
            body: b"",
            access_key_id: "AKIDEXAMPLE",
            secret_access_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
            session_token: None,
            region: "us-east-1",
            service: "service",
            date: "20150830T123600Z",
        }
    }

    #[test]
    fn signatures_are_those_that_aws_publishes() {
        // The IAM ListUsers example of the AWS documentation, then cases of the aws-sig-v4-test-suite:
        // get-vanilla, get-vanilla-query-order-key-case, post-vanilla, post-sts-header-before.
        for (parameters, signed_headers, signature) in [
            (
                Parameters {
                    host: "iam.amazonaws.com",
                    query: &[("Action", "ListUsers"), ("Version", "2010-05-08")],
                    headers: &[("content-type", "application/x-www-form-urlencoded; charset=utf-8"), ("accept", "*/*")],
                    service: "iam",
                    ..parameters()
                },
                "content-type;host;x-amz-date",
                "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
            ),
            (parameters(), "host;x-amz-date", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
            (
                Parameters { query: &[("Param2", "value2"), ("Param1", "value1")], ..parameters() },
                "host;x-amz-date",
                "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
            ),
            (
                Parameters { method: "POST", ..parameters() },
                "host;x-amz-date",
                "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
            ),
            (
                Parameters { method: "POST", session_token: Some(TOKEN), ..parameters() },
                "host;x-amz-date;x-amz-security-token",
                "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead",
            ),
        ] {
            let signed = sign(&parameters).unwrap();
            assert_eq!(signed.signature, signature);
            let day = format!("20150830/us-east-1/{}/aws4_request", parameters.service);
            assert_eq!(
                signed.authorization.as_str(),
                format!(
                    "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/{day}, SignedHeaders={signed_headers}, Signature={signature}"
                )
            );
        }
    }

    #[test]
    fn paths_are_encoded_twice_but_for_s3() {
        for (service, path, canonical) in [
            ("sts", "/", "/"),
            ("sts", "/a%20b/c:d", "/a%2520b/c%3Ad"),
            ("sts", "//a//b/", "/a/b/"),
            ("s3", "/a%20b/c:d", "/a%20b/c%3Ad"),
            ("s3", "/a//b/", "/a//b/"),
        ] {
            assert_eq!(canonical_path(path, service).as_str(), canonical, "{service} {path}");
        }
    }

    #[test]
    fn values_are_trimmed_and_those_of_one_name_joined() {
        let headers = [("x-amz-meta", "  a   b "), ("x-amz-meta", "c"), ("x-other", "d")];
        let parameters = Parameters { headers: &headers, ..parameters() };
        let (names, lines) = canonical_headers(&parameters, &[]);
        assert_eq!(
            (names.as_str(), lines.as_str()),
            ("host;x-amz-meta", "host:example.amazonaws.com\nx-amz-meta:a b,c\n")
        );
    }

    #[test]
    fn what_would_break_the_scope_is_refused() {
        assert!(sign(&Parameters { region: "us-east-1/iam", ..parameters() }).is_err());
        assert!(sign(&Parameters { service: "", ..parameters() }).is_err());
        assert!(sign(&Parameters { headers: &[("x-amz-date", "x")], ..parameters() }).is_err());
    }
}
