//! Turns a [`Reply`] into hyper's response, faults included.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::Frame;

use super::wire::RawBytes;
use super::{Delivery, Reply};

pub(super) type ReplyBody = UnsyncBoxBody<Bytes, io::Error>;

/// Bytes in one chunk of an endless body.
const ENDLESS_CHUNK: usize = 16 * 1024;

/// Makes hyper close the connection without a response.
#[derive(Debug, thiserror::Error)]
#[error("the mock provider closes the connection on purpose")]
pub(super) struct Hangup;

/// The response for hyper. Bytes that replace an HTTP response go to `raw_bytes`, and the connection sends them.
pub(super) async fn respond(reply: Reply, raw_bytes: &RawBytes) -> Result<Response<ReplyBody>, Hangup> {
    if !reply.delay.is_zero() {
        tokio::time::sleep(reply.delay).await;
    }
    let length = reply.body.len();
    let body = Bytes::from(reply.body);
    // A streamed body does not know its length, so the reply gives the one to announce.
    let (body, announced) = match reply.delivery {
        Delivery::Closed => return Err(Hangup),
        Delivery::Raw(bytes) => {
            raw_bytes.set(bytes);
            (whole(Bytes::new()), None)
        }
        Delivery::Whole => (whole(body), None),
        Delivery::Endless => (endless(&body), None),
        Delivery::Drip(every) => (drip(body, every), Some(length)),
        Delivery::CutShort => (cut_short(&body), Some(length)),
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in &reply.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_str(value)) {
            response.headers_mut().append(name, value);
        }
    }
    if let Some(length) = announced {
        response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    if raw_bytes.is_set() {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response)
}

/// A response without headers or body, for requests that reach no handler.
pub(super) fn empty(status: StatusCode) -> Response<ReplyBody> {
    let mut response = Response::new(whole(Bytes::new()));
    *response.status_mut() = status;
    response
}

fn whole(body: Bytes) -> ReplyBody {
    Full::new(body).map_err(|never: Infallible| match never {}).boxed_unsync()
}

fn endless(body: &Bytes) -> ReplyBody {
    let pattern: &[u8] = if body.is_empty() { &[0] } else { body };
    let chunk = Bytes::from(pattern.repeat(ENDLESS_CHUNK.div_ceil(pattern.len())));
    // hyper polls for the next chunk only when the last one is sent: a client that stops reading stops this.
    let frames = stream::repeat_with(move || Ok(Frame::data(chunk.clone())));
    StreamBody::new(frames).boxed_unsync()
}

fn drip(body: Bytes, every: Duration) -> ReplyBody {
    let frames = stream::unfold(body, move |mut rest| async move {
        if rest.is_empty() {
            return None;
        }
        tokio::time::sleep(every).await;
        let next = rest.split_to(1);
        Some((Ok(Frame::data(next)), rest))
    });
    StreamBody::new(frames).boxed_unsync()
}

fn cut_short(body: &Bytes) -> ReplyBody {
    let sent = stream::iter([Ok(Frame::data(body.slice(..body.len() / 2)))]);
    let broken = stream::once(async {
        // hyper flushes only while the body is pending: without this, the first half would never be sent.
        tokio::task::yield_now().await;
        Err(io::Error::other(Hangup))
    });
    StreamBody::new(sent.chain(broken)).boxed_unsync()
}
