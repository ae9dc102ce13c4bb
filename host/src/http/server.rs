//! Connections: accepted up to a limit, bounded in time, drained on shutdown.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::cleared::Cleared;
use super::tls::Tls;

/// How the server treats connections.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// Connections at once; one more waits in the kernel's queue.
    pub max_connections: usize,
    /// How long a client may take to send a request's head, and how long an idle connection is kept.
    pub header_timeout: Duration,
    /// How long requests under way are waited for on shutdown.
    pub drain_timeout: Duration,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            max_connections: 4096,
            header_timeout: Duration::from_secs(15),
            // Longer than a verify may take, so that whatever was begun is finished.
            drain_timeout: Duration::from_secs(20),
        }
    }
}

/// Bytes of a request's head. Larger ones are answered with 431 by hyper.
const MAX_HEAD: usize = 32 * 1024;
/// After `accept` failed for want of file descriptors or memory, trying at once again would only burn the processor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A listening socket that is not served yet.
pub struct HttpServer {
    listener: TcpListener,
    settings: HttpSettings,
}

impl HttpServer {
    /// Binds.
    ///
    /// # Errors
    /// Where the address is taken or not this machine's.
    pub async fn bind(address: SocketAddr, settings: HttpSettings) -> std::io::Result<Self> {
        Ok(Self { listener: TcpListener::bind(address).await?, settings })
    }

    /// Where it listens; the port is the real one where 0 was asked for.
    ///
    /// # Errors
    /// Where the system does not tell.
    pub fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves, over TLS where it is given one, until `shutdown` resolves, then stops accepting, lets requests under way finish, and returns.
    pub async fn serve(self, router: Router, tls: Option<Arc<Tls>>, shutdown: impl Future<Output = ()>) {
        let Self { listener, settings } = self;
        let places = Arc::new(Semaphore::new(settings.max_connections));
        let graceful = GracefulShutdown::new();
        let mut builder = http1::Builder::new();
        // hyper's header timeout is off unless it is given a timer.
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(settings.header_timeout)
            .max_buf_size(MAX_HEAD)
            .keep_alive(true);
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
            let stream: TcpStream = match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            // Answers are small and complete: waiting to fill a packet would only delay them.
            let _ = stream.set_nodelay(true);
            let service = TowerToHyperService::new(router.clone());
            let (builder, watcher) = (builder.clone(), graceful.watcher());
            let (acceptor, patience) = (tls.as_ref().map(|tls| tls.acceptor()), settings.header_timeout);
            tokio::spawn(async move {
                let ended = match acceptor {
                    None => watcher.watch(builder.serve_connection(Cleared(TokioIo::new(stream)), service)).await,
                    Some(acceptor) => match tokio::time::timeout(patience, acceptor.accept(stream)).await {
                        Ok(Ok(stream)) => {
                            let stream = Cleared(TokioIo::new(stream));
                            watcher.watch(builder.serve_connection(stream, service)).await
                        }
                        // Scanners and clients that do not believe the certificate: nothing that anybody here could mend.
                        Ok(Err(error)) => return tracing::debug!(%error, "a TLS handshake failed"),
                        Err(_) => return tracing::debug!("a TLS handshake took too long"),
                    },
                };
                if let Err(error) = ended {
                    tracing::debug!(%error, "a connection ended early");
                }
                drop(place);
            });
        }
        drop(listener);
        if tokio::time::timeout(settings.drain_timeout, graceful.shutdown()).await.is_err() {
            let seconds = settings.drain_timeout.as_secs();
            tracing::warn!("requests under way did not finish within {seconds} s and are cut off");
        }
    }
}
