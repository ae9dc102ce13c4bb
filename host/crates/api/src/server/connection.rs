//! How long a client may take, where the HTTP library sets no limit: to begin and finish a request's head, to take its
//! response, and to say goodbye. (A request's body has its own limit, in `body`.)

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, Sleep, sleep};
use tokio_rustls::server::TlsStream;

/// How long a connection stays open after an early response, sent before its request was read completely. Closed at once, the
/// connection would be reset by the bytes that still come, and the client could lose the response that states the reason.
const LINGER: Duration = Duration::from_secs(2);

/// How long a client may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadlines {
    /// From the first byte of a request's head to its last; of a new connection, from the moment it was accepted.
    pub(crate) head: Duration,
    /// From the end of a response to the next request's first byte.
    pub(crate) idle: Duration,
    /// To read a response that the system's buffers do not hold.
    pub(crate) write: Duration,
}

/// The progress of one connection's requests, reported by their handlers.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    asked: AtomicUsize,
    responses: AtomicUsize,
    has_body: AtomicBool,
}

impl Progress {
    /// A request's head has been read.
    pub(crate) fn ask(&self, has_body: bool) {
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.has_body.store(has_body, Ordering::Relaxed);
    }

    /// Its response is about to be written.
    pub(crate) fn responded(&self) {
        self.responses.fetch_add(1, Ordering::Relaxed);
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    fn has_responded(&self) -> bool {
        self.asked() == self.responses.load(Ordering::Relaxed)
    }
}

/// A stream over a socket.
pub(crate) trait OverSocket {
    /// The TCP socket, if there is one.
    fn socket(&self) -> Option<&TcpStream>;
}

impl OverSocket for TcpStream {
    fn socket(&self) -> Option<&TcpStream> {
        Some(self)
    }
}

impl OverSocket for UnixStream {
    fn socket(&self) -> Option<&TcpStream> {
        None
    }
}

impl OverSocket for TlsStream<TcpStream> {
    fn socket(&self) -> Option<&TcpStream> {
        Some(self.get_ref().0)
    }
}

/// A connection whose client is kept to the deadlines.
pub(crate) struct Connection<S> {
    stream: S,
    progress: Arc<Progress>,
    deadlines: Deadlines,
    /// The number of requests whose responses were written.
    served: usize,
    reading: Reading,
    writing: Writing,
    /// The timer of the current phase. One is enough: a connection handles one request at a time.
    timer: Pin<Box<Sleep>>,
}

/// What is read, unless a request is being handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// A new connection's first byte.
    First,
    /// The rest of a head.
    Head,
    /// The first byte of another request.
    Next,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Writing {
    Free,
    /// The client has not taken what was written so far.
    Stuck,
    /// The response is written and the connection is shut down.
    Lingering,
}

impl<S: OverSocket> Connection<S> {
    pub(crate) fn new(stream: S, progress: Arc<Progress>, deadlines: Deadlines) -> Self {
        Self {
            stream,
            progress,
            deadlines,
            served: 0,
            reading: Reading::First,
            writing: Writing::Free,
            timer: Box::pin(sleep(deadlines.head)),
        }
    }

    fn start(&mut self, wait: Duration) {
        self.timer.as_mut().reset(Instant::now() + wait);
    }

    fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        self.timer.as_mut().poll(cx).is_ready()
    }

    /// Passes on how writing went, unless the client has been taking too long.
    fn within_write<T>(&mut self, cx: &mut Context<'_>, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            return polled;
        }
        if self.writing == Writing::Free {
            self.writing = Writing::Stuck;
            self.start(self.deadlines.write);
        }
        if !self.is_over(cx) {
            return polled;
        }
        if let Some(socket) = self.stream.socket() {
            // Closed with a farewell, the system would keep what is not taken, some megabytes, for as long as the client likes.
            let _ = socket.set_zero_linger();
        }
        Poll::Ready(Err(too_slow("the client does not read its response")))
    }

    /// Nothing is left to be written. Without a response among it, a request may be under way still.
    fn written(&mut self, cx: &mut Context<'_>) {
        if self.writing == Writing::Lingering {
            // The HTTP library flushes each time that it is woken. The time to linger must not begin anew with that.
            return;
        }
        self.writing = Writing::Free;
        let asked = self.progress.asked();
        if asked != self.served && self.progress.has_responded() {
            self.served = asked;
            self.reading = Reading::Next;
            self.start(self.deadlines.idle);
            // The next read may be waited for already, and the read is not polled again: the timer has to wake the task.
            let _ = self.is_over(cx);
        }
    }

    /// Whether the client may still be sending data that is not read.
    fn may_be_sending(&self) -> bool {
        self.reading == Reading::Head || self.progress.has_body.load(Ordering::Relaxed)
    }
}

fn too_slow(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, what)
}

impl<S: OverSocket + AsyncRead + Unpin> AsyncRead for Connection<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buffer.filled().len();
        let polled = Pin::new(&mut this.stream).poll_read(cx, buffer);
        if this.progress.asked() != this.served || this.writing == Writing::Stuck {
            // A request is being handled: its body, or whether the client is still there.
            return polled;
        }
        if polled.is_pending() && this.is_over(cx) {
            return match this.reading {
                // As if the client had closed, which is what keeping a connection alive ends with.
                Reading::First | Reading::Next => Poll::Ready(Ok(())),
                Reading::Head => Poll::Ready(Err(too_slow("the head of the request does not arrive"))),
            };
        }
        if buffer.filled().len() > before {
            if this.reading == Reading::Next {
                this.start(this.deadlines.head);
            }
            this.reading = Reading::Head;
        }
        polled
    }
}

impl<S: OverSocket + AsyncRead + AsyncWrite + Unpin> AsyncWrite for Connection<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let polled = Pin::new(&mut this.stream).poll_write(cx, bytes);
        this.within_write(cx, polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let polled = Pin::new(&mut this.stream).poll_write_vectored(cx, bytes);
        this.within_write(cx, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// Called when all that there was has been written.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let polled = Pin::new(&mut this.stream).poll_flush(cx);
        let polled = this.within_write(cx, polled);
        if matches!(polled, Poll::Ready(Ok(()))) {
            this.written(cx);
        }
        polled
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.writing != Writing::Lingering {
            let polled = Pin::new(&mut this.stream).poll_shutdown(cx);
            ready!(this.within_write(cx, polled))?;
            if !this.may_be_sending() {
                return Poll::Ready(Ok(()));
            }
            this.writing = Writing::Lingering;
            this.start(LINGER);
        }
        loop {
            // Before the stream, which a client that never stops could keep busy.
            if this.is_over(cx) {
                return Poll::Ready(Ok(()));
            }
            let mut unread = [0; 4096];
            let mut buffer = ReadBuf::new(&mut unread);
            match ready!(Pin::new(&mut this.stream).poll_read(cx, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => {}
                // The client has closed, too, or is gone.
                Ok(()) | Err(_) => return Poll::Ready(Ok(())),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

    use super::*;

    const DEADLINES: Deadlines = Deadlines {
        head: Duration::from_millis(200),
        idle: Duration::from_millis(600),
        write: Duration::from_millis(300),
    };

    impl OverSocket for DuplexStream {
        fn socket(&self) -> Option<&TcpStream> {
            None
        }
    }

    fn connected() -> (DuplexStream, Arc<Progress>, Connection<DuplexStream>) {
        let (client, server) = duplex(16);
        let progress = Arc::new(Progress::default());
        (client, Arc::clone(&progress), Connection::new(server, progress, DEADLINES))
    }

    async fn timed<T>(work: impl Future<Output = T>) -> (T, Duration) {
        let began = Instant::now();
        (work.await, began.elapsed())
    }

    /// Not before, and not as late as whatever else could have ended it.
    fn at(deadline: Duration) -> Range<Duration> {
        deadline..deadline + Duration::from_secs(20)
    }

    #[tokio::test]
    async fn a_connection_on_which_nothing_comes_ends_as_if_the_client_had_closed_it() {
        let (_client, _, mut server) = connected();
        let (read, after) = timed(server.read(&mut [0])).await;
        assert_eq!(read.unwrap(), 0);
        assert!(at(DEADLINES.head).contains(&after), "{after:?}");
        let (_client, progress, mut server) = connected();
        progress.ask(false);
        progress.responded();
        server.write_all(b"response").await.unwrap();
        server.flush().await.unwrap();
        let (read, after) = timed(server.read(&mut [0])).await;
        assert_eq!(read.unwrap(), 0);
        assert!(at(DEADLINES.idle).contains(&after), "{after:?}");
    }

    #[tokio::test]
    async fn a_head_that_trickles_has_no_more_time_than_one_that_stops() {
        let (mut client, _, mut server) = connected();
        tokio::spawn(async move {
            while client.write_all(b"x").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(30)).await;
            }
        });
        let (error, after) = timed(async {
            loop {
                if let Err(error) = server.read_u8().await {
                    return error.kind();
                }
            }
        })
        .await;
        assert_eq!(error, io::ErrorKind::TimedOut);
        assert!(at(DEADLINES.head).contains(&after), "{after:?}");
    }

    #[tokio::test]
    async fn while_a_request_is_handled_no_deadline_runs_here() {
        let (_client, progress, mut server) = connected();
        progress.ask(false);
        let waited = tokio::time::timeout(DEADLINES.idle * 2, server.read_u8()).await;
        assert!(waited.is_err(), "it keeps waiting");
    }

    #[tokio::test]
    async fn a_response_has_to_be_taken_in_time_however_steadily_it_is_taken() {
        for pause in [Duration::from_millis(10), Duration::from_secs(3600)] {
            let (mut client, progress, mut server) = connected();
            progress.ask(false);
            progress.responded();
            let slow = tokio::spawn(async move {
                while client.read_u8().await.is_ok() {
                    tokio::time::sleep(pause).await;
                }
            });
            let (written, after) = timed(server.write_all(&[b'x'; 10_000])).await;
            assert_eq!(written.unwrap_err().kind(), io::ErrorKind::TimedOut);
            assert!(at(DEADLINES.write).contains(&after), "a byte each {pause:?}: {after:?}");
            slow.abort();
        }
    }

    #[tokio::test]
    async fn what_is_still_being_sent_is_taken_for_a_while_and_no_longer() {
        let (mut client, progress, mut server) = connected();
        progress.ask(true);
        progress.responded();
        let sending = tokio::spawn(async move { while client.write_all(b"more").await.is_ok() {} });
        let (ended, after) = timed(server.shutdown()).await;
        ended.unwrap();
        assert!(at(LINGER).contains(&after), "{after:?}");
        sending.abort();
        let (_client, progress, mut server) = connected();
        progress.ask(true);
        progress.responded();
        let flushed_meanwhile = async {
            while tokio::time::timeout(DEADLINES.head, server.shutdown()).await.is_err() {
                server.flush().await.unwrap();
            }
        };
        let ((), after) = timed(flushed_meanwhile).await;
        assert!(at(LINGER).contains(&after), "a client that is silent: {after:?}");
        let (_client, progress, mut server) = connected();
        progress.ask(false);
        progress.responded();
        server.flush().await.unwrap();
        let (ended, after) = timed(server.shutdown()).await;
        ended.unwrap();
        assert!(after < LINGER, "without a body there is nothing to wait for: {after:?}");
    }
}
