//! [`Dialer`]: connects to checked addresses, with TLS where the URL says https.

use std::error::Error;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tower_service::Service as _;

use super::connection::{Connection, Stream};
use super::error::SendError;
use super::origin::Origin;
use super::resolver::{CheckedResolver, DialPolicy};
use super::transport_error;

/// Idle time after which the system asks whether a peer is still there, and the time between two such questions.
const KEEPALIVE: Duration = Duration::from_secs(15);
/// Questions without an answer after which a connection is broken.
const KEEPALIVE_RETRIES: u32 = 3;

/// Connects for one app. It shares TLS sessions with no other.
#[derive(Clone)]
pub(super) struct Dialer {
    tcp: HttpConnector<CheckedResolver>,
    tls: TlsConnector,
    policy: Arc<DialPolicy>,
    time: Duration,
}

impl Dialer {
    /// Connects within `time`, the lookup of the name and the TLS handshake included.
    pub(super) fn new(policy: Arc<DialPolicy>, tls: ClientConfig, time: Duration) -> Self {
        let mut tcp = HttpConnector::new_with_resolver(CheckedResolver(Arc::clone(&policy)));
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(time));
        tcp.set_keepalive(Some(KEEPALIVE));
        tcp.set_keepalive_interval(Some(KEEPALIVE));
        tcp.set_keepalive_retries(Some(KEEPALIVE_RETRIES));
        Self { tcp, tls: TlsConnector::from(Arc::new(tls)), policy, time }
    }

    /// A new connection to a host.
    pub(super) async fn dial(&self, origin: &Origin) -> Result<Box<Connection>, SendError> {
        match timeout(self.time, self.connect(origin)).await {
            Ok(connected) => connected.map_err(|error| transport_error::not_connected(&*error, origin, self.time)),
            Err(_) => Err(transport_error::connect_timeout(origin, self.time)),
        }
    }

    async fn connect(&self, origin: &Origin) -> Result<Box<Connection>, Box<dyn Error + Send + Sync>> {
        let url = self.policy.dialled(origin);
        let mut tcp = self.tcp.clone();
        poll_fn(|context| tcp.poll_ready(context)).await?;
        let stream = tcp.call(Uri::try_from(url.as_str())?).await?.into_inner();
        // The address was checked before it was dialled; this holds if a layer below ever decides otherwise.
        let peer = stream.peer_addr()?.ip();
        self.policy.check(peer).inspect_err(|refused| {
            tracing::warn!(host = origin.host(), %peer, class = %refused.class, "a connection to an address that is never dialled");
        })?;
        let stream: Box<dyn Stream> = if url.scheme() == "https" {
            let name = origin.host().trim_start_matches('[').trim_end_matches(']');
            Box::new(self.tls.connect(ServerName::try_from(name.to_owned())?, stream).await?)
        } else {
            Box::new(stream)
        };
        Ok(Connection::over(stream).await?)
    }
}
