//! A stream on which a reply can send bytes that are no HTTP at all.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes that replace everything that hyper writes from now on. Empty until set.
#[derive(Clone, Default)]
pub(super) struct RawBytes(Arc<Mutex<Option<Vec<u8>>>>);

impl RawBytes {
    pub(super) fn set(&self, bytes: Vec<u8>) {
        *self.0.lock() = Some(bytes);
    }

    pub(super) fn is_set(&self) -> bool {
        self.0.lock().is_some()
    }
}

/// The stream under hyper. Once raw bytes are set it sends those and swallows everything that hyper writes.
pub(super) struct Wire<S> {
    inner: S,
    raw_bytes: RawBytes,
}

impl<S> Wire<S> {
    pub(super) fn new(inner: S, raw_bytes: RawBytes) -> Self {
        Self { inner, raw_bytes }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let raw_bytes = self.raw_bytes.clone();
        let mut raw = raw_bytes.0.lock();
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
