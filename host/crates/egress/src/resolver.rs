//! Resolves names to addresses that may be dialled.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::vec;

use hyper_util::client::legacy::connect::dns::Name;
use tower_service::Service;
use url::Url;

use super::address::{AddressClass, Forbidden, check_address};
use super::dns::Dns;
use super::error::ResolveError;
use super::host_name::{is_internal_name, is_localhost};
use super::origin::Origin;
use super::settings::{EgressSettings, Loopback, MockProvider, Scheme};

/// Decides which addresses may be dialled, and which addresses a name resolves to.
#[derive(Debug)]
pub(super) struct DialPolicy {
    loopback: Loopback,
    /// Names of `--dev-resolve`, in lower case. If there is one, no other name resolves.
    dev: HashMap<String, SocketAddr>,
    mock_provider: Option<MockProvider>,
    dns: Dns,
}

impl DialPolicy {
    pub(super) fn new(settings: &EgressSettings) -> Self {
        Self {
            loopback: settings.loopback,
            dev: settings.dev_resolve.iter().map(|entry| (entry.host().to_owned(), entry.target())).collect(),
            mock_provider: settings.mock_provider,
            // Less than what connecting as a whole is given, so that the error can tell the two apart.
            dns: Dns::new(&settings.dns, settings.limits.connect_time.mul_f32(0.8)),
        }
    }

    /// Whether an address may be dialled: it passes [`check`](Self::check), and is not one of this machine's own, where
    /// Keyferry's listeners and others behind the firewall are reachable.
    pub(super) fn may_dial(&self, address: IpAddr) -> Result<(), Forbidden> {
        self.check(address)?;
        let is_let_through = address.is_loopback() || self.mock_provider.is_some();
        if !is_let_through && is_of_this_machine(address) {
            return Err(Forbidden { class: AddressClass::ThisMachine });
        }
        Ok(())
    }

    /// Whether an address is of a kind that is dialled.
    pub(super) fn check(&self, address: IpAddr) -> Result<(), Forbidden> {
        if self.mock_provider.is_some_and(|mock_provider| mock_provider.address.ip() == address) {
            return Ok(());
        }
        match self.loopback {
            Loopback::AllowedForDevelopment if address.is_loopback() => Ok(()),
            Loopback::AllowedForDevelopment | Loopback::Refused => check_address(address),
        }
    }

    /// The URL that is dialled for an origin. In development, another address can replace its host.
    pub(super) fn dialled(&self, origin: &Origin) -> Url {
        let mut url = origin.url().clone();
        match self.mock_provider {
            Some(MockProvider { address, scheme: Scheme::Http }) => {
                // Each of these can be refused for URLs without a host only.
                let _ = url.set_scheme("http");
                let _ = url.set_ip_host(address.ip());
                let _ = url.set_port(Some(address.port()));
            }
            // A port in the URL would win over the one that the name leads to.
            Some(MockProvider { scheme: Scheme::Https, .. }) => _ = url.set_port(None),
            None if self.dev.contains_key(origin.host()) => _ = url.set_port(None),
            None => {}
        }
        url
    }

    /// Whether an address in a URL may be dialled at all. With `--dev-resolve`, only loopback may.
    pub(super) fn has_literal(&self, address: IpAddr) -> bool {
        self.dev.is_empty() || address.is_loopback()
    }

    /// The addresses of a name, all of them checked. Port 0 stands for the URL's.
    pub(super) async fn resolve(&self, host: &str) -> Result<Vec<SocketAddr>, ResolveError> {
        let addresses = if let Some(mock_provider) = self.mock_provider {
            vec![mock_provider.address]
        } else if !self.dev.is_empty() {
            vec![*self.dev.get(host).ok_or(ResolveError::NotFound)?]
        } else if is_localhost(host) {
            if self.loopback == Loopback::Refused {
                return Err(ResolveError::Internal);
            }
            // Never asked of a DNS server (RFC 6761, 6.3).
            vec![(Ipv4Addr::LOCALHOST, 0).into(), (Ipv6Addr::LOCALHOST, 0).into()]
        } else if is_internal_name(host) {
            tracing::warn!(host, "a name for inside a network is not looked up");
            return Err(ResolveError::Internal);
        } else {
            self.dns.addresses(host).await?.into_iter().map(|address| (address, 0).into()).collect()
        };
        if addresses.is_empty() {
            return Err(ResolveError::NotFound);
        }
        // One forbidden address makes the whole name forbidden: its DNS server is suspect.
        for address in &addresses {
            self.may_dial(address.ip()).map_err(|forbidden| {
                tracing::warn!(host, address = %address.ip(), class = %forbidden.class, "a name leads to an address that is never dialled");
                ResolveError::NotFound
            })?;
        }
        Ok(addresses)
    }
}

/// Whether an address is one of this machine's, according to the operating system: for its own addresses it chooses the
/// same address as source. No packet is sent; without a route the result is `false`.
fn is_of_this_machine(address: IpAddr) -> bool {
    let any: IpAddr = if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let from = UdpSocket::bind((any, 0)).and_then(|socket| {
        // Any port: that of `discard`.
        socket.connect((address, 9))?;
        socket.local_addr()
    });
    from.is_ok_and(|from| from.ip() == address)
}

/// The resolver of the connector, which dials exactly the addresses that it returns, but does not ask it about addresses
/// in URLs.
#[derive(Clone)]
pub(super) struct CheckedResolver(pub(super) Arc<DialPolicy>);

impl Service<Name> for CheckedResolver {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = ResolveError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, ResolveError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ResolveError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let policy = Arc::clone(&self.0);
        Box::pin(async move { Ok(policy.resolve(name.as_str()).await?.into_iter()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(dev_resolve: &[&str], loopback: Loopback) -> DialPolicy {
        let dev_resolve = dev_resolve.iter().map(|entry| entry.parse().unwrap()).collect();
        DialPolicy::new(&EgressSettings { dev_resolve, loopback, ..EgressSettings::default() })
    }

    #[tokio::test]
    async fn localhost_is_this_machine_and_only_for_development() {
        let dev = policy(&[], Loopback::AllowedForDevelopment);
        for name in ["localhost", "a.localhost"] {
            assert!(dev.resolve(name).await.unwrap().iter().all(|address| address.ip().is_loopback()));
            assert_eq!(policy(&[], Loopback::Refused).resolve(name).await, Err(ResolveError::Internal));
        }
    }

    #[tokio::test]
    async fn names_for_inside_a_network_are_not_looked_up() {
        for name in ["intranet", "metadata.google.internal", "printer.local", "router.home.arpa"] {
            assert_eq!(
                policy(&[], Loopback::AllowedForDevelopment).resolve(name).await,
                Err(ResolveError::Internal),
                "{name}"
            );
        }
    }

    #[tokio::test]
    async fn a_closed_world_has_no_other_names() {
        let dev =
            policy(&["api.example.com=127.0.0.1:8443", "b.example.com=10.0.0.1:1"], Loopback::AllowedForDevelopment);
        assert_eq!(dev.resolve("api.example.com").await, Ok(vec!["127.0.0.1:8443".parse().unwrap()]));
        assert_eq!(
            dev.resolve("b.example.com").await,
            Err(ResolveError::NotFound),
            "which it is not, but reads like it"
        );
        for name in ["www.example.com", "localhost"] {
            assert_eq!(dev.resolve(name).await, Err(ResolveError::NotFound), "{name}");
        }
        let strict = policy(&["api.example.com=127.0.0.1:8443"], Loopback::Refused);
        assert_eq!(strict.resolve("api.example.com").await, Err(ResolveError::NotFound));
    }

    #[test]
    fn the_machine_knows_its_own_addresses() {
        for own in ["127.0.0.1", "::1"] {
            assert!(is_of_this_machine(own.parse().unwrap()), "{own}");
        }
        for other in ["192.0.2.1", "2001:db8::1", "93.184.215.14", "255.255.255.255", "224.0.0.1"] {
            assert!(!is_of_this_machine(other.parse().unwrap()), "{other}");
        }
    }

    #[test]
    fn only_loopback_is_let_through_for_development() {
        let dev = policy(&[], Loopback::AllowedForDevelopment);
        for allowed in ["127.0.0.1", "127.9.9.9", "::1", "93.184.215.14"] {
            assert!(dev.check(allowed.parse().unwrap()).is_ok(), "{allowed}");
        }
        for forbidden in ["10.0.0.1", "169.254.169.254", "0.0.0.0", "::", "::ffff:127.0.0.1", "fd00:ec2::254"] {
            assert!(dev.check(forbidden.parse().unwrap()).is_err(), "{forbidden}");
        }
    }
}
