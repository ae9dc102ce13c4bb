//! [`ZeroizingIo`]: a connection that clears the room of its buffer before anything is read into it.
//!
//! hyper reads head and body of every request of a connection into one buffer. While a client keeps its connection open and
//! says nothing, the credential of its last request would lie there. hyper asks for the next request as soon as the last one
//! is responded to, and offers the whole buffer for it: that is when what lies there is cleared.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::rt::{Read, ReadBufCursor, Write};

/// A stream whose reader's buffer is cleared before each read.
pub(crate) struct ZeroizingIo<S>(pub(crate) S);

impl<S: Read + Unpin> Read for ZeroizingIo<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        // SAFETY: only whole, initialised bytes are written, so nothing that was initialised ceases to be.
        unsafe { buffer.as_mut() }.fill(MaybeUninit::new(0));
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl<S: Write + Unpin> Write for ZeroizingIo<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, slices)
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use hyper::rt::ReadBuf;

    use super::*;

    /// A peer that sends nothing.
    struct Silent;

    impl Read for Silent {
        fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }

    #[test]
    fn what_was_read_before_is_gone_while_nothing_comes() {
        let mut bytes = *b"x-api-key: s3cr3t";
        let mut buffer = ReadBuf::new(&mut bytes);
        let mut context = Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut ZeroizingIo(Silent)).poll_read(&mut context, buffer.unfilled()).is_pending());
        assert_eq!(bytes, [0; 17]);
    }
}
