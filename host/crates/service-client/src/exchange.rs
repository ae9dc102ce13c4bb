//! One HTTP/1.1 request on a connection of its own.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::response::Parts;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full, Limited};
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
use zeroize::Zeroizing;

/// Bytes of an answer. What is asked for here has a few hundred.
const LARGEST_ANSWER: usize = 64 * 1024;

/// Protocol of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// HTTP/1.1 over TLS.
    Https,
    /// HTTP/1.1 without TLS.
    Http,
}

/// A service that the operator names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// Protocol of the service.
    pub scheme: Scheme,
    /// Host name or address of the service.
    pub host: Host,
    /// TCP port of the service.
    pub port: u16,
}

/// Time limits of a request.
#[derive(Debug, Clone, Copy)]
pub struct Deadlines {
    /// To a connection, with TLS.
    pub connect: Duration,
    /// To the end of the answer.
    pub answer: Duration,
}

impl Upstream {
    /// Host, and port where it is not the scheme's own, as the `Host` header has them.
    pub fn authority(&self) -> String {
        match (self.scheme, self.port) {
            (Scheme::Https, 443) | (Scheme::Http, 80) => self.host.to_string(),
            (_, port) => format!("{}:{port}", self.host),
        }
    }
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.scheme {
            Scheme::Https => "https",
            Scheme::Http => "http",
        };
        write!(f, "{scheme}://{}", self.authority())
    }
}

/// A connection of its own, for one request.
pub struct Connection<B> {
    sender: http1::SendRequest<B>,
    driver: JoinHandle<()>,
    authority: String,
}

impl<B> Connection<B>
where
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    /// Sends a request, and returns as soon as its answer begins.
    ///
    /// # Errors
    /// In words, where there is no answer.
    pub async fn send(&mut self, request: Request<B>) -> Result<Response<Incoming>, String> {
        self.sender.send_request(request).await.map_err(|error| format!("{} broke off: {error}", self.authority))
    }
}

impl<B> Drop for Connection<B> {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// Connects to a service.
///
/// # Errors
/// In words.
pub async fn connect<B>(to: &Upstream, tls: &Arc<ClientConfig>, within: Duration) -> Result<Connection<B>, String>
where
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
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
                Box::new(connected.map_err(|error| format!("no TLS with {authority}: {error}"))?)
            }
        };
        Ok::<_, String>(stream)
    };
    let late = || format!("{authority} took too long to connect");
    let stream = tokio::time::timeout(within, connect).await.map_err(|_| late())??;
    let handshake = http1::handshake(TokioIo::new(stream)).await;
    let (sender, connection) = handshake.map_err(|error| format!("{authority} broke off: {error}"))?;
    let driver = tokio::spawn(async move {
        // Every error of the connection is an error of the request, too.
        let _ = connection.await;
    });
    Ok(Connection { sender, driver, authority })
}

/// Sends a request and reads the answer whole.
///
/// # Errors
/// In words, where there was no whole answer.
pub async fn exchange(
    to: &Upstream,
    tls: &Arc<ClientConfig>,
    request: Request<Full<Bytes>>,
    deadlines: Deadlines,
) -> Result<(Parts, Zeroizing<Vec<u8>>), String> {
    let authority = to.authority();
    let mut connection = connect(to, tls, deadlines.connect).await?;
    let answer = async {
        let (parts, body) = connection.send(request).await?.into_parts();
        let body = Limited::new(body, LARGEST_ANSWER).collect().await;
        let body = body.map_err(|error| format!("{authority} did not answer whole: {error}"))?;
        Ok((parts, Zeroizing::new(body.to_bytes().to_vec())))
    };
    tokio::time::timeout(deadlines.answer, answer).await.map_err(|_| format!("{authority} took too long to answer"))?
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

fn server_name(host: &Host) -> Result<ServerName<'static>, String> {
    match host {
        Host::Domain(name) => ServerName::try_from(name.clone()).map_err(|error| format!("{name}: {error}")),
        Host::Ipv4(address) => Ok(ServerName::IpAddress(IpAddr::from(std::net::IpAddr::from(*address)))),
        Host::Ipv6(address) => Ok(ServerName::IpAddress(IpAddr::from(std::net::IpAddr::from(*address)))),
    }
}
