//! Lookups at DNS servers: the system's, or those that the operator named.
//!
//! Not `getaddrinfo`, for three reasons: it blocks a thread that cannot be cancelled, so that a slow server could use
//! up all threads; it reads `/etc/hosts` and the other sources of `nsswitch.conf`, which lead inside; and it hides the
//! source of an answer. No answer is cached here: each new connection asks again, and each answer is checked again.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::{Duration, SystemTime};

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::rr::Name;
use parking_lot::Mutex;
use tokio::time::timeout;

use super::error::ResolveError;
use super::settings::DnsServer;

/// The file with the system's DNS servers.
const RESOLV_CONF: &str = "/etc/resolv.conf";

/// An answer with more addresses is refused as a whole. Providers have a handful; one with thousands would only make the
/// checks, and the dialling of one after the other, long.
const MOST_ADDRESSES: usize = 64;

/// Repetitions of a query that got no answer.
const RETRIES: usize = 1;

/// A client of the configured DNS servers.
pub(super) struct Dns {
    servers: Vec<DnsServer>,
    time: Duration,
    asked: Mutex<Option<Asked>>,
}

/// The resolver in use, and the version of the settings that it was made from.
struct Asked {
    from: Option<Version>,
    resolver: TokioResolver,
}

/// A version of [`RESOLV_CONF`].
type Version = (SystemTime, u64);

impl Dns {
    /// A client of these servers, or of the system's if the list is empty. A lookup waits at most `time`.
    pub(super) fn new(servers: &[DnsServer], time: Duration) -> Self {
        Self { servers: servers.to_vec(), time, asked: Mutex::default() }
    }

    /// The addresses of a name, unchecked.
    pub(super) async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, ResolveError> {
        // The dot at the end makes the name absolute: no search domain is tried.
        let name = Name::from_ascii(format!("{host}.")).map_err(|_| ResolveError::NotFound)?;
        let resolver = self.resolver().map_err(|error| {
            tracing::error!(%error, "no DNS server is known: {RESOLV_CONF} has no entry, or cannot be read");
            ResolveError::Failed
        })?;
        let found = timeout(self.time, resolver.lookup_ip(name)).await;
        let found =
            found.map_err(|_| ResolveError::TimedOut(self.time))?.map_err(|error| self.classify(host, &error))?;
        let addresses: Vec<IpAddr> = found.iter().collect();
        if addresses.len() > MOST_ADDRESSES {
            tracing::warn!(host, addresses = addresses.len(), "a name with too many addresses is not dialled");
            return Err(ResolveError::Failed);
        }
        Ok(addresses)
    }

    fn classify(&self, host: &str, error: &NetError) -> ResolveError {
        tracing::debug!(host, %error, "name lookup failed");
        match error {
            NetError::Timeout => ResolveError::TimedOut(self.time),
            // No such name, or a name without an address.
            NetError::Dns(DnsError::NoRecordsFound(_)) => ResolveError::NotFound,
            _ => ResolveError::Failed,
        }
    }

    /// The resolver; built anew after the system's settings have changed.
    fn resolver(&self) -> Result<TokioResolver, NetError> {
        let from = if self.servers.is_empty() { version(Path::new(RESOLV_CONF)) } else { None };
        let mut asked = self.asked.lock();
        if let Some(asked) = asked.as_ref().filter(|asked| asked.from == from) {
            return Ok(asked.resolver.clone());
        }
        let resolver = self.build()?;
        *asked = Some(Asked { from, resolver: resolver.clone() });
        Ok(resolver)
    }

    fn build(&self) -> Result<TokioResolver, NetError> {
        let (servers, system) = if self.servers.is_empty() {
            let (config, options) = hickory_resolver::system_conf::read_system_conf()?;
            (config.name_servers().to_vec(), options)
        } else {
            (self.servers.iter().map(|server| name_server(server.address())).collect(), ResolverOpts::default())
        };
        let mut options = ResolverOpts::default();
        options.edns0 = system.edns0;
        options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
        options.use_hosts_file = ResolveHosts::Never;
        options.cache_size = 0;
        options.attempts = RETRIES;
        // The last attempt ends before the lookup as a whole: where a server has an answer for one kind of address and
        // none for the other, there is time left to take the one.
        options.timeout = self.time.mul_f32(0.9) / (RETRIES as u32 + 1);
        // No domain and no search list.
        let config = ResolverConfig::from_name_servers(servers);
        TokioResolver::builder_with_config(config, TokioRuntimeProvider::default()).with_options(options).build()
    }
}

impl std::fmt::Debug for Dns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dns").field("servers", &self.servers).field("time", &self.time).finish_non_exhaustive()
    }
}

fn name_server(address: SocketAddr) -> NameServerConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = address.port();
        connection
    });
    NameServerConfig::new(address.ip(), true, connections.to_vec())
}

fn version(path: &Path) -> Option<Version> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}
