//! Reading a request's body: bounded in size and time, wiped afterwards, with errors that say where.

use std::time::Duration;

use axum::body::Body;
use http::{HeaderMap, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::failure::Failure;
use super::kind;

/// Bytes of a body.
pub(super) const MAX_BODY: usize = 64 * 1024;
/// How long a caller may take to send it.
pub(super) const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Reads a JSON body.
pub(super) async fn json<T: DeserializeOwned>(headers: &HeaderMap, body: Body) -> Result<T, Failure> {
    check_content_type(headers)?;
    let bytes = read(body).await?;
    serde_json::from_slice(&bytes).map_err(|error| not_json(&error))
}

/// Reads a JSON body that has to be an object. A struct alone would take an array of its members, too.
pub(super) async fn object<T: DeserializeOwned>(headers: &HeaderMap, body: Body) -> Result<T, Failure> {
    check_content_type(headers)?;
    let bytes = read(body).await?;
    let parsed = serde_json::from_slice(&bytes).map_err(|error| not_json(&error))?;
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
        return Err(not_an_object("an array"));
    }
    Ok(parsed)
}

/// A body that is JSON and no object.
pub(super) fn not_an_object(kind: &str) -> Failure {
    Failure::new(&kind::INVALID_JSON, format!("the request body must be a JSON object, and is {kind}"))
}

/// Reads a body whole.
pub(super) async fn read(body: Body) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let collect = async {
        let mut body = Limited::new(body, MAX_BODY);
        // One allocation of full size, so that growing leaves no copies of a credential behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_BODY));
        while let Some(frame) = body.frame().await {
            if let Ok(data) = frame?.into_data() {
                bytes.extend_from_slice(&data);
            }
        }
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(bytes)
    };
    match tokio::time::timeout(BODY_TIMEOUT, collect).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            Err(Failure::new(&kind::BODY_TOO_LARGE, format!("the request body is larger than {MAX_BODY} bytes")))
        }
        Ok(Err(error)) => {
            Err(Failure::new(&kind::BODY_INCOMPLETE, format!("the request body could not be read: {error}")))
        }
        Err(_) => {
            let message = format!("the request body did not arrive within {} s", BODY_TIMEOUT.as_secs());
            Err(Failure::new(&kind::BODY_TIMEOUT, message))
        }
    }
}

fn check_content_type(headers: &HeaderMap) -> Result<(), Failure> {
    let unsupported = |found: &str| {
        let message = format!("the request body must be sent as Content-Type: application/json, and {found}");
        Failure::new(&kind::UNSUPPORTED_MEDIA_TYPE, message)
    };
    if headers.get(header::CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
        return Err(unsupported("without a Content-Encoding"));
    }
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return Err(unsupported("it has none")) };
    let essence = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json")) {
        return Ok(());
    }
    let shown: String = essence.chars().filter(|c| !c.is_control()).take(60).collect();
    Err(unsupported(&format!("it was sent as `{shown}`")))
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
    Failure::new(&kind::INVALID_JSON, format!("the request body is not valid JSON: {what}"))
}
