//! [`Connection`]: an HTTP/1.1 connection that is polled by the request that uses it. It has no task of its own, so no request
//! wakes another thread, and what a peer does to an idle connection is seen when the next request takes it.

use std::error::Error;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::http1;
use hyper::rt::Write as _;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::{Handle, Id};

/// How often a connection that wakes itself is polled before other tasks have their turn.
const ROUNDS: usize = 4;

/// A stream of bytes to a host, with TLS or without.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A request as it is sent.
pub(super) type Outbound = Request<Full<Bytes>>;

type Driver = http1::Connection<TokioIo<Box<dyn Stream>>, Full<Bytes>>;

/// A connection, closed when it is dropped.
pub(super) struct Connection {
    sender: http1::SendRequest<Full<Bytes>>,
    /// Reads and writes; `None` after its end.
    driver: Option<Driver>,
    relay: Arc<Relay>,
    waker: Waker,
    /// The runtime whose thread hears of what arrives.
    runtime: Id,
}

/// Why there is no response, or no more of one.
pub(super) struct Failed {
    pub(super) error: Box<dyn Error + Send + Sync>,
    /// The request, if nothing of it was written.
    pub(super) unsent: Option<Outbound>,
}

/// A connection that ended without an error of its own.
#[derive(Debug, thiserror::Error)]
#[error("connection closed")]
struct Closed;

impl Connection {
    /// Starts HTTP on a stream.
    pub(super) async fn over(stream: Box<dyn Stream>) -> Result<Box<Self>, hyper::Error> {
        let (sender, driver) = http1::handshake(TokioIo::new(stream)).await?;
        let relay = Arc::new(Relay::default());
        let waker = Waker::from(Arc::clone(&relay));
        Ok(Box::new(Self { sender, driver: Some(driver), relay, waker, runtime: Handle::current().id() }))
    }

    /// The runtime that it was made on. On another one, each of its wake-ups would go from one thread to another.
    pub(super) fn runtime(&self) -> Id {
        self.runtime
    }

    /// Sends a request, and returns when the head of its response is there.
    pub(super) async fn send(&mut self, request: Outbound) -> Result<Response<Incoming>, Failed> {
        let mut response = pin!(self.sender.try_send_request(request));
        match self.drive(|context| response.as_mut().poll(context)).await {
            Some(Ok(response)) => Ok(response),
            Some(Err(mut failed)) => {
                let unsent = failed.take_message();
                Err(Failed { error: failed.into_error().into(), unsent })
            }
            None => Err(Failed { error: Closed.into(), unsent: None }),
        }
    }

    /// The next bytes of a response's body; `None` at its end. Trailers are passed over.
    pub(super) async fn chunk(&mut self, body: &mut Incoming) -> Option<Result<Bytes, Box<dyn Error + Send + Sync>>> {
        loop {
            // What came with the head is there by now.
            let came = Pin::new(&mut *body).poll_frame(&mut Context::from_waker(&self.waker));
            let frame = match came {
                Poll::Ready(frame) => frame,
                Poll::Pending => match self.drive(|context| Pin::new(&mut *body).poll_frame(context)).await {
                    Some(frame) => frame,
                    None => return Some(Err(Closed.into())),
                },
            };
            match frame?.map(hyper::body::Frame::into_data) {
                Ok(Ok(data)) => return Some(Ok(data)),
                Ok(Err(_trailers)) => {}
                Err(error) => return Some(Err(error.into())),
            }
        }
    }

    /// Whether it can carry another request, as far as is known: the response was read to its end, and nothing came after it.
    pub(super) fn is_idle(&mut self) -> bool {
        if !self.sender.is_ready() {
            self.poll_driver();
        }
        self.driver.is_some() && self.sender.is_ready()
    }

    /// Polls the connection until `poll` is ready; `None` if it ended before that.
    async fn drive<T>(&mut self, mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> Option<T> {
        poll_fn(|context| {
            for _ in 0..ROUNDS {
                self.relay.begin();
                self.poll_driver();
                if let Poll::Ready(result) = poll(&mut Context::from_waker(&self.waker)) {
                    return Poll::Ready(Some(result));
                }
                if self.driver.is_none() {
                    return Poll::Ready(None);
                }
                if self.relay.wait(context.waker()) {
                    return Poll::Pending;
                }
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await
    }

    fn poll_driver(&mut self) {
        if let Some(driver) = &mut self.driver
            && Pin::new(driver).poll(&mut Context::from_waker(&self.waker)).is_ready()
        {
            // An error is that of the request, or that of an idle connection. Dropped, it gives back a request that it did not begin.
            self.driver = None;
        }
    }
}

impl Drop for Connection {
    /// Tells the peer that nothing follows, as far as that is possible without waiting.
    fn drop(&mut self) {
        self.relay.begin();
        if let Some(driver) = self.driver.take() {
            let mut stream = driver.into_parts().io;
            let _ = Pin::new(&mut stream).poll_shutdown(&mut Context::from_waker(&self.waker));
        }
    }
}

/// Passes what wakes a connection to the task of the request that uses it. The parts of the connection keep one waker for as long
/// as it lives, and what they do while the request polls them wakes no task.
#[derive(Default)]
struct Relay(Mutex<Wakes>);

#[derive(Default)]
struct Wakes {
    /// The task that waits.
    task: Option<Waker>,
    /// Whether something happened since the connection was last polled.
    woken: bool,
}

impl Relay {
    /// Before the connection is polled.
    fn begin(&self) {
        *self.0.lock() = Wakes::default();
    }

    /// Lets a task wait, unless something happened in the meantime.
    fn wait(&self, task: &Waker) -> bool {
        let mut wakes = self.0.lock();
        if !wakes.woken {
            wakes.task = Some(task.clone());
        }
        !wakes.woken
    }
}

impl Wake for Relay {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let task = {
            let mut wakes = self.0.lock();
            wakes.woken = true;
            wakes.task.take()
        };
        if let Some(task) = task {
            task.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

    use super::*;

    const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

    fn request() -> Outbound {
        let mut request = Request::new(Full::default());
        request.headers_mut().insert(http::header::HOST, http::HeaderValue::from_static("a.example"));
        request
    }

    async fn connected() -> (Box<Connection>, DuplexStream) {
        let (ours, theirs) = duplex(4096);
        (Connection::over(Box::new(ours)).await.unwrap(), theirs)
    }

    #[tokio::test]
    async fn a_request_comes_back_unsent_where_the_host_had_closed_or_said_something() {
        for said in [&b""[..], RESPONSE] {
            let (mut connection, mut theirs) = connected().await;
            theirs.write_all(said).await.unwrap();
            theirs.shutdown().await.unwrap();
            let failed = connection.send(request()).await.err().unwrap();
            assert!(failed.unsent.is_some(), "{}", failed.error);
            assert!(!connection.is_idle());
            drop(connection);
            let mut written = Vec::new();
            theirs.read_to_end(&mut written).await.unwrap();
            assert_eq!(written, b"");
        }
    }

    #[tokio::test]
    async fn a_connection_is_idle_after_a_whole_response_and_what_follows_ends_it() {
        for (rest, is_kept) in [(&b""[..], true), (RESPONSE, false)] {
            let (mut connection, mut theirs) = connected().await;
            let server = async {
                let mut head = [0; 256];
                assert_ne!(theirs.read(&mut head).await.unwrap(), 0);
                theirs.write_all(&[RESPONSE, rest].concat()).await.unwrap();
            };
            let (response, ()) = tokio::join!(connection.send(request()), server);
            let mut body = response.ok().unwrap().into_body();
            assert_eq!(connection.chunk(&mut body).await.unwrap().unwrap(), "ok");
            assert!(connection.chunk(&mut body).await.is_none());
            assert_eq!(connection.is_idle(), is_kept);
        }
    }
}
