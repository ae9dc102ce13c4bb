//! The URL of a server, as its user writes it.

use std::fmt;
use std::str::FromStr;

use url::{Host, Url};

use keyferry_service_client::ServiceAddress;

/// A server's address, and the path before that of each request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ServerUrl {
    address: ServiceAddress,
    /// Without a slash at its end.
    base: String,
}

impl ServerUrl {
    pub(super) fn address(&self) -> &ServiceAddress {
        &self.address
    }

    /// What to ask the server for, for a path of the API.
    pub(super) fn target(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }
}

/// Without a user and password, which are not used.
impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.address, self.base)
    }
}

/// Without a scheme it is `http` for a server on this machine and `https` for all others: an API key does not leave this machine
/// unencrypted unless the caller writes `http://`.
impl FromStr for ServerUrl {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let wanted = "it must be the server's URL, such as http://127.0.0.1:8700 or https://keyferry.example.com";
        let url = match text.contains("://") {
            true => text.parse::<Url>(),
            false => format!("https://{text}").parse::<Url>().and_then(|url| match is_here(&url) {
                true => format!("http://{text}").parse(),
                false => Ok(url),
            }),
        };
        let url = url.map_err(|error| format!("{wanted} ({error})"))?;
        let address = ServiceAddress::from_url(&url);
        let address = address.ok_or_else(|| format!("{wanted}: it begins with http:// or https://"))?;
        Ok(Self { address, base: url.path().trim_end_matches('/').to_owned() })
    }
}

/// Whether a URL names this machine.
fn is_here(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_without_a_scheme_is_http_on_this_machine_and_https_elsewhere() {
        for (text, expected) in [
            ("http://127.0.0.1:8700", Ok("http://127.0.0.1:8700")),
            ("https://keyferry.example.com/base/", Ok("https://keyferry.example.com/base")),
            ("http://user:password@127.0.0.1:8700/", Ok("http://127.0.0.1:8700")),
            ("HTTPS://Keyferry.example.com:443", Ok("https://keyferry.example.com")),
            ("127.0.0.1:8799", Ok("http://127.0.0.1:8799")),
            (" localhost:8799 ", Ok("http://localhost:8799")),
            ("[::1]:8799", Ok("http://[::1]:8799")),
            ("127.0.0.1", Ok("http://127.0.0.1")),
            ("keyferry.example.com", Ok("https://keyferry.example.com")),
            ("10.0.0.1:8700", Ok("https://10.0.0.1:8700")),
            ("ftp://keyferry.example.com", Err("it begins with http:// or https://")),
            ("http://", Err("such as http://127.0.0.1:8700")),
            ("", Err("such as http://127.0.0.1:8700")),
            ("two words", Err("such as http://127.0.0.1:8700")),
        ] {
            match (text.parse::<ServerUrl>(), expected) {
                (Ok(url), Ok(expected)) => assert_eq!(url.to_string(), expected, "{text}"),
                (Err(problem), Err(expected)) => assert!(problem.contains(expected), "{text}: {problem}"),
                (found, _) => panic!("{text}: {found:?}"),
            }
        }
        let below: ServerUrl = "https://example.com/keyferry/".parse().unwrap();
        assert_eq!(below.target("/livez"), "/keyferry/livez");
    }
}
