//! From names to addresses that may be dialled.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::time::timeout;
use url::Url;

use super::address::{self, Forbidden};
use super::settings::{EgressSettings, Loopback, Scheme, StandIn};
use super::target::is_localhost;

/// What may be dialled, and where names lead.
#[derive(Debug)]
pub(super) struct World {
    loopback: Loopback,
    /// As soon as there is one, no other name exists.
    dev: HashMap<String, SocketAddr>,
    stand_in: Option<StandIn>,
    lookup_time: Duration,
}

/// Why a name does not lead anywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum ResolveError {
    #[error("the name does not exist")]
    NotFound,
    #[error("no answer to the name's lookup within {0:?}")]
    TimedOut(Duration),
    /// One of its addresses is not to be dialled, or the name is one for inside a network.
    #[error("the name leads to an address that is never dialled")]
    Forbidden,
}

impl World {
    pub(super) fn new(settings: &EgressSettings) -> Self {
        Self {
            loopback: settings.loopback,
            dev: settings.dev_resolve.iter().map(|entry| (entry.host().to_owned(), entry.target())).collect(),
            stand_in: settings.stand_in,
            // Less than what connecting as a whole is given, so that the error can tell the two apart.
            lookup_time: settings.limits.connect_time.mul_f32(0.8),
        }
    }

    /// Whether an address may be dialled.
    pub(super) fn check(&self, address: IpAddr) -> Result<(), Forbidden> {
        if self.stand_in.is_some_and(|stand_in| stand_in.address.ip() == address) {
            return Ok(());
        }
        match self.loopback {
            Loopback::AllowedForDevelopment if address.is_loopback() => Ok(()),
            Loopback::AllowedForDevelopment | Loopback::Refused => address::check(address),
        }
    }

    /// Turns a URL to where development has it lead. `Host` names the host that was asked for still.
    pub(super) fn turn(&self, url: &mut Url, host: &str) {
        match self.stand_in {
            Some(StandIn { address, scheme: Scheme::Http }) => {
                // Each of these can be refused for URLs without a host only.
                let _ = url.set_scheme("http");
                let _ = url.set_ip_host(address.ip());
                let _ = url.set_port(Some(address.port()));
            }
            // A port in the URL would win over the one that the name leads to.
            Some(StandIn { scheme: Scheme::Https, .. }) => _ = url.set_port(None),
            None if self.dev.contains_key(host) => _ = url.set_port(None),
            None => {}
        }
    }

    /// Whether an address that stands in a URL may be reached at all. In a closed world only this machine may.
    pub(super) fn has_literal(&self, address: IpAddr) -> bool {
        self.dev.is_empty() || address.is_loopback()
    }

    /// The addresses of a name, all of them checked. Port 0 stands for the URL's.
    pub(super) async fn resolve(&self, host: &str) -> Result<Vec<SocketAddr>, ResolveError> {
        let addresses = if let Some(stand_in) = self.stand_in {
            vec![stand_in.address]
        } else if !self.dev.is_empty() {
            vec![*self.dev.get(host).ok_or(ResolveError::NotFound)?]
        } else if is_localhost(host) {
            // Never asked of a DNS server (RFC 6761, 6.3).
            vec![(Ipv4Addr::LOCALHOST, 0).into(), (Ipv6Addr::LOCALHOST, 0).into()]
        } else if is_internal_name(host) {
            tracing::warn!(host, "a name for inside a network is not looked up");
            return Err(ResolveError::Forbidden);
        } else {
            // With the dot at its end no search domain is tried.
            let lookup = tokio::net::lookup_host((format!("{host}."), 0));
            let found =
                timeout(self.lookup_time, lookup).await.map_err(|_| ResolveError::TimedOut(self.lookup_time))?;
            found
                .map_err(|error| {
                    tracing::debug!(host, %error, "name lookup failed");
                    ResolveError::NotFound
                })?
                .collect()
        };
        if addresses.is_empty() {
            return Err(ResolveError::NotFound);
        }
        // One address that is forbidden condemns the name: whoever answers for it tries something.
        for address in &addresses {
            self.check(address.ip()).map_err(|forbidden| {
                tracing::warn!(host, address = %address.ip(), class = %forbidden.class, "a name leads to an address that is never dialled");
                ResolveError::Forbidden
            })?;
        }
        Ok(addresses)
    }
}

/// Names that only have a meaning inside a network: a single label, and the names set aside for that (RFC 6762, RFC 8375,
/// ICANN's `.internal`). Split-horizon servers give them public addresses too.
fn is_internal_name(host: &str) -> bool {
    match host.rsplit_once('.') {
        None => true,
        Some((rest, top)) => matches!(top, "internal" | "local" | "onion") || top == "arpa" && rest.ends_with("home"),
    }
}

/// What reqwest asks. It dials exactly what it is told, except for addresses in URLs, about which it does not ask.
pub(super) struct CheckedResolver(pub(super) Arc<World>);

impl Resolve for CheckedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let world = Arc::clone(&self.0);
        Box::pin(async move {
            let addresses = world.resolve(name.as_str()).await?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn world(dev_resolve: &[&str], loopback: Loopback) -> World {
        let dev_resolve = dev_resolve.iter().map(|entry| entry.parse().unwrap()).collect();
        World::new(&EgressSettings { dev_resolve, loopback, ..EgressSettings::default() })
    }

    #[tokio::test]
    async fn localhost_is_this_machine_and_only_for_development() {
        let dev = world(&[], Loopback::AllowedForDevelopment);
        for name in ["localhost", "a.localhost"] {
            assert!(dev.resolve(name).await.unwrap().iter().all(|address| address.ip().is_loopback()));
            assert_eq!(world(&[], Loopback::Refused).resolve(name).await, Err(ResolveError::Forbidden));
        }
    }

    #[tokio::test]
    async fn names_for_inside_a_network_are_not_looked_up() {
        for name in ["intranet", "metadata.google.internal", "printer.local", "router.home.arpa"] {
            assert_eq!(
                world(&[], Loopback::AllowedForDevelopment).resolve(name).await,
                Err(ResolveError::Forbidden),
                "{name}"
            );
        }
    }

    #[tokio::test]
    async fn a_closed_world_has_no_other_names() {
        let dev =
            world(&["api.example.com=127.0.0.1:8443", "b.example.com=10.0.0.1:1"], Loopback::AllowedForDevelopment);
        assert_eq!(dev.resolve("api.example.com").await, Ok(vec!["127.0.0.1:8443".parse().unwrap()]));
        assert_eq!(dev.resolve("b.example.com").await, Err(ResolveError::Forbidden));
        for name in ["www.example.com", "localhost"] {
            assert_eq!(dev.resolve(name).await, Err(ResolveError::NotFound), "{name}");
        }
        let strict = world(&["api.example.com=127.0.0.1:8443"], Loopback::Refused);
        assert_eq!(strict.resolve("api.example.com").await, Err(ResolveError::Forbidden));
    }

    #[test]
    fn only_loopback_is_let_through_for_development() {
        let dev = world(&[], Loopback::AllowedForDevelopment);
        for allowed in ["127.0.0.1", "127.9.9.9", "::1", "93.184.215.14"] {
            assert!(dev.check(allowed.parse().unwrap()).is_ok(), "{allowed}");
        }
        for forbidden in ["10.0.0.1", "169.254.169.254", "0.0.0.0", "::", "::ffff:127.0.0.1", "fd00:ec2::254"] {
            assert!(dev.check(forbidden.parse().unwrap()).is_err(), "{forbidden}");
        }
    }
}
