//! Reading a request's body: bounded in size and time, wiped afterwards, with errors that say where.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::extract::{FromRequest, Request};
use http::request::Parts;
use http::{HeaderMap, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use keyferry_types::zeroizing::Zeroizing;
use serde::de::{self, DeserializeOwned, Deserializer, IgnoredAny, MapAccess, Visitor};

use crate::error::api_error::ApiError;
use crate::error::problem::{self, ProblemType};
use crate::request::repeated::{self, Conflict};
use crate::state::Api;

/// The largest body in bytes.
pub(crate) const MAX_BODY: usize = 64 * 1024;
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

/// What reading a body fails with.
pub(crate) const BODY_PROBLEMS: [&ProblemType; 5] = [
    &problem::INVALID_JSON,
    &problem::BODY_INCOMPLETE,
    &problem::BODY_TIMEOUT,
    &problem::BODY_TOO_LARGE,
    &problem::UNSUPPORTED_MEDIA_TYPE,
];

/// The body of a request, not read yet.
pub(crate) struct RequestBody {
    headers: HeaderMap,
    body: Body,
    /// How long the caller may take to send it.
    within: Duration,
}

impl FromRequest<Arc<Api>> for RequestBody {
    type Rejection = Infallible;

    async fn from_request(request: Request, api: &Arc<Api>) -> Result<Self, Infallible> {
        let (Parts { headers, .. }, body) = request.into_parts();
        Ok(Self { headers, body, within: api.body_timeout })
    }
}

impl RequestBody {
    /// Reads a JSON body.
    pub(crate) async fn json<T: DeserializeOwned>(self) -> Result<T, ApiError> {
        check_content_type(&self.headers)?;
        let bytes = read(self.body, self.within).await?;
        parse(&bytes)
    }

    /// Reads a JSON body, and returns the request's headers with it.
    pub(crate) async fn json_and_headers<T: DeserializeOwned>(self) -> Result<(T, HeaderMap), ApiError> {
        check_content_type(&self.headers)?;
        let bytes = read(self.body, self.within).await?;
        Ok((parse(&bytes)?, self.headers))
    }

    /// Reads a JSON body that has to be an object. A struct alone would take an array of its members, too.
    pub(crate) async fn object<T: DeserializeOwned>(self) -> Result<T, ApiError> {
        check_content_type(&self.headers)?;
        let bytes = read(self.body, self.within).await?;
        if without_mark(&bytes).iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
            parse::<IgnoredAny>(&bytes)?;
            return Err(not_an_object("an array"));
        }
        parse(&bytes)
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(without_mark(bytes)).map_err(|error| not_json(&error))
}

/// The text after a byte order mark. Editors and spreadsheets write one, and RFC 8259 lets a parser pass over it.
fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes)
}

/// What becomes of a body's bytes; the error is all that there is in the failure.
#[cfg(any(test, feature = "fuzzing"))]
pub fn json_of<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    parse(bytes).map_err(|failure| format!("{failure:?}"))
}

/// A body that is JSON and no object.
pub(crate) fn not_an_object(kind: &str) -> ApiError {
    ApiError::new(&problem::INVALID_JSON, format!("the request body must be a JSON object, and is {kind}"))
}

/// Reads a whole body into memory that is wiped.
async fn read(body: Body, within: Duration) -> Result<Zeroizing<Vec<u8>>, ApiError> {
    let declared = body.size_hint();
    if declared.lower() > MAX_BODY as u64 {
        return Err(too_large());
    }
    // One allocation of full size, so that growing leaves no copies of a credential behind. A declared length is not exceeded.
    let size = declared
        .upper()
        .and_then(|length| usize::try_from(length).ok())
        .map_or(MAX_BODY, |length| length.min(MAX_BODY));
    let collect = async {
        let mut body = Limited::new(body, MAX_BODY);
        let mut bytes = Zeroizing::new(Vec::with_capacity(size));
        while let Some(frame) = body.frame().await {
            if let Ok(data) = frame?.into_data() {
                bytes.extend_from_slice(&data);
            }
        }
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(bytes)
    };
    match tokio::time::timeout(within, collect).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(error)) => {
            Err(ApiError::new(&problem::BODY_INCOMPLETE, format!("the request body could not be read: {error}")))
        }
        Err(_) => {
            let message = format!("the request body did not arrive within {} s", within.as_secs_f32());
            Err(ApiError::new(&problem::BODY_TIMEOUT, message))
        }
    }
}

fn too_large() -> ApiError {
    let message = format!("the request body is larger than {MAX_BODY} bytes");
    ApiError::new(&problem::BODY_TOO_LARGE, message)
}

fn check_content_type(headers: &HeaderMap) -> Result<(), ApiError> {
    let unsupported = |found: &str| {
        let message = format!("the request body must be sent as Content-Type: application/json, and {found}");
        ApiError::new(&problem::UNSUPPORTED_MEDIA_TYPE, message)
    };
    if headers.get_all(header::CONTENT_ENCODING).iter().any(|encoding| encoding != "identity") {
        return Err(unsupported("without a Content-Encoding"));
    }
    let value = repeated::header(headers, header::CONTENT_TYPE.as_str())
        .map_err(|Conflict| unsupported("it has two different ones"))?;
    let Some(value) = value else { return Err(unsupported("it has none")) };
    if value == "application/json" {
        return Ok(());
    }
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

/// An object of texts, or `null`. A member that is there twice is an error: another reader could take the other one.
pub(crate) fn distinct<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<BTreeMap<String, String>>, D::Error> {
    struct Members;

    impl<'de> Visitor<'de> for Members {
        type Value = Option<BTreeMap<String, String>>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object of texts")
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
            let mut map = BTreeMap::new();
            while let Some((name, value)) = members.next_entry()? {
                if map.insert(name, value).is_some() {
                    return Err(de::Error::custom("an object holds the same member twice"));
                }
            }
            Ok(Some(map))
        }
    }

    deserializer.deserialize_any(Members)
}

/// The parser's message can quote the input, so only its kind and position are reported.
fn not_json(error: &serde_json::Error) -> ApiError {
    let (line, column) = (error.line(), error.column());
    let what = match error.classify() {
        serde_json::error::Category::Eof if line <= 1 && column == 0 => "it is empty".to_owned(),
        serde_json::error::Category::Eof => format!("it ends too early, at line {line} column {column}"),
        serde_json::error::Category::Syntax => format!("there is a syntax error at line {line} column {column}"),
        serde_json::error::Category::Data => {
            let text = error.to_string();
            let why = if text.contains("same member twice") || text.contains("duplicate field") {
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
    ApiError::new(&problem::INVALID_JSON, format!("the request body is not valid JSON: {what}"))
}
