//! Conditional reads: each response has an `ETag`; where the caller has it already, the response is 304 without a body.

use axum::body::{Body, HttpBody as _, to_bytes};
use axum::extract::{MatchedPath, Request};
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use sha2::{Digest as _, Sha256};

/// What is another each moment, and asked for to know just that.
const FLEETING: [&str; 2] = ["/livez", "/readyz"];

/// The number of hexadecimal digits of an entity tag.
const DIGITS: usize = 32;

/// Gives what was read its tag, and leaves it out where the caller has it.
pub(crate) async fn layer<F: Future<Output = Response>>(
    mut request: Request,
    next: impl FnOnce(Request) -> F,
) -> Response {
    let is_fleeting = request.extensions().get::<MatchedPath>().is_none_or(|path| FLEETING.contains(&path.as_str()));
    if is_fleeting || !matches!(*request.method(), Method::GET | Method::HEAD) {
        return next(request).await;
    }
    let had: Vec<HeaderValue> = request.headers().get_all(header::IF_NONE_MATCH).iter().cloned().collect();
    // The response to HEAD has the headers of GET, its tag included; the caller removes the body.
    *request.method_mut() = Method::GET;
    let (mut parts, body) = next(request).await.into_parts();
    // A body without a known length is streamed; it may be too large for memory.
    let is_streamed = body.size_hint().exact().is_none();
    if is_streamed || parts.status != StatusCode::OK {
        return Response::from_parts(parts, body);
    }
    // It is made in one piece, so this waits for nothing.
    let Ok(body) = to_bytes(body, usize::MAX).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let tag = match parts.headers.get(header::ETAG) {
        Some(tag) => tag.clone(),
        None => content_tag(&body),
    };
    parts.headers.insert(header::ETAG, tag.clone());
    // It may be kept by its caller alone, and asked for again before it is used.
    parts.headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("private, no-cache"));
    if holds(&had, &tag) {
        return not_modified(&parts.headers);
    }
    Response::from_parts(parts, Body::from(body))
}

/// The tag of this content.
pub(crate) fn content_tag(body: &[u8]) -> HeaderValue {
    let digits: String = hex::encode(Sha256::digest(body)).chars().take(DIGITS).collect();
    HeaderValue::from_str(&format!("\"{digits}\"")).unwrap_or_else(|_| HeaderValue::from_static("\"\""))
}

/// Whether the caller has it: the weak comparison of RFC 9110, section 13.1.2.
fn holds(had: &[HeaderValue], tag: &HeaderValue) -> bool {
    let tag = tag.to_str().unwrap_or_default();
    had.iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).any(|one| {
        let one = one.trim();
        one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag
    })
}

fn not_modified(headers: &HeaderMap) -> Response {
    let mut response = StatusCode::NOT_MODIFIED.into_response();
    for (name, value) in headers {
        if name != header::CONTENT_TYPE && name != header::CONTENT_LENGTH {
            response.headers_mut().append(name.clone(), value.clone());
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_had_in_any_of_the_forms_that_it_can_be_sent_in() {
        let tag = content_tag(b"content");
        assert_ne!(tag, content_tag(b"other content"));
        let text = tag.to_str().unwrap().to_owned();
        for (sent, expected) in [
            (vec![text.clone()], true),
            (vec![format!("W/{text}")], true),
            (vec![format!("\"x\", {text}")], true),
            (vec!["\"x\"".to_owned(), text.clone()], true),
            (vec!["*".to_owned()], true),
            (vec![text.trim_matches('"').to_owned()], false),
            (vec!["\"x\"".to_owned()], false),
            (vec![String::new()], false),
            (vec![], false),
        ] {
            let had: Vec<_> = sent.iter().map(|value| HeaderValue::from_str(value).unwrap()).collect();
            assert_eq!(holds(&had, &tag), expected, "{sent:?}");
        }
    }
}
