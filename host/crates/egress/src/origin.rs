//! The target of a request: the origin, parsed once, and the path that grants are compared with.

use std::net::IpAddr;
use std::sync::Arc;

use http::HeaderValue;
use percent_encoding::PercentEncode;
use url::{Host, Url};

use super::assembler::{Assembler, Value};
use super::error::Invalid;
use super::host_name::{is_localhost, is_plain_name, parse_port};
use super::offending_parts::{breaks_host, names_another_scheme};
use super::percent_encode;
use super::request::{Part, literal};
use super::settings::Loopback;

/// A checked origin: scheme, host and port, in the one spelling that its text has.
#[derive(Debug, Clone)]
pub(super) struct Origin {
    url: Url,
    host: Arc<str>,
    port: u16,
    header: HeaderValue,
    /// Scheme, host and port, the port also where it is the scheme's own.
    key: String,
}

impl Origin {
    /// Parses `https://host[:port]`. http is for loopback in development.
    pub(super) fn parse(text: &str, loopback: Loopback) -> Result<Self, Invalid> {
        // A scheme is at fault only in a value that names one: a redirect to http is not the fault of the credential.
        let fails = if text.to_ascii_lowercase().starts_with("https://") { breaks_host } else { names_another_scheme };
        Self::parse_text(text, loopback).map_err(|invalid| Invalid::with_text(invalid.message, text, fails))
    }

    fn parse_text(text: &str, loopback: Loopback) -> Result<Self, Invalid> {
        let url = Url::parse(text).map_err(|error| Invalid::new(format!("the origin is not a URL: {error}")))?;
        let Some((scheme, authority)) = text.split_once("://") else {
            return Err(Invalid::new("the origin must be written `https://host`"));
        };
        let (host, port) = match authority.rfind(']') {
            Some(end) => authority.split_at(end + 1),
            None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
        };
        // What was written must be what `url` understood: addresses in octal, escapes, other scripts, tabs, user
        // names and backslashes are all spelled differently afterwards.
        let same = url.host_str().is_some_and(|understood| understood.eq_ignore_ascii_case(host));
        let port_is_plain = match port.strip_prefix(':') {
            Some(digits) => parse_port(digits).is_some() && parse_port(digits) == url.port_or_known_default(),
            None => port.is_empty(),
        };
        if !url.scheme().eq_ignore_ascii_case(scheme) || !same || !port_is_plain {
            return Err(Invalid::new(
                "the origin must be a scheme, a host in its plain ASCII spelling and perhaps a port, such as \
                 `https://api.example.com`; no user, path, query or fragment",
            ));
        }
        if let Some(Host::Domain(name)) = url.host()
            && !is_plain_name(name)
        {
            return Err(Invalid::new("the origin's host is not a name that can be looked up"));
        }
        let host = host.to_ascii_lowercase();
        let port = url.port_or_known_default().unwrap_or_default();
        let header = match url.port() {
            Some(port) => HeaderValue::try_from(format!("{host}:{port}")),
            None => HeaderValue::try_from(host.as_str()),
        };
        let header = header.map_err(|error| Invalid::new(format!("the origin's host is not one of HTTP: {error}")))?;
        let key = format!("{}://{host}:{port}", url.scheme());
        let origin = Self { url, host: host.into(), port, header, key };
        match origin.url.scheme() {
            "https" => Ok(origin),
            "http" if loopback == Loopback::AllowedForDevelopment && origin.is_loopback_by_name() => Ok(origin),
            "http" => Err(Invalid::new("the origin must be https; http is only for loopback, and only in development")),
            _ => Err(Invalid::new("the origin must be https")),
        }
    }

    /// Scheme, host and port as a URL.
    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    /// The host as in a URL: lower case, an IPv6 address in brackets.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// The host, to be kept.
    pub(super) fn shared_host(&self) -> Arc<str> {
        Arc::clone(&self.host)
    }

    /// Scheme, host and port in the one spelling that they have.
    pub(super) fn key(&self) -> &str {
        &self.key
    }

    /// The port, explicit or that of the scheme.
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// The IP address, if the host is one.
    pub(super) fn address(&self) -> Option<IpAddr> {
        match self.url.host()? {
            Host::Ipv4(address) => Some(address.into()),
            Host::Ipv6(address) => Some(address.into()),
            Host::Domain(_) => None,
        }
    }

    /// The value of `Host`: with the port unless it is the scheme's own.
    pub(super) fn host_header(&self) -> &HeaderValue {
        &self.header
    }

    fn is_loopback_by_name(&self) -> bool {
        match self.address() {
            Some(address) => address.is_loopback(),
            None => is_localhost(&self.host),
        }
    }

    /// Number of bytes of the URL without its path.
    pub(super) fn length(&self) -> usize {
        // It has the path `/`.
        self.url.as_str().len().saturating_sub(1)
    }
}

/// The path that grants are compared with. A segment that contains a secret is `*` there: the decision must not depend on a
/// value that the plugin must not learn.
pub(super) fn path_for_grants(path: &[Vec<Part>]) -> Result<String, Invalid> {
    let mut text = String::with_capacity(64);
    for parts in path {
        text.push('/');
        match literal(parts) {
            Some(literal) => {
                refuse_dots(&literal, parts)?;
                text.extend(percent_encode::segment(&literal));
            }
            None => text.push('*'),
        }
    }
    settled(text)
}

/// The path as it is sent: secrets are inserted, and each segment is encoded by `encode`.
pub(super) fn path_for_sending(
    path: &[Vec<Part>],
    encode: fn(&str) -> PercentEncode<'_>,
    assembler: &mut Assembler<'_>,
) -> Result<String, Invalid> {
    let mut text = String::with_capacity(256);
    for parts in path {
        text.push('/');
        let written = literal(parts);
        let assembled = if written.is_none() { Some(assembler.assemble(parts)?) } else { None };
        let segment = assembled.as_ref().map_or(written.as_deref().unwrap_or_default(), Value::expose);
        refuse_dots(segment, parts)?;
        text.extend(encode(segment));
    }
    settled(text)
}

/// A path that each reader of URLs leaves as it is. What was put together above is one.
fn settled(path: String) -> Result<String, Invalid> {
    if path.is_empty() {
        return Ok("/".to_owned());
    }
    if path.split('/').all(|segment| !matches!(segment, "." | "..")) && percent_encode::is_settled(&path) {
        return Ok(path);
    }
    Err(Invalid::new("the path does not survive as it was put together"))
}

/// `.` and `..`, percent-encoded or not, move up and down in a path. They are refused and not encoded, since servers
/// disagree on when to decode.
fn refuse_dots(segment: &str, parts: &[Part]) -> Result<(), Invalid> {
    if is_dots(segment) {
        Err(Invalid::with_parts("a path segment must not be `.` or `..`", parts, is_dots))
    } else {
        Ok(())
    }
}

fn is_dots(segment: &str) -> bool {
    let mut rest = segment;
    for _ in 0..2 {
        rest = match (rest.strip_prefix('.'), rest.split_at_checked(3)) {
            (Some(after), _) => after,
            (None, Some((dot, after))) if dot.eq_ignore_ascii_case("%2e") => after,
            _ => return false,
        };
        if rest.is_empty() {
            return true;
        }
    }
    false
}

/// The URL of a request to this origin without secrets in its path, and the address where the host is one.
#[cfg(any(test, feature = "fuzzing"))]
pub fn requested_url(origin: &str, segments: &[&str]) -> Result<(Url, Option<IpAddr>), String> {
    let origin = Origin::parse(origin, Loopback::Refused).map_err(|invalid| invalid.to_string())?;
    let path: Vec<_> = segments.iter().map(|segment| vec![Part::Text((*segment).to_owned())]).collect();
    let path = path_for_grants(&path).map_err(|invalid| invalid.to_string())?;
    let mut url = origin.url.clone();
    url.set_path(&path);
    assert_eq!(url.path(), path, "no reader of URLs changes it");
    Ok((url, origin.address()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(segments: &[&str]) -> Vec<Vec<Part>> {
        segments.iter().map(|s| vec![Part::Text((*s).to_owned())]).collect()
    }

    #[test]
    fn an_origin_is_a_scheme_a_host_and_a_port() {
        for (origin, host, port, header) in [
            ("https://api.example.com", "api.example.com", 443, "api.example.com"),
            ("https://API.example.com:443", "api.example.com", 443, "api.example.com"),
            ("HTTPS://api.example.com:8443", "api.example.com", 8443, "api.example.com:8443"),
            ("https://192.0.2.1", "192.0.2.1", 443, "192.0.2.1"),
            ("https://[2001:db8::1]:8443", "[2001:db8::1]", 8443, "[2001:db8::1]:8443"),
        ] {
            let parsed = Origin::parse(origin, Loopback::Refused).unwrap_or_else(|e| panic!("{origin}: {e}"));
            assert_eq!((parsed.host(), parsed.port()), (host, port));
            assert_eq!(parsed.host_header(), header);
        }
    }

    #[test]
    fn an_origin_hides_nothing() {
        for origin in [
            "",
            "api.example.com",
            "//api.example.com",
            "https:api.example.com",
            "https:/api.example.com",
            "https:///api.example.com",
            "https:\\\\api.example.com",
            "https://",
            "https:// api.example.com",
            " https://api.example.com",
            "https://api.example.com ",
            "https://api.example.com/",
            "https://api.example.com/x",
            "https://api.example.com?x",
            "https://api.example.com#x",
            "https://user@api.example.com",
            "https://user:pw@api.example.com",
            "https://api.example.com@127.0.0.1",
            "https://127.0.0.1#@api.example.com",
            "https://api.example.com\\@127.0.0.1",
            "https://[api.example.com]",
            "https://api.example.com:",
            "https://api.example.com:0",
            "https://api.example.com:0443",
            "https://api.example.com:99999",
            "https://api.example.com:+443",
            "https://api.example.com.",
            "https://..",
            "https://.example.com",
            "https://a..b",
            "https://api\u{ad}.example.com",
            "https://api.exa\tmple.com",
            "https://api.exa\nmple.com",
            "https://api%2eexample.com",
            "https://%31%32%37.0.0.1",
            "https://0177.0.0.1",
            "https://0300.0250.0.1",
            "https://0x7f.1",
            "https://0xA9FEA9FE",
            "https://2130706433",
            "https://127.1",
            "https://169.254.43518",
            "https://127.0.0.1.",
            "https://0",
            "https://256.1.1.1",
            "https://1.2.3.4.5",
            "https://１２７.0.0.1",
            "https://①②⑦.0.0.1",
            "https://127。0。0。1",
            "https://api。example.com",
            "https://[::ffff:127.0.0.1]",
            "https://[0:0:0:0:0:0:0:1]",
            "https://[fe80::1%25eth0]",
            "https://[::1",
            "https://exämple.com",
            "ftp://api.example.com",
            "file://api.example.com",
            "ws://api.example.com",
            "wss://api.example.com",
            "data:text/plain,x",
            "gopher://api.example.com",
            "http://api.example.com",
            "http://127.0.0.1",
        ] {
            assert!(Origin::parse(origin, Loopback::Refused).is_err(), "{origin}");
        }
        assert!(Origin::parse(&format!("https://{}.com", "a".repeat(64)), Loopback::Refused).is_err());
    }

    #[test]
    fn http_is_for_loopback_in_development() {
        for origin in ["http://127.0.0.1:8080", "http://[::1]:8080", "http://localhost:8080", "http://a.localhost"] {
            assert!(Origin::parse(origin, Loopback::AllowedForDevelopment).is_ok(), "{origin}");
            assert!(Origin::parse(origin, Loopback::Refused).is_err(), "{origin}");
        }
        for origin in
            ["http://api.example.com", "http://10.0.0.1", "http://localhost.example.com", "http://mylocalhost"]
        {
            assert!(Origin::parse(origin, Loopback::AllowedForDevelopment).is_err(), "{origin}");
        }
    }

    #[test]
    fn a_value_stays_inside_its_path_segment() {
        for (segments, path) in [
            (&[][..], "/"),
            (&["v1"][..], "/v1"),
            (&["v1", ""][..], "/v1/"),
            (&["v1", "a/b"][..], "/v1/a%2Fb"),
            (&["../x"][..], "/..%2Fx"),
            (&["a?b#c"][..], "/a%3Fb%23c"),
            (&["a%2fb"][..], "/a%252fb"),
            (&["..;"][..], "/..%3B"),
            (&["a\\b"][..], "/a%5Cb"),
            (&["bot1:AA-_"][..], "/bot1:AA-_"),
            (&["*"][..], "/%2A"),
            (&["é \u{0}\r\n"][..], "/%C3%A9%20%00%0D%0A"),
            (&["..."][..], "/..."),
        ] {
            assert_eq!(path_for_grants(&text(segments)).unwrap(), path, "{segments:?}");
            assert_eq!(requested_url("https://a.example.com", segments).unwrap().0.path(), path);
        }
        for dots in [".", "..", "%2e", "%2E%2e", ".%2e"] {
            assert!(path_for_grants(&text(&["v1", dots])).is_err(), "{dots}");
        }
        for other in ["", "...", "%2", "%2f", ".a", "a.", "..%2", "%2e%2e%2e", "é"] {
            assert!(path_for_grants(&text(&["v1", other])).is_ok(), "{other}");
        }
    }
}
