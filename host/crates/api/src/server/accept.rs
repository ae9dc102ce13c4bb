//! Connections: accepted up to a limit, bounded in time, drained on shutdown.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::response::Response;
use http::{HeaderValue, Request, StatusCode, header};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use crate::error::problem;
use crate::error::rendering::FailureCode;
use crate::server::connection::{Connection, Deadlines, OverSocket, Progress};
use crate::server::cores::Cores;
use crate::server::plain_http;
use crate::server::tls::Tls;
use crate::server::unread::{self, Rest};
use crate::server::zeroizing_io::ZeroizingIo;

/// How the server treats connections.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// Connections at once; one more waits in the kernel's queue.
    pub max_connections: usize,
    /// How long a client may take for a TLS handshake, and how long to send a request's head.
    pub head_timeout: Duration,
    /// How long a client may take to send a request's body.
    pub body_timeout: Duration,
    /// How long a connection is kept between two requests.
    pub idle_timeout: Duration,
    /// How long a client may take to read a response that does not fit into the system's buffers.
    pub write_timeout: Duration,
    /// How long requests under way are waited for on shutdown.
    pub drain_timeout: Duration,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            max_connections: 4096,
            head_timeout: Duration::from_secs(15),
            body_timeout: Duration::from_secs(10),
            // Longer than the minute after which most proxies let go of a connection: were it the other way round, they
            // would now and then send a request on one that is just being closed.
            idle_timeout: Duration::from_secs(75),
            write_timeout: Duration::from_secs(30),
            // Longer than a verify may take, so that whatever was begun is finished.
            drain_timeout: Duration::from_secs(20),
        }
    }
}

/// Bytes of a request's head. hyper responds to larger ones with 431.
const MAX_HEAD: usize = 32 * 1024;
/// After `accept` failed for want of file descriptors or memory, trying at once again would only burn the processor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long a connection is not read from after the server was too busy for its request. `Retry-After` has whole seconds, so none asks
/// for less.
const PAUSE_WHILE_BUSY: Duration = Duration::from_secs(1);

/// A listening socket that is not served yet.
pub struct HttpServer {
    listener: TcpListener,
    settings: HttpSettings,
}

/// What each connection is served with.
#[derive(Clone)]
pub(crate) struct ConnConfig {
    builder: http1::Builder,
    router: Router,
    deadlines: Deadlines,
}

impl HttpServer {
    /// Binds the listening socket.
    ///
    /// # Errors
    /// Where the address is taken or not this machine's.
    pub async fn bind(address: SocketAddr, settings: HttpSettings) -> io::Result<Self> {
        Ok(Self { listener: TcpListener::bind(address).await?, settings })
    }

    /// Where it listens; the port is the real one where 0 was asked for.
    ///
    /// # Errors
    /// If the system does not report the address.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves, over TLS where it is given one, until `shutdown` resolves, then stops accepting, lets requests under way finish, and
    /// returns. Connections are served on `cores` where there are any, and otherwise on the runtime of the caller.
    pub async fn serve(
        self,
        router: Router,
        tls: Option<Arc<Tls>>,
        cores: Option<&Cores>,
        shutdown: impl Future<Output = ()>,
    ) {
        let Self { listener, settings } = self;
        let places = Arc::new(Semaphore::new(settings.max_connections));
        let graceful = GracefulShutdown::new();
        let terms = ConnConfig::new(&settings, router);
        tokio::pin!(shutdown);
        loop {
            let accept = async {
                let place = Arc::clone(&places).acquire_owned().await;
                (listener.accept().await, place)
            };
            let (accepted, place) = tokio::select! {
                accepted = accept => accepted,
                () = &mut shutdown => break,
            };
            let stream = match accepted {
                Ok((stream, _)) => stream,
                // Of that one client's making: the next one must not wait for it.
                Err(error) if is_clients(&error) => continue,
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            // Responses are small and complete: waiting to fill a packet would only delay them.
            let _ = stream.set_nodelay(true);
            let (terms, tls, watcher) = (terms.clone(), tls.clone(), graceful.watcher());
            let Some(core) = cores.and_then(Cores::place) else {
                tokio::spawn(async move {
                    terms.serve_client(stream, tls, watcher).await;
                    drop(place);
                });
                continue;
            };
            let Ok(stream) = stream.into_std() else { continue };
            core.runtime().clone().spawn(async move {
                // From now on the thread of the core hears of what arrives.
                if let Ok(stream) = TcpStream::from_std(stream) {
                    terms.serve_client(stream, tls, watcher).await;
                }
                drop((place, core));
            });
        }
        drop(listener);
        if tokio::time::timeout(settings.drain_timeout, graceful.shutdown()).await.is_err() {
            let seconds = settings.drain_timeout.as_secs();
            tracing::warn!("requests under way did not finish within {seconds} s and are cut off");
        }
    }
}

impl ConnConfig {
    /// The router, and the deadlines among the settings.
    pub(crate) fn new(settings: &HttpSettings, router: Router) -> Self {
        let mut builder = http1::Builder::new();
        // Without it, hyper reads into a further buffer while a handler works, to learn whether the client is still there. With it, a
        // client that is gone is noticed when its response is written.
        builder.half_close(true);
        // hyper's own limit for a head would count the time between two requests, too.
        builder.header_read_timeout(None).max_buf_size(MAX_HEAD).max_header_size(MAX_HEAD).keep_alive(true);
        let HttpSettings { head_timeout: head, idle_timeout: idle, write_timeout: write, .. } = *settings;
        Self { builder, router, deadlines: Deadlines { head, idle, write } }
    }

    /// Serves one client, over TLS where there is one.
    async fn serve_client(self, stream: TcpStream, tls: Option<Arc<Tls>>, watcher: Watcher) {
        let Some(tls) = tls else { return self.serve(stream, watcher).await };
        let handshake = async {
            match plain_http::is_spoken_on(&stream).await {
                true => Err(stream),
                false => Ok(tls.acceptor().accept(stream).await),
            }
        };
        match tokio::time::timeout(self.deadlines.head, handshake).await {
            Ok(Ok(Ok(stream))) => self.serve(stream, watcher).await,
            Ok(Err(stream)) => plain_http::refuse(stream).await,
            // Scanners, and clients that reject the certificate: the operator can do nothing about them.
            Ok(Ok(Err(error))) => tracing::debug!(%error, "a TLS handshake failed"),
            Err(_) => tracing::debug!("a TLS handshake took too long"),
        }
    }

    /// Serves one connection until it closes.
    pub(crate) async fn serve<S: OverSocket + AsyncRead + AsyncWrite + Unpin + Send + 'static>(
        self,
        stream: S,
        watcher: Watcher,
    ) {
        let progress = Arc::new(Progress::default());
        let connection = Connection::new(stream, Arc::clone(&progress), self.deadlines);
        let router = TowerToHyperService::new(self.router);
        let service = service_fn(move |request: Request<Incoming>| {
            progress.ask(!request.body().is_end_stream());
            let (response, progress) = (respond(router.clone(), request), Arc::clone(&progress));
            async move {
                let response = response.await;
                if let Ok(response) = &response {
                    progress.pause(pause_after(response));
                }
                progress.responded();
                response
            }
        });
        let served =
            watcher.watch(self.builder.serve_connection(ZeroizingIo::new(TokioIo::new(connection), MAX_HEAD), service));
        if let Err(error) = served.await {
            tracing::debug!(%error, "a connection ended early");
        }
    }
}

/// Handles a request. If its body is left unread, the response announces the end of the connection.
async fn respond(router: TowerToHyperService<Router>, request: Request<Incoming>) -> Result<Response, Infallible> {
    if request.body().is_end_stream() {
        return router.call(request).await;
    }
    let expects = request.headers().contains_key(header::EXPECT);
    let (parts, body) = request.into_parts();
    let (body, lender) = unread::lend(body);
    let mut response = router.call(Request::from_parts(parts, body)).await?;
    let headers = response.headers();
    // A body that did not come in its own time is given no more of it.
    let is_over = headers.contains_key(header::CONNECTION) || response.status() == StatusCode::REQUEST_TIMEOUT;
    if is_over || lender.settle(expects, unread::WITHIN).await == Rest::OnTheWire {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response)
}

/// How long the client's next request is left unread: while the server is busy, a client that comes again sooner than it was asked to
/// would only take time from the requests that are served.
fn pause_after(response: &Response) -> Duration {
    let is_busy = response.extensions().get::<FailureCode>().is_some_and(|code| code.0 == problem::BUSY.code);
    if is_busy && response.headers().contains_key(header::RETRY_AFTER) { PAUSE_WHILE_BUSY } else { Duration::ZERO }
}

/// Whether it is the one connection that failed, not accepting as such.
fn is_clients(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
