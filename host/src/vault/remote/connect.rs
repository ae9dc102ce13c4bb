//! One HTTP/1.1 request on a connection of its own. Roots are unwrapped once, so there is nothing to keep a connection for.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls_pki_types::{IpAddr, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use url::Host;
use zeroize::Zeroizing;

use super::transit_key::{Scheme, TransitKey};

/// To a connection, with TLS.
const CONNECT: Duration = Duration::from_secs(3);
/// To the end of the answer.
const ANSWER: Duration = Duration::from_secs(4);
/// Bytes of an answer. A wrapped key has a few hundred.
const LARGEST_ANSWER: usize = 64 * 1024;

/// Sends a request and reads the answer whole.
///
/// # Errors
/// In words, where there was no whole answer.
pub(super) async fn exchange(
    to: &TransitKey,
    tls: &Arc<ClientConfig>,
    request: Request<Full<Bytes>>,
) -> Result<(StatusCode, Zeroizing<Vec<u8>>), String> {
    let connect = async {
        let stream = match &to.host {
            Host::Domain(name) => TcpStream::connect((name.as_str(), to.port)).await,
            Host::Ipv4(address) => TcpStream::connect((*address, to.port)).await,
            Host::Ipv6(address) => TcpStream::connect((*address, to.port)).await,
        };
        let stream = stream.map_err(|error| format!("cannot connect to {}: {error}", to.authority))?;
        let _ = stream.set_nodelay(true);
        let stream: Box<dyn Stream> = match to.scheme {
            Scheme::Http => Box::new(stream),
            Scheme::Https => {
                let connected = TlsConnector::from(Arc::clone(tls)).connect(server_name(&to.host)?, stream).await;
                Box::new(connected.map_err(|error| format!("no TLS with {}: {error}", to.authority))?)
            }
        };
        Ok::<_, String>(stream)
    };
    let late = |what: &str| format!("{} took too long to {what}", to.authority);
    let stream = tokio::time::timeout(CONNECT, connect).await.map_err(|_| late("connect"))??;
    let answer = async {
        let broken = |error: hyper::Error| format!("{} broke off: {error}", to.authority);
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        let connection = tokio::spawn(connection);
        let outcome = async {
            let (parts, body) = sender.send_request(request).await.map_err(broken)?.into_parts();
            let body = Limited::new(body, LARGEST_ANSWER).collect().await;
            let body = body.map_err(|error| format!("{} did not answer whole: {error}", to.authority))?;
            Ok((parts.status, Zeroizing::new(body.to_bytes().to_vec())))
        };
        let outcome = outcome.await;
        connection.abort();
        outcome
    };
    tokio::time::timeout(ANSWER, answer).await.map_err(|_| late("answer"))?
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
