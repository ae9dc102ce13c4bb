//! One connection: TLS, and HTTP/1.1 with keep-alive.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::log::RequestLog;
use super::response::{Hangup, ReplyBody, empty, respond};
use super::wire::{RawBytes, Wire};
use super::{Received, Reply};

/// The largest request body a mock provider reads, bytes.
const MAX_BODY: usize = 16 * 1024 * 1024;

/// Replies to the requests to one host.
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
        let raw_bytes = RawBytes::default();
        let io = Wire::new(tls, raw_bytes.clone());
        let service = service_fn(move |request| {
            let (provider, raw_bytes, server_name) = (self.clone(), raw_bytes.clone(), server_name.clone());
            async move { provider.handle(request, server_name, connection, &raw_bytes).await }
        });
        // A client may close the connection in the middle of a response.
        let _ended = http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(io), service).await;
    }

    async fn handle(
        &self,
        request: Request<Incoming>,
        server_name: Option<String>,
        connection: u64,
        raw_bytes: &RawBytes,
    ) -> Result<Response<ReplyBody>, Hangup> {
        let (parts, body) = request.into_parts();
        let Ok(body) = Limited::new(body, MAX_BODY).collect().await else {
            return Ok(empty(StatusCode::PAYLOAD_TOO_LARGE));
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
        respond(reply, raw_bytes).await
    }
}

/// Wraps an ordinary function as a handler.
pub(super) fn immediate(handler: impl Fn(Received) -> Reply + Send + Sync + 'static) -> Handler {
    Arc::new(move |request| {
        let reply = handler(request);
        Box::pin(std::future::ready(reply))
    })
}
