//! Every failure in its two renderings: the documented product's own shapes, and an RFC 9457 problem where the caller
//! sends `Accept: application/problem+json`.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;

use crate::schema::Violations;

/// Which of the two renderings a caller wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rendering {
    /// The documented shapes, and the default.
    Documented,
    /// `application/problem+json`.
    Problem,
}

impl Rendering {
    /// What the `Accept` header asks for.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let wants_problem =
            headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).any(|value| {
                value.split(',').any(|range| {
                    let mut parts = range.split(';').map(str::trim);
                    let is_problem = parts.next().is_some_and(|t| t.eq_ignore_ascii_case("application/problem+json"));
                    is_problem && !parts.any(|parameter| matches!(parameter, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
                })
            });
        if wants_problem { Self::Problem } else { Self::Documented }
    }
}

/// The documented shape of a failure.
#[derive(Debug)]
enum Documented {
    /// `200 {"error": ...}`: the request is understood but its content is not valid.
    Bare,
    /// `{"status_code", "http_error_type", "error", "message"}`.
    Envelope { status: StatusCode, error: &'static str, kind: Option<&'static str> },
    /// `{"error", "message"}`, as a few of the product's services answer.
    Short { status: StatusCode, error: &'static str },
}

/// One failed request.
#[derive(Debug)]
pub(super) struct Failure {
    documented: Documented,
    /// The status of the problem rendering.
    status: StatusCode,
    /// Stable, for programs.
    code: &'static str,
    message: String,
    /// The problem's `detail`, where it can say more plainly what the documented message has to say in its own form.
    detail: Option<String>,
    errors: Vec<FieldError>,
    retry_after: Option<Duration>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// One wrong field of a problem.
#[derive(Debug, Serialize)]
struct FieldError {
    /// A JSON pointer into the request body, or the field's name where the provider refused it.
    pointer: String,
    code: &'static str,
    detail: String,
}

#[derive(Serialize)]
struct EnvelopeBody<'a> {
    status_code: u16,
    http_error_type: &'a str,
    error: &'a str,
    message: &'a str,
}

#[derive(Serialize)]
struct ShortBody<'a> {
    error: &'a str,
    message: &'a str,
}

#[derive(Serialize)]
struct BareBody<'a> {
    error: &'a str,
}

#[derive(Serialize)]
struct ProblemBody<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    code: &'a str,
    detail: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldError],
}

/// The product's internal code for nearly everything.
pub(super) const SERVER_ERROR: &str = "SERVER_ERROR";

impl Failure {
    /// A failure with the same status in both renderings.
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            documented: Documented::Envelope { status, error: SERVER_ERROR, kind: None },
            status,
            code,
            message: message.into(),
            detail: None,
            errors: Vec::new(),
            retry_after: None,
            headers: Vec::new(),
        }
    }

    /// Content that is understood but not valid: documented as 200, a problem of 422.
    pub(super) fn content(code: &'static str, message: impl Into<String>) -> Self {
        Self { documented: Documented::Bare, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, message) }
    }

    /// Content that does not fit the app's schema.
    pub(super) fn violations(violations: &Violations) -> Self {
        let errors = violations.list().iter().map(|violation| FieldError {
            pointer: format!("/{}", violation.place.replace('~', "~0").replace('/', "~1").replace('.', "/")),
            code: violation.code.as_str(),
            detail: format!("{} {}", violation.place, violation.message),
        });
        Self { errors: errors.collect(), ..Self::content("invalid_content", violations.to_string()) }
    }

    /// Credentials that did not verify: documented as 500, a problem of `status`.
    pub(super) fn verification(status: StatusCode, code: &'static str, detail: &str) -> Self {
        let documented =
            Documented::Envelope { status: StatusCode::INTERNAL_SERVER_ERROR, error: SERVER_ERROR, kind: None };
        let message = format!("Failed to verify credentials: {detail}");
        Self { documented, detail: Some(detail.to_owned()), ..Self::new(status, code, message) }
    }

    /// No API key, or one that is not known.
    pub(super) fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "invalid_api_key", "Invalid Credentials")
    }

    /// Something of ours that failed. The caller learns nothing of it; the log has it under the request's id.
    pub(super) fn internal(error: &dyn std::error::Error) -> Self {
        let mut chain = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            chain = format!("{chain}: {cause}");
            source = cause.source();
        }
        tracing::error!(error = %chain, "a request failed inside");
        let message = "Something went wrong inside the server; its log has the reason under this answer's X-Request-Id";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message)
    }

    /// An app that is not there, where the schema of its credentials is asked for: documented as a 500 in two members.
    pub(super) fn no_schema(slug: &str) -> Self {
        let documented = Documented::Short { status: StatusCode::INTERNAL_SERVER_ERROR, error: SERVER_ERROR };
        let message = format!("Schema not found for integration type: {slug}");
        Self { documented, ..Self::new(StatusCode::NOT_FOUND, "unknown_app", message) }
    }

    /// The internal code of the documented envelope, where it is not `SERVER_ERROR`.
    pub(super) fn documented_error(mut self, code: &'static str) -> Self {
        if let Documented::Envelope { error, .. } = &mut self.documented {
            *error = code;
        }
        self
    }

    /// The documented envelope's `http_error_type`, where it is not the status's name.
    pub(super) fn documented_kind(mut self, name: &'static str) -> Self {
        if let Documented::Envelope { kind, .. } = &mut self.documented {
            *kind = Some(name);
        }
        self
    }

    /// The problem's `detail`, where it can say more than the documented message.
    pub(super) fn detail(mut self, detail: String) -> Self {
        self.detail = Some(detail);
        self
    }

    /// The documented status, where it is not the problem's.
    pub(super) fn documented_status(mut self, documented: StatusCode) -> Self {
        if let Documented::Envelope { status, .. } = &mut self.documented {
            *status = documented;
        }
        self
    }

    /// Says when to try again.
    pub(super) fn retry_after(mut self, wait: Option<Duration>) -> Self {
        self.retry_after = wait;
        self
    }

    /// The status of the problem rendering.
    pub(super) fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// The credential's fields to look at.
    pub(super) fn fields(mut self, names: Vec<String>) -> Self {
        let one =
            |name: String| FieldError { detail: format!("{name} was not accepted"), pointer: name, code: self.code };
        self.errors = names.into_iter().map(one).collect();
        self
    }

    /// Adds a header to the answer.
    pub(super) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The answer.
    pub(super) fn render(&self, rendering: Rendering) -> Response {
        let mut response = match (rendering, &self.documented) {
            (Rendering::Problem, _) => {
                let body = ProblemBody {
                    r#type: format!("urn:keyferry:problem:{}", self.code),
                    title: self.status.canonical_reason().unwrap_or("Error"),
                    status: self.status.as_u16(),
                    code: self.code,
                    detail: self.detail.as_deref().unwrap_or(&self.message),
                    errors: &self.errors,
                };
                let mut response = json(self.status, &body);
                response
                    .headers_mut()
                    .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
                response
            }
            (Rendering::Documented, Documented::Bare) => json(StatusCode::OK, &BareBody { error: &self.message }),
            (Rendering::Documented, Documented::Short { status, error }) => {
                json(*status, &ShortBody { error, message: &self.message })
            }
            (Rendering::Documented, Documented::Envelope { status, error, kind }) => {
                let name = || status.canonical_reason().unwrap_or("ERROR").to_uppercase().replace([' ', '-'], "_");
                let body = EnvelopeBody {
                    status_code: status.as_u16(),
                    http_error_type: &kind.map_or_else(name, str::to_owned),
                    error,
                    message: &self.message,
                };
                json(*status, &body)
            }
        };
        let headers = response.headers_mut();
        if let Some(wait) = self.retry_after {
            // Rounded up: asking a moment too early would be turned away again.
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        headers.extend(self.headers.iter().cloned());
        response.extensions_mut().insert(FailureCode(self.code));
        response
    }
}

/// The stable code of a failed answer, for the access log.
#[derive(Debug, Clone, Copy)]
pub(super) struct FailureCode(pub(super) &'static str);

/// A JSON answer.
pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Response {
    match serde_json::to_vec(body) {
        Ok(bytes) => {
            let content_type = HeaderValue::from_static("application/json; charset=utf-8");
            (status, [(header::CONTENT_TYPE, content_type)], bytes).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "an answer could not be written as JSON");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_given_only_where_it_is_asked_for() {
        let cases = [
            ("application/problem+json", Rendering::Problem),
            ("application/json, Application/Problem+JSON;q=0.5", Rendering::Problem),
            ("application/problem+json;q=0", Rendering::Documented),
            ("application/json, text/plain, */*", Rendering::Documented),
            ("", Rendering::Documented),
        ];
        for (accept, expected) in cases {
            let headers = HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(accept))]);
            assert_eq!(Rendering::of(&headers), expected, "{accept}");
        }
    }
}
