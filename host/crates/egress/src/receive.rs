//! Reads a response up to the limits.

use std::time::Duration;

use http::HeaderMap;
use http::header::CONTENT_ENCODING;
use zeroize::Zeroizing;

use super::error::{ErrorKind, SendError};
use super::grant::Method;
use super::origin::Origin;
use super::transport_error::classify;

/// The most headers that a response may have.
pub(super) const MOST_HEADERS: usize = 128;

/// The most bytes that a response's headers may have, names and values.
const MOST_HEADER_BYTES: usize = 64 * 1024;

/// A response as received, with secrets in it.
pub(super) struct RawResponse {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Zeroizing<Vec<u8>>,
}

/// Reads a response to its end.
pub(super) async fn read(
    mut response: reqwest::Response,
    method: Method,
    origin: &Origin,
    most_bytes: usize,
    connect_time: Duration,
) -> Result<RawResponse, SendError> {
    let host = origin.host();
    let status = response.status().as_u16();
    let headers = std::mem::take(response.headers_mut());
    let header_bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if headers.len() > MOST_HEADERS || header_bytes > MOST_HEADER_BYTES {
        return Err(SendError::sent(
            ErrorKind::TooLarge,
            format!("the headers of the answer from {host} are larger than allowed"),
        ));
    }
    if status < 200 {
        return Err(SendError::sent(ErrorKind::Transport, format!("{host} answered {status}, which ends no exchange")));
    }
    let mut body = Zeroizing::new(Vec::new());
    if method == Method::Head || matches!(status, 204 | 304) {
        return Ok(RawResponse { status, headers, body });
    }
    // gzip is decoded by now, and its header removed. Any other coding would hide secrets from the redaction.
    if let Some(coding) = headers.get(CONTENT_ENCODING)
        && !coding.as_bytes().eq_ignore_ascii_case(b"identity")
    {
        let message = format!("{host} answered in a content coding that was not asked for");
        return Err(SendError::sent(ErrorKind::Transport, message));
    }
    let too_large = || {
        SendError::sent(
            ErrorKind::TooLarge,
            format!("the answer from {host} is larger than the {most_bytes} bytes that are allowed"),
        )
    };
    if response.content_length().is_some_and(|length| length > most_bytes as u64) {
        return Err(too_large());
    }
    while let Some(chunk) = response.chunk().await.map_err(|error| classify(&error, origin, connect_time))? {
        if body.len() + chunk.len() > most_bytes {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(RawResponse { status, headers, body })
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use serde::Serialize;
    use static_assertions::assert_not_impl_any;

    use super::*;

    assert_not_impl_any!(RawResponse: fmt::Debug, fmt::Display, Serialize, Clone);
}
