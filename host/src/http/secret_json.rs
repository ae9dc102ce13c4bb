//! Answers that hold a secret.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderValue, header};
use serde::Serialize;
use zeroize::Zeroizing;

use super::failure::Failure;

/// An answer that nobody on the way may keep, in one buffer that is wiped when it has been sent.
pub(super) fn secret_json(body: &impl Serialize) -> Result<Response, Failure> {
    let bytes = written(body, b"").map_err(|error| Failure::internal(&error))?;
    let mut response = Response::new(Body::from(Bytes::from_owner(bytes)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// A part of an answer, in one buffer that is wiped when it has been sent.
pub(super) fn secret_bytes(part: &impl Serialize, end: &[u8]) -> serde_json::Result<Bytes> {
    written(part, end).map(Bytes::from_owner)
}

/// The body is measured first, so that it never moves.
fn written(body: &impl Serialize, end: &[u8]) -> serde_json::Result<Zeroizing<Vec<u8>>> {
    let mut length = Measure(0);
    serde_json::to_writer(&mut length, body)?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(length.0 + end.len()));
    serde_json::to_writer(&mut *bytes, body)?;
    bytes.extend_from_slice(end);
    Ok(bytes)
}

struct Measure(usize);

impl std::io::Write for Measure {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
