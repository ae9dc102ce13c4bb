//! An HTTP/1.1 connection.

use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls_pki_types::{IpAddr, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use url::Host;

use super::address::{Scheme, ServiceAddress};

/// Why there is no response, or no whole one.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// There is no connection, so the service has received nothing.
    #[error("{0}")]
    NotConnected(String),
    /// The exchange failed on a connection. The service may have received the request.
    #[error("{0}")]
    Failed(String),
}

/// A connection to a service, closed when it is dropped.
pub struct Connection<B> {
    sender: http1::SendRequest<B>,
    driver: JoinHandle<()>,
    peer: String,
}

impl<B> Connection<B>
where
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    /// Connects to a service by TCP and, if its scheme is `https`, TLS.
    ///
    /// # Errors
    /// [`ExchangeError::NotConnected`].
    pub async fn open(to: &ServiceAddress, tls: &Arc<ClientConfig>, within: Duration) -> Result<Self, ExchangeError> {
        let authority = to.authority();
        let connect = async {
            let stream = match &to.host {
                Host::Domain(name) => TcpStream::connect((name.as_str(), to.port)).await,
                Host::Ipv4(address) => TcpStream::connect((*address, to.port)).await,
                Host::Ipv6(address) => TcpStream::connect((*address, to.port)).await,
            };
            let stream = stream.map_err(|error| format!("cannot connect to {authority}: {error}"))?;
            let _ = stream.set_nodelay(true);
            let stream: Box<dyn Stream> = match to.scheme {
                Scheme::Http => Box::new(stream),
                Scheme::Https => {
                    let connected = TlsConnector::from(Arc::clone(tls)).connect(server_name(&to.host)?, stream).await;
                    Box::new(connected.map_err(|error| no_tls(&authority, &error))?)
                }
            };
            Ok::<_, String>(stream)
        };
        let late = |_| format!("{authority} took too long to connect");
        let connected = tokio::time::timeout(within, connect).await.map_err(late).flatten();
        Self::over(connected.map_err(ExchangeError::NotConnected)?, authority).await
    }

    /// Starts HTTP/1.1 on a stream, such as a Unix socket. `peer` names the service in errors.
    ///
    /// # Errors
    /// [`ExchangeError::NotConnected`].
    pub async fn over<S>(stream: S, peer: String) -> Result<Self, ExchangeError>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let handshake = http1::handshake(TokioIo::new(stream)).await;
        let (sender, connection) =
            handshake.map_err(|error| ExchangeError::NotConnected(format!("{peer} broke off: {error}")))?;
        let driver = tokio::spawn(async move {
            // Every error of the connection is an error of the request, too.
            let _ = connection.await;
        });
        Ok(Self { sender, driver, peer })
    }

    /// Sends a request, and returns when the head of the response has arrived.
    ///
    /// # Errors
    /// [`ExchangeError::Failed`].
    pub async fn send(&mut self, request: Request<B>) -> Result<Response<Incoming>, ExchangeError> {
        let sent = self.sender.send_request(request).await;
        sent.map_err(|error| ExchangeError::Failed(format!("{} broke off: {error}", self.peer)))
    }
}

impl<B> Drop for Connection<B> {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Why there is no TLS. Of a service that responds in plain text, the TLS library says only that a message is corrupt.
fn no_tls(authority: &str, error: &std::io::Error) -> String {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
    match cause {
        Some(rustls::Error::InvalidMessage(_)) => {
            format!("{authority} does not speak TLS: write http:// in place of https://, or use the port of its HTTPS")
        }
        _ => format!("no TLS with {authority}: {error}"),
    }
}

fn server_name(host: &Host) -> Result<ServerName<'static>, String> {
    match host {
        Host::Domain(name) => ServerName::try_from(name.clone()).map_err(|error| format!("{name}: {error}")),
        Host::Ipv4(address) => Ok(ServerName::IpAddress(IpAddr::from(std::net::IpAddr::from(*address)))),
        Host::Ipv6(address) => Ok(ServerName::IpAddress(IpAddr::from(std::net::IpAddr::from(*address)))),
    }
}
