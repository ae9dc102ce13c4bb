//! Reading a request's body: bounded in size and time, wiped afterwards, with errors that say where.

use std::time::Duration;

use axum::body::Body;
use http::{HeaderMap, StatusCode, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Body as _;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::failure::Failure;

/// Bytes of a body.
pub(super) const MAX_BODY: usize = 64 * 1024;
/// How long a caller may take to send it.
pub(super) const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// What a body is sent as by mistake. Only these are repeated to the caller, who could have put anything there.
const COMMON_TYPES: [&str; 9] = [
    "application/octet-stream",
    "application/x-www-form-urlencoded",
    "application/xml",
    "application/yaml",
    "multipart/form-data",
    "text/html",
    "text/json",
    "text/plain",
    "text/xml",
];

/// Reads a JSON body.
pub(super) async fn json<T: DeserializeOwned>(headers: &HeaderMap, body: Body) -> Result<T, Failure> {
    check_content_type(headers)?;
    let bytes = read(body).await?;
    serde_json::from_slice(&bytes).map_err(|error| not_json(&error))
}

/// Reads a body whole.
pub(super) async fn read(body: Body) -> Result<Zeroizing<Vec<u8>>, Failure> {
    // One allocation that never grows, since growing would leave copies of a credential behind.
    let announced = body.size_hint().exact().and_then(|length| usize::try_from(length).ok());
    let capacity = announced.map_or(MAX_BODY, |length| length.min(MAX_BODY));
    let collect = async {
        let mut body = Limited::new(body, MAX_BODY);
        let mut bytes = Zeroizing::new(Vec::with_capacity(capacity));
        while let Some(frame) = body.frame().await {
            if let Ok(data) = frame?.into_data() {
                bytes.extend_from_slice(&data);
            }
        }
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(bytes)
    };
    match tokio::time::timeout(BODY_TIMEOUT, collect).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Failure::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body_too_large",
            format!("the request body is larger than {MAX_BODY} bytes"),
        )),
        Ok(Err(error)) => Err(Failure::new(
            StatusCode::BAD_REQUEST,
            "body_incomplete",
            format!("the request body could not be read: {error}"),
        )),
        Err(_) => Err(Failure::new(
            StatusCode::REQUEST_TIMEOUT,
            "body_timeout",
            format!("the request body did not arrive within {} s", BODY_TIMEOUT.as_secs()),
        )),
    }
}

fn check_content_type(headers: &HeaderMap) -> Result<(), Failure> {
    let unsupported = |found: &str| {
        Failure::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            format!("the request body must be sent as Content-Type: application/json, and {found}"),
        )
    };
    if headers.get(header::CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
        return Err(unsupported("without a Content-Encoding"));
    }
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return Err(unsupported("it has none")) };
    let essence = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let essence = essence.as_str();
    if essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json")) {
        return Ok(());
    }
    match COMMON_TYPES.iter().find(|common| **common == essence) {
        Some(common) => Err(unsupported(&format!("it was sent as `{common}`"))),
        None => Err(unsupported("it was sent as something else")),
    }
}

/// The parser's own message can quote what it read, so only its kind and place are told.
fn not_json(error: &serde_json::Error) -> Failure {
    let (line, column) = (error.line(), error.column());
    let what = match error.classify() {
        serde_json::error::Category::Eof if line <= 1 && column == 0 => "it is empty".to_owned(),
        serde_json::error::Category::Eof => format!("it ends too early, at line {line} column {column}"),
        serde_json::error::Category::Syntax => format!("there is a syntax error at line {line} column {column}"),
        serde_json::error::Category::Data => {
            let text = error.to_string();
            let why = if text.contains("same member twice") {
                "an object holds the same member twice"
            } else if text.contains("levels deep") {
                "it is nested too deeply"
            } else {
                "a value has the wrong type"
            };
            format!("{why}, at line {line} column {column}")
        }
        serde_json::error::Category::Io => "it could not be read".to_owned(),
    };
    Failure::new(StatusCode::BAD_REQUEST, "invalid_json", format!("the request body is not valid JSON: {what}"))
}
