//! Reads a response up to the limits.

use std::io::{self, Write as _};

use flate2::write::MultiGzDecoder;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use http::{HeaderMap, StatusCode};
use hyper::body::{Body as _, Incoming};
use keyferry_types::zeroizing::Zeroizing;

use super::connection::Connection;
use super::error::{ErrorKind, SendError};
use super::grant::Method;
use super::origin::Origin;
use super::transport_error::{broken_off, headers_too_large};

/// The most headers that a response may have.
const MOST_HEADERS: usize = 100;

/// The most bytes that a response's headers may have, names and values.
const MOST_HEADER_BYTES: usize = 64 * 1024;

/// A response as received, with secrets in it.
pub(super) struct RawResponse {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Zeroizing<Vec<u8>>,
}

/// Reads a response from a connection to its end.
pub(super) async fn read(
    connection: &mut Connection,
    response: http::Response<Incoming>,
    method: Method,
    origin: &Origin,
    most_bytes: usize,
) -> Result<RawResponse, SendError> {
    let (mut head, mut body) = response.into_parts();
    let coding = Coding::take_from(&mut head.headers);
    let length = if coding == Coding::Gzip { None } else { body.size_hint().exact() };
    let mut reader = Reader::new(head.status, head.headers, coding, method, origin, most_bytes)?;
    reader.expect(length)?;
    while reader.has_body
        && let Some(chunk) = connection.chunk(&mut body).await
    {
        reader.push(&chunk.map_err(|error| broken_off(&*error, origin))?)?;
    }
    reader.finish()
}

/// Reads a response that is there as a whole, as [`read`] does it, without a coding.
pub(super) fn read_whole(
    status: StatusCode,
    headers: HeaderMap,
    body: &[u8],
    method: Method,
    origin: &Origin,
    most_bytes: usize,
) -> Result<RawResponse, SendError> {
    let mut reader = Reader::new(status, headers, Coding::None, method, origin, most_bytes)?;
    reader.expect(u64::try_from(body.len()).ok())?;
    if reader.has_body {
        reader.push(body)?;
    }
    reader.finish()
}

/// The coding of a body that is undone here.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Coding {
    None,
    Gzip,
}

impl Coding {
    /// Takes the coding that was asked for from the headers, with the length, which is that of the coded body.
    fn take_from(headers: &mut HeaderMap) -> Self {
        let mut codings = headers.get_all(CONTENT_ENCODING).iter();
        if codings.next().is_none_or(|coding| coding != "gzip") || codings.next().is_some() {
            return Self::None;
        }
        headers.remove(CONTENT_ENCODING);
        headers.remove(CONTENT_LENGTH);
        Self::Gzip
    }
}

/// A response as far as it was read.
struct Reader<'a> {
    status: u16,
    headers: HeaderMap,
    has_body: bool,
    body: Body,
    origin: &'a Origin,
    most_bytes: usize,
}

enum Body {
    Plain(Limited),
    /// A gzip stream that has not begun. An empty body is not a gzip stream.
    GzipBefore(Limited),
    Gzip(Box<MultiGzDecoder<Limited>>),
}

impl<'a> Reader<'a> {
    fn new(
        status: StatusCode,
        headers: HeaderMap,
        coding: Coding,
        method: Method,
        origin: &'a Origin,
        most_bytes: usize,
    ) -> Result<Self, SendError> {
        let status = status.as_u16();
        let header_bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        if headers.len() > MOST_HEADERS || header_bytes > MOST_HEADER_BYTES {
            return Err(headers_too_large(origin));
        }
        if status < 200 {
            let message = format!("{} answered {status}, which ends no exchange", origin.host());
            return Err(SendError::sent(ErrorKind::Transport, message));
        }
        let has_body = method != Method::Head && !matches!(status, 204 | 304);
        // Any other coding would hide secrets from the redaction.
        if has_body
            && headers
                .get_all(CONTENT_ENCODING)
                .iter()
                .any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"))
        {
            let message = format!("{} answered in a content coding that was not asked for", origin.host());
            return Err(SendError::sent(ErrorKind::Transport, message));
        }
        let limited = Limited { bytes: Zeroizing::default(), most: most_bytes };
        let body = match coding {
            Coding::None => Body::Plain(limited),
            Coding::Gzip => Body::GzipBefore(limited),
        };
        Ok(Self { status, headers, has_body, body, origin, most_bytes })
    }

    /// Prepares for a body of this length.
    fn expect(&mut self, length: Option<u64>) -> Result<(), SendError> {
        let (true, Some(length), Body::Plain(body)) = (self.has_body, length, &mut self.body) else { return Ok(()) };
        match usize::try_from(length) {
            Ok(length) if length <= self.most_bytes => body.bytes.reserve_exact(length),
            _ => return Err(broken(&Excess.into(), self.origin, self.most_bytes)),
        }
        Ok(())
    }

    fn push(&mut self, chunk: &[u8]) -> Result<(), SendError> {
        if let Body::GzipBefore(limited) = &mut self.body
            && !chunk.is_empty()
        {
            let limited = Limited { bytes: std::mem::take(&mut limited.bytes), most: limited.most };
            self.body = Body::Gzip(Box::new(MultiGzDecoder::new(limited)));
        }
        let written = match &mut self.body {
            Body::Plain(body) => body.write_all(chunk),
            Body::GzipBefore(_) => Ok(()),
            Body::Gzip(decoder) => decoder.write_all(chunk),
        };
        written.map_err(|error| broken(&error, self.origin, self.most_bytes))
    }

    fn finish(self) -> Result<RawResponse, SendError> {
        let Self { status, headers, body, origin, most_bytes, .. } = self;
        let body = match body {
            Body::Plain(body) | Body::GzipBefore(body) => body,
            Body::Gzip(decoder) => decoder.finish().map_err(|error| broken(&error, origin, most_bytes))?,
        };
        Ok(RawResponse { status, headers, body: body.bytes })
    }
}

/// The error of a body that is too large, or not in its coding.
fn broken(error: &io::Error, origin: &Origin, most_bytes: usize) -> SendError {
    if error.get_ref().is_some_and(|inner| inner.is::<Excess>()) {
        let message =
            format!("the answer from {} is larger than the {most_bytes} bytes that are allowed", origin.host());
        return SendError::sent(ErrorKind::TooLarge, message);
    }
    broken_off(error, origin)
}

/// A buffer that takes a limited number of bytes.
struct Limited {
    bytes: Zeroizing<Vec<u8>>,
    most: usize,
}

/// More bytes than a [`Limited`] takes.
#[derive(Debug, thiserror::Error)]
#[error("too many bytes")]
struct Excess;

impl From<Excess> for io::Error {
    fn from(excess: Excess) -> Self {
        Self::other(excess)
    }
}

impl io::Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > self.most {
            return Err(Excess.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use serde::Serialize;
    use static_assertions::assert_not_impl_any;

    use super::*;

    assert_not_impl_any!(RawResponse: fmt::Debug, fmt::Display, Serialize, Clone);
}
