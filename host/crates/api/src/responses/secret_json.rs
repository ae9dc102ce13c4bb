//! Responses that hold a secret.

use std::io;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderValue, header};
use serde::Serialize;
use zeroize::Zeroizing;

use crate::error::api_error::ApiError;
use keyferry_types::zeroizing::to_zeroizing_vec;

/// A response that must not be cached, in one buffer that is wiped after sending.
pub(crate) fn secret_json(body: &impl Serialize) -> Result<Response, ApiError> {
    let bytes = json(body, b"").map_err(|error| ApiError::internal(&error))?;
    let mut response = Response::new(Body::from(Bytes::from_owner(bytes)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// A part of a response, in one buffer that is wiped after sending.
pub(crate) fn secret_bytes(part: &impl Serialize, end: &[u8]) -> io::Result<Bytes> {
    json(part, end).map(Bytes::from_owner)
}

fn json(body: &impl Serialize, end: &[u8]) -> io::Result<Zeroizing<Vec<u8>>> {
    to_zeroizing_vec(|out| {
        serde_json::to_writer(&mut *out, body)?;
        out.write_all(end)
    })
}
