//! Requests that another program on the way could take for something else. They are refused, and their connection ends: one
//! side could take for another client's request what the other takes for a body.
//!
//! hyper refuses what contradicts itself in `Content-Length`, and ends the connection of a request that has both that and
//! `Transfer-Encoding`. What is left is here.

use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, HeaderValue, Version, header};

use crate::error::api_error::ApiError;
use crate::error::problem;

/// Lets through what can be taken in one way only.
pub(crate) async fn layer<F: Future<Output = Response>>(request: Request, next: impl FnOnce(Request) -> F) -> Response {
    match check(request.version(), request.headers()) {
        Ok(()) => next(request).await,
        Err(error) => error.header(header::CONNECTION, HeaderValue::from_static("close")).into_response(),
    }
}

fn check(version: Version, headers: &HeaderMap) -> Result<(), ApiError> {
    let hosts = headers.get_all(header::HOST).iter().count();
    if hosts > 1 || (hosts == 0 && version == Version::HTTP_11) {
        let message = "a request has to have the header Host exactly once (RFC 9112, section 3.2)";
        return Err(ApiError::new(&problem::INVALID_HOST, message));
    }
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => Ok(()),
        (Some(coding), None) if coding.as_bytes().eq_ignore_ascii_case(b"chunked") => Ok(()),
        _ => {
            let message = "the request body can be sent with Transfer-Encoding: chunked alone, or with none";
            Err(ApiError::new(&problem::UNSUPPORTED_TRANSFER_ENCODING, message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_host_and_at_most_one_coding() {
        type Headers = &'static [(&'static str, &'static str)];
        let cases: [(Headers, Version, Option<&str>); 10] = [
            (&[("host", "a")], Version::HTTP_11, None),
            (&[], Version::HTTP_10, None),
            (&[], Version::HTTP_11, Some("invalid_host")),
            (&[("host", "a"), ("host", "a")], Version::HTTP_11, Some("invalid_host")),
            (&[("host", "a"), ("host", "b")], Version::HTTP_10, Some("invalid_host")),
            (&[("host", "a"), ("transfer-encoding", "Chunked")], Version::HTTP_11, None),
            (&[("host", "a"), ("transfer-encoding", "gzip, chunked")], Version::HTTP_11, Some("unsupported")),
            (&[("host", "a"), ("transfer-encoding", "chunked, chunked")], Version::HTTP_11, Some("unsupported")),
            (&[("host", "a"), ("transfer-encoding", "chunked;x")], Version::HTTP_11, Some("unsupported")),
            (
                &[("host", "a"), ("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")],
                Version::HTTP_11,
                Some("unsupported"),
            ),
        ];
        for (pairs, version, expected) in cases {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.append(http::HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap());
            }
            let found = check(version, &headers).map_err(|failure| format!("{failure:?}"));
            match expected {
                None => assert!(found.is_ok(), "{pairs:?}"),
                Some(code) => assert!(found.is_err_and(|failure| failure.contains(code)), "{pairs:?}"),
            }
        }
    }
}
