//! How long a client may take, where the HTTP library sets no limit: to begin and finish a request's head, to take its
//! response, and to say goodbye. (A request's body has its own limit, in `body`.)

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, Sleep, sleep_until};
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
    /// Milliseconds after the response in which no further request is read.
    pause: AtomicU64,
}

impl Progress {
    /// A request's head has been read.
    pub(crate) fn ask(&self, has_body: bool) {
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.has_body.store(has_body, Ordering::Relaxed);
    }

    /// The next request is read no sooner than that after the response that is about to be written.
    pub(crate) fn pause(&self, pause: Duration) {
        self.pause.store(u64::try_from(pause.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
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
    /// Until when no further request is read.
    paused_until: Option<Instant>,
    reading: Reading,
    writing: Writing,
    /// When the current phase is over. One moment is enough: a connection handles one request at a time.
    due: Instant,
    /// Rings at `due` or earlier: most phases end in time, and setting a timer costs more than they do.
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
        let due = Instant::now() + deadlines.head;
        Self {
            stream,
            progress,
            deadlines,
            served: 0,
            paused_until: None,
            reading: Reading::First,
            writing: Writing::Free,
            due,
            timer: Box::pin(sleep_until(due)),
        }
    }

    fn start(&mut self, wait: Duration) {
        self.due = Instant::now() + wait;
    }

    fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        if self.due < self.timer.deadline() {
            self.timer.as_mut().reset(self.due);
        }
        while self.timer.as_mut().poll(cx).is_ready() {
            if self.due <= self.timer.deadline() {
                return true;
            }
            self.timer.as_mut().reset(self.due);
        }
        false
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
            let pause = self.progress.pause.swap(0, Ordering::Relaxed);
            self.paused_until = (pause > 0).then(|| Instant::now() + Duration::from_millis(pause));
            // The next read may be waited for already, and the read is not polled again: the timer has to wake the task.
            let _ = self.is_paused(cx) || self.is_over(cx);
        }
    }

    /// Whether nothing is read for now. The timer wakes the task at the end of it.
    fn is_paused(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(until) = self.paused_until else { return false };
        if self.timer.deadline() != until {
            self.timer.as_mut().reset(until);
        }
        let is_paused = self.timer.as_mut().poll(cx).is_pending();
        if !is_paused {
            self.paused_until = None;
        }
        is_paused
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
        if this.is_paused(cx) {
            return Poll::Pending;
        }
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
mod tests;
