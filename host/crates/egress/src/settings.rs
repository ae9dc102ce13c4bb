//! The operator's settings of egress.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use super::host_name::is_plain_name;

/// The operator's settings of egress. The default dials public addresses only, with the system's DNS servers.
#[derive(Debug, Clone, Default)]
pub struct EgressSettings {
    /// A PEM file of certificate authorities to trust besides those that browsers trust.
    pub ca_file: Option<PathBuf>,
    /// The DNS servers to ask; if empty, the system's (`/etc/resolv.conf`).
    pub dns: Vec<DnsServer>,
    /// Addresses of names, for development and tests. If there is one entry, no other name resolves.
    pub dev_resolve: Vec<DevResolve>,
    /// Whether this machine itself may be dialled.
    pub loopback: Loopback,
    /// The server that gets every request, for any host, while a plugin is tested.
    pub mock_provider: Option<MockProvider>,
    /// Limits of size, time and number of requests.
    pub limits: EgressLimits,
}

/// Whether the loopback addresses may be dialled, over http too.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Loopback {
    /// They are refused like every private address.
    #[default]
    Refused,
    /// They are let through: for development only.
    AllowedForDevelopment,
}

/// The limits of requests and responses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EgressLimits {
    /// A request's size in bytes: URL, headers and body.
    pub request_bytes: usize,
    /// A response's body in bytes, after decompression.
    pub response_bytes: usize,
    /// From the beginning of a request to the end of its response.
    pub request_time: Duration,
    /// From the beginning of a name's lookup to the end of the TLS handshake.
    pub connect_time: Duration,
    /// Maximum number of requests in one call of a plugin.
    pub requests_per_call: u32,
    /// Maximum number of concurrent requests of one app to one host.
    pub concurrency_per_host: usize,
}

impl Default for EgressLimits {
    fn default() -> Self {
        Self {
            request_bytes: 64 * 1024,
            response_bytes: 1024 * 1024,
            request_time: Duration::from_secs(10),
            connect_time: Duration::from_secs(5),
            requests_per_call: 8,
            concurrency_per_host: 64,
        }
    }
}

/// A DNS server: `IP`, or `IP:PORT` where the port is not 53. An IPv6 address with a port is in brackets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DnsServer(SocketAddr);

/// A text that names no DNS server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} must be the IP address of a DNS server, with its port where that is not 53: 192.0.2.53, [2001:db8::53]:5353"
)]
pub struct InvalidDnsServer(String);

/// The port of a DNS server that names none.
const DNS: u16 = 53;

impl DnsServer {
    /// Address of the server, for UDP and TCP.
    pub fn address(self) -> SocketAddr {
        self.0
    }
}

impl FromStr for DnsServer {
    type Err = InvalidDnsServer;

    fn from_str(text: &str) -> Result<Self, InvalidDnsServer> {
        let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
        let alone = || bare.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, DNS));
        let address = text.parse::<SocketAddr>().or_else(|_| alone()).ok();
        let usable = address.filter(|address| address.port() != 0 && !address.ip().is_unspecified());
        usable.map(Self).ok_or_else(|| InvalidDnsServer(text.chars().take(120).collect()))
    }
}

impl fmt::Display for DnsServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The address that replaces a name: `HOST=IP:PORT`. The port replaces the URL's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DevResolve {
    host: String,
    target: SocketAddr,
}

/// A line that is not `HOST=IP:PORT`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} must be HOST=IP:PORT, for example api.example.com=127.0.0.1:8443")]
pub struct InvalidDevResolve(String);

impl DevResolve {
    /// The name, in lower case.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The address and port that are dialled.
    pub fn target(&self) -> SocketAddr {
        self.target
    }
}

impl FromStr for DevResolve {
    type Err = InvalidDevResolve;

    fn from_str(text: &str) -> Result<Self, InvalidDevResolve> {
        let parsed = text.split_once('=').and_then(|(host, target)| {
            let host = host.to_ascii_lowercase();
            let target: SocketAddr = target.parse().ok()?;
            (is_plain_name(&host) && target.port() != 0).then_some(Self { host, target })
        });
        parsed.ok_or_else(|| InvalidDevResolve(text.chars().take(120).collect()))
    }
}

impl fmt::Display for DevResolve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.host, self.target)
    }
}

/// A server on this machine that replaces every provider: `http://127.0.0.1:8080`.
///
/// Over `https` it has to show a certificate for the name that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MockProvider {
    pub(super) address: SocketAddr,
    pub(super) scheme: Scheme,
}

/// Protocol of a [`MockProvider`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    Http,
    Https,
}

/// A text that names no server on this machine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} must be http://127.0.0.1:PORT or https://127.0.0.1:PORT: a mock provider runs on this machine")]
pub struct InvalidMockProvider(String);

impl FromStr for MockProvider {
    type Err = InvalidMockProvider;

    fn from_str(text: &str) -> Result<Self, InvalidMockProvider> {
        let parsed = text.trim_end_matches('/').split_once("://").and_then(|(scheme, address)| {
            let scheme = match scheme {
                "http" => Scheme::Http,
                "https" => Scheme::Https,
                _ => return None,
            };
            let address: SocketAddr = address.replace("localhost:", "127.0.0.1:").parse().ok()?;
            (address.ip().is_loopback() && address.port() != 0).then_some(Self { address, scheme })
        });
        parsed.ok_or_else(|| InvalidMockProvider(text.chars().take(120).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mock_provider_is_a_server_on_this_machine() {
        for text in ["http://127.0.0.1:8080", "https://localhost:8443/", "http://[::1]:1"] {
            assert!(text.parse::<MockProvider>().is_ok(), "{text}");
        }
        for text in
            ["", "127.0.0.1:80", "http://127.0.0.1", "http://10.0.0.1:80", "ftp://127.0.0.1:1", "http://127.0.0.1:80/x"]
        {
            assert!(text.parse::<MockProvider>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_dns_server_is_an_address_with_or_without_a_port() {
        for (text, address) in [
            ("192.0.2.53", "192.0.2.53:53"),
            ("192.0.2.53:5353", "192.0.2.53:5353"),
            ("2001:db8::53", "[2001:db8::53]:53"),
            ("[2001:db8::53]", "[2001:db8::53]:53"),
            ("[2001:db8::53]:5353", "[2001:db8::53]:5353"),
        ] {
            assert_eq!(text.parse::<DnsServer>().unwrap().to_string(), address);
        }
        for text in
            ["", "dns.example.com", "192.0.2.53:", "192.0.2.53:0", "192.0.2.53:x", "0.0.0.0", "[::]:53", "[::1", "1.1"]
        {
            let error = text.parse::<DnsServer>().unwrap_err().to_string();
            assert!(error.contains(&format!("{text:?}")) && error.contains("53"), "{error}");
        }
    }

    #[test]
    fn a_dev_resolve_names_a_host_and_what_is_dialled() {
        for text in ["api.example.com=127.0.0.1:8443", "a=[::1]:1"] {
            assert_eq!(text.parse::<DevResolve>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "=",
            "a=b:1",
            "a=127.0.0.1",
            "a=127.0.0.1:0",
            "=127.0.0.1:1",
            "a b=127.0.0.1:1",
            "a.=127.0.0.1:1",
            "*=127.0.0.1:1",
        ] {
            assert!(text.parse::<DevResolve>().is_err(), "{text}");
        }
    }
}
