//! Reading `Authorization` headers, and ids for responses.

use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::Received;

/// The value of `Authorization: Bearer <value>`, if that is what was sent.
pub(super) fn bearer(request: &Received) -> Option<&str> {
    scheme_value(request, "Bearer")
}

/// The user name of `Authorization: Basic ...`, if that is what was sent.
pub(super) fn basic_user(request: &Received) -> Option<String> {
    let decoded = STANDARD.decode(scheme_value(request, "Basic")?).ok()?;
    let text = String::from_utf8(decoded).ok()?;
    Some(text.split_once(':').map_or(text.as_str(), |(user, _)| user).to_owned())
}

fn scheme_value<'a>(request: &'a Received, scheme: &str) -> Option<&'a str> {
    let (sent, value) = request.header("authorization")?.split_once(' ')?;
    sent.eq_ignore_ascii_case(scheme).then(|| value.trim()).filter(|value| !value.is_empty())
}

/// An id in the form of a UUID, another one each time: correlation ids only have to look like the real ones.
pub(super) fn correlation_id() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("00000000-0000-4000-8000-{:012x}", NEXT.fetch_add(1, Ordering::Relaxed))
}
