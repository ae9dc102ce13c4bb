//! The error of a request: what a handler fails with.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, header};
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::problem::{self, ProblemType};
use keyferry_schema::Violations;

/// The error of one request.
#[derive(Debug, Clone)]
pub(crate) struct ApiError {
    pub(super) kind: &'static ProblemType,
    pub(super) message: String,
    /// The problem's `detail`, where it can say more plainly what the documented message has to say in its own form.
    pub(super) detail: Option<String>,
    pub(super) errors: Vec<FieldError>,
    retry_after: Option<Duration>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// One thing that is wrong with a request's content.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct FieldError {
    /// A JSON pointer into the request body, or the field's name where the provider refused it.
    #[schema(example = "/auth_object/oauth2/access_token")]
    pointer: String,
    /// The stable code of the violation.
    #[schema(value_type = String, example = "missing")]
    code: &'static str,
    /// The violation in words.
    detail: String,
}

impl ApiError {
    /// A failure of this kind.
    pub(crate) fn new(kind: &'static ProblemType, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), detail: None, errors: Vec::new(), retry_after: None, headers: Vec::new() }
    }

    /// Content that does not fit the app's schema.
    pub(crate) fn violations(violations: &Violations) -> Self {
        let errors = violations.list().iter().map(|violation| FieldError {
            pointer: pointer(&violation.place),
            code: violation.code.as_str(),
            detail: format!("{} {}", violation.place, violation.message),
        });
        Self { errors: errors.collect(), ..Self::new(&problem::INVALID_CONTENT, violations.to_string()) }
    }

    /// The same for a body that consists of the fields of this auth type.
    pub(crate) fn flat_violations(violations: &Violations, auth_type: &str) -> Self {
        let prefix = format!("auth_object.{auth_type}");
        let field = |place: &str| match place.strip_prefix(&prefix) {
            Some(rest) => rest.trim_start_matches('.').to_owned(),
            None => String::new(),
        };
        let errors = violations.list().iter().map(|violation| {
            let field = field(&violation.place);
            let place = if field.is_empty() { "the body" } else { &field };
            let detail = format!("{place} {}", violation.message);
            FieldError { pointer: pointer(&field), code: violation.code.as_str(), detail }
        });
        let errors: Vec<_> = errors.collect();
        let message = errors.iter().map(|error| error.detail.as_str()).collect::<Vec<_>>().join("; ");
        Self { errors, ..Self::new(&problem::INVALID_CONTENT, message) }
    }

    /// Credentials that did not verify.
    pub(crate) fn verification(kind: &'static ProblemType, detail: &str) -> Self {
        let message = format!("Failed to verify credentials: {detail}");
        Self::new(kind, message).detail(detail.to_owned())
    }

    /// No API key, or one that is not known; `detail` says it in a problem.
    pub(crate) fn unauthorized(detail: &str) -> Self {
        Self::new(&problem::INVALID_API_KEY, "Invalid Credentials").detail(detail.to_owned())
    }

    /// Something of ours that failed. The caller learns nothing of it; the log has it under the request's id.
    pub(crate) fn internal(error: &dyn std::error::Error) -> Self {
        let mut chain = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            chain = format!("{chain}: {cause}");
            source = cause.source();
        }
        tracing::error!(error = %chain, "a request failed inside");
        let message =
            "Something went wrong inside the server; its log has the reason under this response's X-Request-Id";
        Self::new(&problem::INTERNAL, message)
    }

    /// The problem's `detail`, where it can say more than the documented message.
    pub(crate) fn detail(mut self, detail: String) -> Self {
        self.detail = Some(detail);
        self
    }

    /// Says when to try again.
    pub(crate) fn retry_after(mut self, wait: Option<Duration>) -> Self {
        debug_assert!(
            wait.is_none() || self.kind.has_retry_after(),
            "{} is not said to carry Retry-After",
            self.kind.code
        );
        self.retry_after = wait;
        self
    }

    /// The credential's fields to look at.
    pub(crate) fn fields(mut self, names: Vec<String>) -> Self {
        let code = self.kind.code;
        let one = |name: String| FieldError { detail: format!("{name} was not accepted"), pointer: name, code };
        self.errors = names.into_iter().map(one).collect();
        self
    }

    /// Adds a header to the response.
    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }
}

impl IntoResponse for ApiError {
    /// The response without a body: [`rendering::layer`](crate::error::rendering::layer) adds it in the form that the request asks
    /// for.
    fn into_response(mut self) -> Response {
        let mut response = self.kind.status.into_response();
        let headers = response.headers_mut();
        if let Some(wait) = self.retry_after {
            // Rounded up: asking a moment too early would be turned away again.
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        headers.extend(std::mem::take(&mut self.headers));
        response.extensions_mut().insert(self);
        response
    }
}

/// A place such as `auth_object.oauth2` as a JSON pointer. The empty place is the whole body.
fn pointer(place: &str) -> String {
    let escaped = place.replace('~', "~0").replace('/', "~1").replace('.', "/");
    if escaped.is_empty() { escaped } else { format!("/{escaped}") }
}
