//! The forms of responses: JSON that nothing on the way stores, and RFC 9457 problems.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

use crate::admin::error::AdminError;

/// The media type of a problem.
pub(super) const PROBLEM_JSON: &str = "application/problem+json";

/// JSON that nothing on the way stores.
pub(super) struct Uncached<T>(pub(super) T);

impl<T: Serialize> IntoResponse for Uncached<T> {
    fn into_response(self) -> Response {
        let Ok(json) = serde_json::to_string(&self.0) else {
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        };
        ([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")], json).into_response()
    }
}

/// A failure (RFC 9457).
#[derive(Serialize, Deserialize, ToSchema)]
pub(super) struct Problem {
    /// Stable, for programs. New ones can come.
    code: String,
    /// What happened, and what to do next.
    pub(super) detail: String,
    #[schema(schema_with = status)]
    status: u16,
    /// The status's name.
    title: String,
    #[schema(pattern = "^urn:keyferry:problem:[a-z_]+$")]
    r#type: String,
}

fn status() -> Object {
    ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(400)).maximum(Some(599)).build()
}

impl Problem {
    pub(super) fn new(status: StatusCode, code: &str, detail: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            detail: detail.into(),
            status: status.as_u16(),
            title: status.canonical_reason().unwrap_or("Failed").to_owned(),
            r#type: format!("urn:keyferry:problem:{code}"),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, [(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON))], Uncached(self)).into_response()
    }
}

impl IntoResponse for AdminError {
    fn into_response(self) -> Response {
        Problem::new(self.status(), self.code(), self.to_string()).into_response()
    }
}
