//! Several mock providers under one certificate authority.

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio::task::{AbortHandle, JoinSet};

use super::connection::{Handler, Provider, immediate};
use super::log::RequestLog;
use super::{ProviderError, Received, Reply, ThrowAwayCa};

/// Mocks of several providers, each a TLS listener on a free port of 127.0.0.1. All stop when this is dropped.
pub struct MockProviders {
    ca: ThrowAwayCa,
    log: Arc<RequestLog>,
    connections: Arc<AtomicU64>,
    names: Vec<(String, SocketAddr)>,
    listeners: Vec<AbortHandle>,
}

impl MockProviders {
    /// No providers yet, and a new certificate authority.
    pub async fn start() -> Result<Self, ProviderError> {
        Ok(Self::under(ThrowAwayCa::new()?))
    }

    /// No providers yet, under this certificate authority.
    pub fn under(ca: ThrowAwayCa) -> Self {
        Self { ca, log: Arc::default(), connections: Arc::default(), names: Vec::new(), listeners: Vec::new() }
    }

    /// Adds a mock of `host`, which may be a wildcard (`*.suitetalk.api.netsuite.com`): the handler replies to every
    /// request to it. A wildcard needs [`resolve_to`](Self::resolve_to) for each host that a client connects to.
    pub async fn add(
        &mut self,
        host: &str,
        handler: impl Fn(Received) -> Reply + Send + Sync + 'static,
    ) -> Result<SocketAddr, ProviderError> {
        let tls = self.ca.server_config(&[host])?;
        self.listen(&[host], 0, tls, immediate(handler)).await
    }

    /// Adds one mock of several hosts, all of them on one port of 127.0.0.1: `port`, or a free one if that is 0.
    pub async fn add_hosts(
        &mut self,
        hosts: &[&str],
        port: u16,
        handler: impl Fn(Received) -> Reply + Send + Sync + 'static,
    ) -> Result<SocketAddr, ProviderError> {
        let tls = self.ca.server_config(hosts)?;
        self.listen(hosts, port, tls, immediate(handler)).await
    }

    /// [`add`](Self::add) for a handler that waits for something.
    pub async fn add_async<F>(
        &mut self,
        host: &str,
        handler: impl Fn(Received) -> F + Send + Sync + 'static,
    ) -> Result<SocketAddr, ProviderError>
    where
        F: Future<Output = Reply> + Send + 'static,
    {
        let tls = self.ca.server_config(&[host])?;
        self.listen(&[host], 0, tls, Arc::new(move |request| Box::pin(handler(request)))).await
    }

    /// [`add`](Self::add) with TLS of the caller's making: a certificate that has expired, is another host's, or comes
    /// from another authority.
    pub async fn add_with_tls(
        &mut self,
        host: &str,
        tls: Arc<ServerConfig>,
        handler: impl Fn(Received) -> Reply + Send + Sync + 'static,
    ) -> Result<SocketAddr, ProviderError> {
        self.listen(&[host], 0, tls, immediate(handler)).await
    }

    /// Makes one more host name resolve to a mock provider, such as one that a wildcard covers.
    pub fn resolve_to(&mut self, host: &str, address: SocketAddr) {
        self.names.push((host.to_owned(), address));
    }

    /// `HOST=127.0.0.1:PORT` for each exact host, as `--dev-resolve` takes it. Any other host does not exist.
    pub fn resolve_flags(&self) -> Vec<String> {
        self.names.iter().map(|(host, address)| format!("{host}={address}")).collect()
    }

    /// Where a host is served, `None` if no mock provider was added under exactly that name.
    pub fn address_of(&self, host: &str) -> Option<SocketAddr> {
        self.names.iter().find(|(known, _)| known == host).map(|(_, address)| *address)
    }

    /// The latest 10 000 requests to any of the mock providers, in the order of arrival.
    pub fn received(&self) -> Vec<Received> {
        self.log.latest()
    }

    /// How many requests came in since the start or since [`forget_received`](Self::forget_received).
    pub fn received_total(&self) -> u64 {
        self.log.total()
    }

    /// Removes all received requests from the log.
    pub fn forget_received(&self) {
        self.log.forget();
    }

    /// The authority that signed all certificates.
    pub fn ca(&self) -> &ThrowAwayCa {
        &self.ca
    }

    /// The authority's certificate, PEM, for clients that have to trust the mock providers.
    pub fn ca_pem(&self) -> &str {
        self.ca.pem()
    }

    /// Writes [`ca_pem`](Self::ca_pem) to a file, as `--egress-ca` takes it.
    pub fn write_ca_pem(&self, path: &Path) -> Result<(), ProviderError> {
        self.ca.write_pem(path)
    }

    async fn listen(
        &mut self,
        hosts: &[&str],
        port: u16,
        tls: Arc<ServerConfig>,
        handler: Handler,
    ) -> Result<SocketAddr, ProviderError> {
        let wanted = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let failed = |source| ProviderError::Listen { address: wanted, hosts: hosts.join(", "), source };
        let listener = TcpListener::bind(wanted).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let provider = Provider { tls, handler, log: Arc::clone(&self.log) };
        let task = tokio::spawn(accept(listener, provider, Arc::clone(&self.connections)));
        self.listeners.push(task.abort_handle());
        let exact = hosts.iter().filter(|host| !host.starts_with("*."));
        self.names.extend(exact.map(|host| ((*host).to_owned(), address)));
        Ok(address)
    }
}

impl Drop for MockProviders {
    fn drop(&mut self) {
        for listener in &self.listeners {
            listener.abort();
        }
    }
}

/// Accepts until aborted; its connections end with it, because the set that holds them is dropped.
async fn accept(listener: TcpListener, provider: Provider, connections: Arc<AtomicU64>) {
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let _best_effort = stream.set_nodelay(true);
                    let number = connections.fetch_add(1, Ordering::Relaxed);
                    open.spawn(provider.clone().serve(stream, number));
                }
                // Out of file descriptors, as a rule: let some be closed before trying again.
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            },
            Some(_) = open.join_next() => {}
        }
    }
}

#[cfg(test)]
#[path = "providers_tests.rs"]
mod tests;
