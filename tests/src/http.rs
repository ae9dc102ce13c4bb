//! A small HTTP/1.1 client: it keeps the exact bytes of responses, and can send bytes that are not HTTP.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ::http::{Request as HyperRequest, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::or_fail::{OrFail as _, fail};

/// The timeout of a request, after which the test fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// Why there is no response.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// A request to be sent.
#[derive(Debug, Clone)]
pub struct Request {
    /// `PUT`
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Besides `Host` and `Content-Length`.
    pub headers: Vec<(String, String)>,
    /// The body; empty for none.
    pub body: Vec<u8>,
}

impl Request {
    /// Without headers or body.
    pub fn new(method: &str, target: &str) -> Self {
        Self { method: method.to_owned(), target: target.to_owned(), headers: Vec::new(), body: Vec::new() }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets the body, with the content type of JSON.
    #[must_use]
    pub fn json(self, body: &Value) -> Self {
        self.body("application/json", body.to_string())
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.header("content-type", content_type)
    }

    /// Sends it on a connection of its own. Fails the test if there is no response.
    pub async fn send(self, to: SocketAddr) -> Response {
        let shown = format!("{} {} to {to}", self.method, self.target);
        match timeout(PATIENCE, self.try_send(to)).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => fail(format_args!("{shown}: {error:?}")),
            Err(_) => fail(format_args!("{shown}: no response within {PATIENCE:?}")),
        }
    }

    /// Sends it on a connection of its own, for a server that may be gone.
    pub async fn try_send(self, to: SocketAddr) -> Result<Response, Error> {
        let stream = TcpStream::connect(to).await?;
        stream.set_nodelay(true)?;
        self.over(stream, to).await
    }

    /// Sends it to a Unix socket. Fails the test if there is no response.
    pub async fn send_to_socket(self, path: &Path) -> Response {
        let shown = format!("{} {} to {}", self.method, self.target, path.display());
        let stream = UnixStream::connect(path).await.or_fail(&shown);
        self.over(stream, ([127, 0, 0, 1], 80).into()).await.or_fail(&shown)
    }

    /// Sends it over TLS to `localhost`, on a connection of its own. Also returns the server's certificate, in DER.
    pub async fn try_send_tls(self, to: SocketAddr, tls: Arc<ClientConfig>) -> Result<(Response, Vec<u8>), Error> {
        let stream = TcpStream::connect(to).await?;
        stream.set_nodelay(true)?;
        let stream = TlsConnector::from(tls).connect("localhost".try_into()?, stream).await?;
        let (_, session) = stream.get_ref();
        let seen = session.peer_certificates().and_then(<[_]>::first).map(|certificate| certificate.to_vec());
        Ok((self.over(stream, to).await?, seen.unwrap_or_default()))
    }

    async fn over(
        self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        to: SocketAddr,
    ) -> Result<Response, Error> {
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let connection = tokio::spawn(connection);
        let answered = self.exchange(&mut sender, to).await;
        connection.abort();
        answered
    }

    async fn exchange(
        self,
        sender: &mut http1::SendRequest<Full<hyper::body::Bytes>>,
        to: SocketAddr,
    ) -> Result<Response, Error> {
        let mut request = HyperRequest::builder().method(self.method.as_str()).uri(self.target.parse::<Uri>()?);
        if !self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            request = request.header("host", to.to_string());
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let (parts, body) = sender.send_request(request.body(Full::from(self.body))?).await?.into_parts();
        let headers = parts
            .headers
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
        Ok(Response {
            status: parts.status.as_u16(),
            headers: headers.collect(),
            body: body.collect().await?.to_bytes().to_vec(),
        })
    }
}

/// A connection that is kept for many requests.
pub struct Connection {
    sender: http1::SendRequest<Full<hyper::body::Bytes>>,
    to: SocketAddr,
}

impl Connection {
    /// Connects.
    pub async fn open(to: SocketAddr) -> Result<Self, Error> {
        let stream = TcpStream::connect(to).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self { sender, to })
    }

    /// Sends a request and reads its response.
    pub async fn send(&mut self, request: Request) -> Result<Response, Error> {
        self.sender.ready().await?;
        request.exchange(&mut self.sender, self.to).await
    }
}

/// A complete response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// All headers in the order of arrival, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The exact bytes of the body.
    pub body: Vec<u8>,
}

impl Response {
    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The body as text; bytes outside UTF-8 are replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON. Fails the test where it is not JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).or_fail(format_args!(
            "status {} with a body that is not JSON: {}",
            self.status,
            self.text()
        ))
    }
}

/// A `GET` without headers.
pub async fn get(to: SocketAddr, target: &str) -> Response {
    Request::new("GET", target).send(to).await
}

/// Sends these bytes unchanged and reads until the server closes, or sends nothing for `quiet`.
pub async fn raw(to: SocketAddr, bytes: &[u8], quiet: Duration) -> Vec<u8> {
    let mut stream = TcpStream::connect(to).await.or_fail(format_args!("connect to {to}"));
    // A server may close before it has read everything: its response still counts.
    let _closed_early = stream.write_all(bytes).await;
    let mut seen = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(Ok(read @ 1..)) = timeout(quiet, stream.read(&mut buffer)).await {
        seen.extend(buffer.iter().take(read));
    }
    seen
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// Sends the same bytes to every connection after the head of its request, and passes the head to the caller.
    async fn answering(bytes: &'static [u8]) -> (SocketAddr, tokio::task::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let head = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut seen = Vec::new();
            while !seen.ends_with(b"\r\n\r\n") {
                seen.push(stream.read_u8().await.unwrap());
            }
            stream.write_all(bytes).await.unwrap();
            String::from_utf8(seen).unwrap()
        });
        (address, head)
    }

    #[tokio::test]
    async fn keeps_status_headers_and_the_exact_bytes() {
        let (address, head) =
            answering(b"HTTP/1.1 429 Slow Down\r\nRetry-After: 7\r\nContent-Length: 3\r\n\r\n{ }").await;
        let answer = Request::new("PUT", "/a?b=c").header("x-api-key", "k").send(address).await;
        assert_eq!(
            (answer.status, answer.header("retry-after"), answer.body.as_slice()),
            (429, Some("7"), &b"{ }"[..])
        );
        let head = head.await.unwrap();
        assert!(head.starts_with("PUT /a?b=c HTTP/1.1\r\n"), "{head}");
        assert!(head.contains(&format!("host: {address}\r\n")) && head.contains("x-api-key: k\r\n"), "{head}");
    }

    #[tokio::test]
    async fn raw_bytes_go_out_and_come_back_untouched() {
        let (address, head) = answering(b"not http").await;
        assert_eq!(raw(address, b"\x00junk\r\n\r\n", Duration::from_secs(5)).await, b"not http");
        assert_eq!(head.await.unwrap(), "\0junk\r\n\r\n");
    }
}
