//! One connection: TLS, HTTP/1.1 with keep-alive, and a way to send bytes that are no HTTP at all.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use futures_util::future::BoxFuture;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::delivery::{Hangup, ReplyBody, bare, deliver};
use super::log::RequestLog;
use super::{Received, Reply};

/// The largest request body a mock provider reads, bytes.
const MAX_BODY: usize = 16 * 1024 * 1024;

/// Answers the requests of one host.
pub(super) type Handler = Arc<dyn Fn(Received) -> BoxFuture<'static, Reply> + Send + Sync>;

/// State that all connections of one provider share.
#[derive(Clone)]
pub(super) struct Provider {
    pub(super) tls: Arc<ServerConfig>,
    pub(super) handler: Handler,
    pub(super) log: Arc<RequestLog>,
}

impl Provider {
    /// Serves one connection until either side closes it. A failed handshake is reported by the client, not here.
    pub(super) async fn serve(self, stream: TcpStream, connection: u64) {
        let Ok(tls) = TlsAcceptor::from(Arc::clone(&self.tls)).accept(stream).await else { return };
        let server_name = tls.get_ref().1.server_name().map(str::to_owned);
        let instead = Instead::default();
        let io = Wire { inner: tls, instead: instead.clone() };
        let service = service_fn(move |request| {
            let (provider, instead, server_name) = (self.clone(), instead.clone(), server_name.clone());
            async move { provider.answer(request, server_name, connection, &instead).await }
        });
        // A client that goes away in the middle of an answer is an ordinary end here.
        let _ended = http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(io), service).await;
    }

    async fn answer(
        &self,
        request: Request<Incoming>,
        server_name: Option<String>,
        connection: u64,
        instead: &Instead,
    ) -> Result<Response<ReplyBody>, Hangup> {
        let (parts, body) = request.into_parts();
        let Ok(body) = Limited::new(body, MAX_BODY).collect().await else {
            return Ok(bare(StatusCode::PAYLOAD_TOO_LARGE));
        };
        let headers: Vec<(String, String)> = parts
            .headers
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        let received = Received {
            host: parts.headers.get(http::header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("").to_owned(),
            server_name,
            connection,
            method: parts.method.as_str().to_owned(),
            path_and_query: parts.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned(),
            headers,
            body: body.to_bytes().to_vec(),
        };
        self.log.record(received.clone());
        let reply = (self.handler)(received).await;
        deliver(reply, instead).await
    }
}

/// Bytes to send in place of the next bytes that hyper writes. Empty until set.
#[derive(Clone, Default)]
pub(super) struct Instead(Arc<Mutex<Option<Vec<u8>>>>);

impl Instead {
    pub(super) fn set(&self, bytes: Vec<u8>) {
        *self.lock() = Some(bytes);
    }

    pub(super) fn is_set(&self) -> bool {
        self.lock().is_some()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The stream under hyper. Once raw bytes are set it sends those and swallows everything that hyper writes.
struct Wire<S> {
    inner: S,
    instead: Instead,
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let instead = self.instead.clone();
        let mut raw = instead.lock();
        let Some(bytes) = raw.as_mut() else { return Pin::new(&mut self.inner).poll_write(cx, buf) };
        while !bytes.is_empty() {
            let sent = ready!(Pin::new(&mut self.inner).poll_write(cx, bytes))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            bytes.drain(..sent.min(bytes.len()));
        }
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

/// Wraps an ordinary function as a handler.
pub(super) fn immediate(handler: impl Fn(Received) -> Reply + Send + Sync + 'static) -> Handler {
    Arc::new(move |request| {
        let reply = handler(request);
        Box::pin(std::future::ready(reply))
    })
}
