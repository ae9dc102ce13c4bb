//! The address of a service.

use std::fmt;

use url::{Host, Url};

/// Protocol of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// HTTP/1.1 over TLS.
    Https,
    /// HTTP/1.1 without TLS.
    Http,
}

/// The address of a service that the operator names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceAddress {
    /// Protocol of the service.
    pub scheme: Scheme,
    /// Host name or IP address of the service.
    pub host: Host,
    /// TCP port of the service.
    pub port: u16,
}

impl ServiceAddress {
    /// Scheme, host and port of a URL; `None` if it is neither `http` nor `https`.
    pub fn from_url(url: &Url) -> Option<Self> {
        let scheme = match url.scheme() {
            "https" => Scheme::Https,
            "http" => Scheme::Http,
            _ => return None,
        };
        Some(Self { scheme, host: url.host()?.to_owned(), port: url.port_or_known_default()? })
    }

    /// The value of the `Host` header: the host, and the port if it is not the scheme's default.
    pub fn authority(&self) -> String {
        match (self.scheme, self.port) {
            (Scheme::Https, 443) | (Scheme::Http, 80) => self.host.to_string(),
            (_, port) => format!("{}:{port}", self.host),
        }
    }
}

impl fmt::Display for ServiceAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.scheme {
            Scheme::Https => "https",
            Scheme::Http => "http",
        };
        write!(f, "{scheme}://{}", self.authority())
    }
}
