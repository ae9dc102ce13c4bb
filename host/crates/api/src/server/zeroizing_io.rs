//! [`ZeroizingIo`]: a connection that clears the room of its buffer before anything is read into it.
//!
//! hyper reads head and body of every request of a connection into one buffer. While a client keeps its connection open and
//! says nothing, the credential of its last request would lie there. hyper asks for the next request as soon as the last one
//! is responded to, and offers the whole buffer for it: that is when what was read into it is cleared.

use std::io;
use std::mem::MaybeUninit;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::rt::{Read, ReadBuf, ReadBufCursor, Write};

/// A stream whose reader's buffer is cleared before each read of what was read before.
pub(crate) struct ZeroizingIo<S> {
    stream: S,
    /// The most bytes that the reader keeps in its buffer.
    longest: usize,
    /// The addresses that may hold what was read: where it was read to, and as far before that as the reader may have moved it. A
    /// buffer that the reader has replaced was cleared when it was freed.
    read: Range<usize>,
}

impl<S> ZeroizingIo<S> {
    /// Clears what `stream` is read into, by a reader that keeps at most `longest` bytes.
    pub(crate) fn new(stream: S, longest: usize) -> Self {
        Self { stream, longest, read: 0..0 }
    }

    /// Clears what may have been read before of this room.
    fn clear(&mut self, room: &mut [MaybeUninit<u8>]) {
        let from = room.as_ptr().addr();
        let place = |address: usize| address.clamp(from, from + room.len()) - from;
        let read = place(self.read.start)..place(self.read.end);
        if self.read.end <= from + room.len() {
            self.read.end = self.read.end.min(from);
        }
        if let Some(read) = room.get_mut(read) {
            read.fill(MaybeUninit::new(0));
        }
    }

    /// Remembers what was read.
    fn note(&mut self, read: Range<usize>) {
        let is_same = (self.read.start..=self.read.end).contains(&read.start);
        let known = if is_same { self.read.clone() } else { read.clone() };
        self.read = known.start.min(read.start.saturating_sub(self.longest))..known.end.max(read.end);
    }
}

impl<S: Read + Unpin> Read for ZeroizingIo<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        // SAFETY: only whole, initialised bytes are written, so nothing that was initialised ceases to be.
        let room = unsafe { buffer.as_mut() };
        this.clear(room);
        let from = room.as_ptr().addr();
        // Lent for this read, so that its length is known.
        let mut lent = ReadBuf::uninit(room);
        let polled = Pin::new(&mut this.stream).poll_read(cx, lent.unfilled());
        let length = lent.filled().len();
        if length > 0 {
            this.note(from..from + length);
        }
        // SAFETY: the stream has filled that many bytes.
        unsafe { buffer.advance(length) };
        polled
    }
}

impl<S: Write + Unpin> Write for ZeroizingIo<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use bytes::{BufMut as _, BytesMut};

    use super::*;

    const LONGEST: usize = 1024;

    /// A peer that sends these parts, the last one first, and then nothing.
    struct Peer(Vec<&'static [u8]>);

    impl Read for Peer {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            mut buffer: ReadBufCursor<'_>,
        ) -> Poll<io::Result<()>> {
            let Some(part) = self.0.pop() else { return Poll::Pending };
            buffer.put_slice(part);
            Poll::Ready(Ok(()))
        }
    }

    fn io(parts: &[&'static [u8]]) -> ZeroizingIo<Peer> {
        ZeroizingIo::new(Peer(parts.iter().rev().copied().collect()), LONGEST)
    }

    /// Reads once into this room, and says whether something came.
    fn read(io: &mut ZeroizingIo<Peer>, room: &mut [u8]) -> bool {
        let mut buffer = ReadBuf::new(room);
        Pin::new(io).poll_read(&mut Context::from_waker(Waker::noop()), buffer.unfilled()).is_ready()
    }

    #[test]
    fn what_was_read_before_is_gone_while_nothing_comes() {
        for next in [0..32, 0..4, 2..32, 7..32] {
            let mut bytes = [b'.'; 32];
            let mut io = io(&[b"x-api-key: ", b"s3cr3t"]);
            assert!(read(&mut io, &mut bytes) && read(&mut io, &mut bytes[11..]));
            assert!(bytes.starts_with(b"x-api-key: s3cr3t."), "{bytes:?}");
            assert!(!read(&mut io, &mut bytes[next.clone()]));
            let read_before = next.start.min(17)..next.end.min(17);
            assert!(bytes[read_before].iter().all(|byte| *byte == 0), "{next:?} {bytes:?}");
            assert!(!read(&mut io, &mut bytes));
            assert_eq!(bytes, *b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0...............", "{next:?}");
        }
    }

    #[test]
    fn what_the_reader_moved_to_the_front_of_another_buffer_is_cleared_too() {
        let mut io = io(&[b"s3cr3t-and-half-of-", b"the-next", b"again"]);
        let mut one = [0; 64];
        assert!(read(&mut io, &mut one));
        // The rest of what was read moves to a larger buffer, and is read on there.
        let mut other = [0; 128];
        other[..8].copy_from_slice(b"half-of-");
        assert!(read(&mut io, &mut other[8..]) && other.starts_with(b"half-of-the-next\0"));
        // All of it is taken, and the next request is read to the front.
        assert!(read(&mut io, &mut other) && other.starts_with(b"again\0"), "{other:?}");
        assert!(!read(&mut io, &mut other));
        assert_eq!(other, [0; 128]);
    }

    #[test]
    fn a_buffer_that_moves_its_rest_to_its_front_has_nothing_else_left() {
        for rest in [0, 1, 7, 40] {
            let request: &[u8] = b"s3cr3t-s3cr3t-s3cr3t-s3cr3t-s3cr3t-s3cr3t-s3cr3t";
            let mut io = io(&[request; 8]);
            let mut buffer = BytesMut::zeroed(128);
            buffer.clear();
            for round in 0..=8 {
                if round == 8 {
                    buffer.clear();
                }
                buffer.reserve(64);
                assert!(buffer.capacity() <= 128, "it is the same buffer");
                // SAFETY: it was zeros from the start, and whole bytes are written.
                let free = unsafe { &mut *(std::ptr::from_mut(buffer.chunk_mut().as_uninit_slice_mut()) as *mut [u8]) };
                let came = read(&mut io, free);
                assert_eq!(came, round < 8);
                let length = if came { request.len() } else { 0 };
                assert!(free[length..].iter().all(|byte| *byte == 0), "{rest} {round}: {:?}", &free[length..]);
                // SAFETY: `length` bytes were read.
                unsafe { buffer.advance_mut(length) };
                drop(buffer.split_to(buffer.len().saturating_sub(rest)));
            }
        }
    }
}
