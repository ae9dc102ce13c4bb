//! Bodies that are not read whole when their request is responded to: those of requests that are refused first.
//!
//! The bytes of such a body lie on the connection before the client's next request. A small body is read completely, so that
//! the connection can be kept. With any other body the response says `Connection: close`, since a client without that notice
//! would send its next request on a connection that is just being closed.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::HttpBody;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Frame, SizeHint};
use parking_lot::Mutex;

/// The largest body in bytes that is read completely, including the bytes that the handler has read.
const MOST: u64 = 64 * 1024;
/// How long a client may take to send the rest of it. The response waits for that.
pub(crate) const WITHIN: Duration = Duration::from_secs(2);

/// Whether all of a body is off the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rest {
    /// It is: the next bytes are the next request's.
    Read,
    /// It is not, or it is unknown what the next bytes are.
    OnTheWire,
}

/// A body that is lent to the handler of its request, and comes back when that drops it.
pub(crate) struct Lent<B> {
    /// `None` once it has ended or failed.
    body: Option<B>,
    /// The number of bytes read.
    read: u64,
    /// Whether it was ever asked for: a client that waits for `100 Continue` has been sent it then.
    asked: bool,
    failed: bool,
    back: Arc<Mutex<Back<B>>>,
}

/// The state of a lent body.
enum Back<B> {
    /// No byte was read yet.
    Nothing,
    Whole,
    Failed,
    Part {
        body: B,
        read: u64,
        asked: bool,
    },
}

/// Where a lent body comes back to.
pub(crate) struct Lender<B>(Arc<Mutex<Back<B>>>);

/// Splits a body into its reader and the handle that gets it back.
pub(crate) fn lend<B>(body: B) -> (Lent<B>, Lender<B>) {
    let back = Arc::new(Mutex::new(Back::Nothing));
    let lent = Lent { body: Some(body), read: 0, asked: false, failed: false, back: Arc::clone(&back) };
    (lent, Lender(back))
}

impl<B: HttpBody<Data = Bytes> + Unpin> Lender<B> {
    /// Reads what is left of the body, if that is little and comes in time. `expects` is whether the client sends it only after
    /// `100 Continue`: a body that the handler has not asked for is not asked for here.
    pub(crate) async fn settle(self, expects: bool, within: Duration) -> Rest {
        let back = std::mem::replace(&mut *self.0.lock(), Back::Nothing);
        match back {
            Back::Whole => Rest::Read,
            // A handler that still has it may be reading it.
            Back::Nothing | Back::Failed => Rest::OnTheWire,
            Back::Part { body, .. } if body.is_end_stream() => Rest::Read,
            Back::Part { asked: false, .. } if expects => Rest::OnTheWire,
            Back::Part { body, read, .. } if read.saturating_add(body.size_hint().lower()) > MOST => Rest::OnTheWire,
            Back::Part { body, read, .. } => {
                tokio::time::timeout(within, drain(body, read)).await.unwrap_or(Rest::OnTheWire)
            }
        }
    }
}

async fn drain<B: HttpBody<Data = Bytes> + Unpin>(mut body: B, mut read: u64) -> Rest {
    loop {
        match body.frame().await {
            None => return Rest::Read,
            Some(Err(_)) => return Rest::OnTheWire,
            Some(Ok(frame)) => {
                read += frame.data_ref().map_or(0, |data| data.len() as u64);
                if read > MOST {
                    return Rest::OnTheWire;
                }
            }
        }
    }
}

impl<B: HttpBody<Data = Bytes> + Unpin> HttpBody for Lent<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = &mut *self;
        let Some(body) = &mut this.body else { return Poll::Ready(None) };
        this.asked = true;
        let frame = ready!(Pin::new(body).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => this.read += frame.data_ref().map_or(0, |data| data.len() as u64),
            Some(Err(_)) => (this.body, this.failed) = (None, true),
            None => this.body = None,
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), HttpBody::size_hint)
    }
}

impl<B> Drop for Lent<B> {
    fn drop(&mut self) {
        *self.back.lock() = match self.body.take() {
            Some(body) => Back::Part { body, read: self.read, asked: self.asked },
            None if self.failed => Back::Failed,
            None => Back::Whole,
        };
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use futures_util::stream::{self, StreamExt as _};
    use http_body_util::{Full, StreamBody};

    use super::*;

    const SHORT: Duration = Duration::from_millis(100);

    fn full(length: usize) -> Full<Bytes> {
        Full::new(vec![b'x'; length].into())
    }

    /// Frames of 1 KiB, and then an error or silence instead of the end.
    fn frames(count: usize, then: Option<io::Error>) -> impl HttpBody<Data = Bytes, Error = io::Error> + Unpin {
        let frames = stream::repeat_with(|| Ok(Frame::data(Bytes::from(vec![b'x'; 1024])))).take(count);
        StreamBody::new(Box::pin(match then {
            Some(error) => frames.chain(stream::iter([Err(error)])).boxed(),
            None => frames.chain(stream::pending()).boxed(),
        }))
    }

    fn chunked(count: usize) -> impl HttpBody<Data = Bytes, Error = io::Error> + Unpin {
        StreamBody::new(stream::repeat_with(|| Ok(Frame::data(Bytes::from(vec![b'x'; 1024])))).take(count))
    }

    async fn settled<B: HttpBody<Data = Bytes> + Unpin>(body: B, read: usize, expects: bool) -> Rest {
        let (mut lent, lender) = lend(body);
        for _ in 0..read {
            let _ = lent.frame().await;
        }
        drop(lent);
        lender.settle(expects, SHORT).await
    }

    #[tokio::test]
    async fn a_small_body_is_read_to_its_end_and_any_other_is_left() {
        use Rest::{OnTheWire, Read};
        assert_eq!(settled(full(10), 0, false).await, Read);
        assert_eq!(settled(full(64 * 1024), 0, false).await, Read);
        assert_eq!(settled(full(64 * 1024 + 1), 0, false).await, OnTheWire);
        assert_eq!(settled(full(10), 2, false).await, Read, "it was read whole before");
        assert_eq!(settled(full(10), 1, true).await, Read);
        assert_eq!(settled(full(10), 0, true).await, OnTheWire, "the client waits to be asked for it");
        for (count, read, expected) in [(64, 0, Read), (65, 0, OnTheWire), (64, 3, Read), (70, 69, OnTheWire)] {
            assert_eq!(settled(chunked(count), read, false).await, expected, "{count} {read}");
        }
        assert_eq!(settled(chunked(2), 1, true).await, Read, "it was asked for it by the first read");
        let broken = || io::Error::other("cut off");
        assert_eq!(settled(frames(1, Some(broken())), 0, false).await, OnTheWire);
        assert_eq!(settled(frames(1, Some(broken())), 2, false).await, OnTheWire);
    }

    #[tokio::test]
    async fn a_client_that_does_not_send_the_rest_is_waited_for_no_longer_than_that() {
        let began = tokio::time::Instant::now();
        assert_eq!(settled(frames(1, None), 0, false).await, Rest::OnTheWire);
        assert!(began.elapsed() >= SHORT);
    }

    #[tokio::test]
    async fn a_body_that_its_handler_still_has_is_not_waited_for() {
        let (_lent, lender) = lend(full(10));
        assert_eq!(lender.settle(false, SHORT).await, Rest::OnTheWire);
    }
}
