//! Every failure in its two renderings: the documented product's own shapes, and an RFC 9457 problem where the caller
//! sends `Accept: application/problem+json`.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::problem_type::{self as kind, Documented, ProblemType};
use keyferry_schema::Violations;

/// A handler's response, or its error in the rendering that the caller asks for.
pub(crate) async fn rendered(
    headers: &HeaderMap,
    answer: impl Future<Output = Result<Response, ApiError>>,
) -> Response {
    answer.await.unwrap_or_else(|failure| failure.render(Rendering::of(headers)))
}

/// The media type of a problem.
pub(crate) const PROBLEM_JSON: &str = "application/problem+json";

/// Which of the two renderings a caller wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rendering {
    /// The documented shapes, and the default.
    Documented,
    /// `application/problem+json`.
    Problem,
}

impl Rendering {
    /// What the `Accept` header asks for.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let wants_problem =
            headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).any(|value| {
                value.split(',').any(|range| {
                    let mut parts = range.split(';').map(str::trim);
                    let is_problem = parts.next().is_some_and(|t| t.eq_ignore_ascii_case(PROBLEM_JSON));
                    is_problem && !parts.any(|parameter| matches!(parameter, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
                })
            });
        if wants_problem { Self::Problem } else { Self::Documented }
    }
}

/// The error of one request.
#[derive(Debug)]
pub(crate) struct ApiError {
    kind: &'static ProblemType,
    message: String,
    /// The problem's `detail`, where it can say more plainly what the documented message has to say in its own form.
    detail: Option<String>,
    errors: Vec<FieldError>,
    retry_after: Option<Duration>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// One thing that is wrong with a request's content.
#[derive(Debug, Serialize, ToSchema)]
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

/// A failure in the documented product's shape.
#[derive(Serialize, ToSchema)]
#[schema(as = Error)]
pub(crate) struct EnvelopeBody<'a> {
    /// The status of the response.
    #[schema(value_type = u16, minimum = 400, maximum = 599)]
    status_code: u16,
    /// The status's name, or another word of the documented product's.
    #[schema(value_type = String, example = "BAD_REQUEST")]
    http_error_type: &'a str,
    /// The documented product's own code.
    #[schema(value_type = String, example = "SERVER_ERROR")]
    error: &'a str,
    /// The error in words.
    #[schema(value_type = String)]
    message: &'a str,
}

/// An error in the form of a few of the documented product's services.
#[derive(Serialize, ToSchema)]
#[schema(as = ShortError)]
pub(crate) struct ShortBody<'a> {
    /// The documented product's own code.
    #[schema(value_type = String, example = "SERVER_ERROR")]
    error: &'a str,
    /// The error in words.
    #[schema(value_type = String)]
    message: &'a str,
}

/// A request that was understood and whose content is not valid. The documented product answers it with **200**.
#[derive(Serialize, ToSchema)]
#[schema(as = ContentError)]
pub(crate) struct BareBody<'a> {
    /// All that is wrong, for people.
    #[schema(value_type = String)]
    error: &'a str,
}

/// A failure as an RFC 9457 problem.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemBody<'a> {
    /// `urn:keyferry:problem:` and the code.
    #[schema(format = "uri", pattern = "^urn:keyferry:problem:[a-z_]+$")]
    r#type: String,
    /// The reason phrase of the status.
    #[schema(value_type = String, example = "Unprocessable Content")]
    title: &'a str,
    /// The status of the response.
    #[schema(value_type = u16, minimum = 400, maximum = 599)]
    status: u16,
    /// What happened, for programs. Codes are stable; new ones can come.
    #[schema(value_type = String, example = "credentials_rejected")]
    code: &'a str,
    /// The error in words.
    #[schema(value_type = String)]
    detail: &'a str,
    /// All that is wrong, one by one, where several things can be.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schema(value_type = Vec<FieldError>, required = false)]
    errors: &'a [FieldError],
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
        Self { errors: errors.collect(), ..Self::new(&kind::INVALID_CONTENT, violations.to_string()) }
    }

    /// The same for a body that consists of the fields of this auth type.
    pub(crate) fn flat_violations(violations: &Violations, auth_type: &str) -> Self {
        let prefix = format!("auth_object.{auth_type}");
        let field = |place: &str| match place.strip_prefix(&prefix) {
            Some(rest) => rest.trim_start_matches('.').to_owned(),
            None => String::new(),
        };
        let told = violations.list().iter().map(|violation| {
            let field = field(&violation.place);
            let place = if field.is_empty() { "the body" } else { &field };
            let detail = format!("{place} {}", violation.message);
            FieldError { pointer: pointer(&field), code: violation.code.as_str(), detail }
        });
        let errors: Vec<_> = told.collect();
        let message = errors.iter().map(|error| error.detail.as_str()).collect::<Vec<_>>().join("; ");
        Self { errors, ..Self::new(&kind::INVALID_CONTENT, message) }
    }

    /// Credentials that did not verify.
    pub(crate) fn verification(kind: &'static ProblemType, detail: &str) -> Self {
        let message = format!("Failed to verify credentials: {detail}");
        Self::new(kind, message).detail(detail.to_owned())
    }

    /// No API key, or one that is not known.
    pub(crate) fn unauthorized() -> Self {
        Self::new(&kind::INVALID_API_KEY, "Invalid Credentials")
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
        Self::new(&kind::INTERNAL, message)
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

    /// Renders the error as a response.
    pub(crate) fn render(&self, rendering: Rendering) -> Response {
        let mut response = match (rendering, self.kind.documented) {
            (Rendering::Problem, _) => {
                let body = ProblemBody {
                    r#type: format!("urn:keyferry:problem:{}", self.kind.code),
                    title: self.kind.status.canonical_reason().unwrap_or("Error"),
                    status: self.kind.status.as_u16(),
                    code: self.kind.code,
                    detail: self.detail.as_deref().unwrap_or(&self.message),
                    errors: &self.errors,
                };
                let mut response = json(self.kind.status, &body);
                response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
                response
            }
            (Rendering::Documented, Documented::Bare) => json(StatusCode::OK, &BareBody { error: &self.message }),
            (Rendering::Documented, Documented::Short { status, error }) => {
                json(status, &ShortBody { error, message: &self.message })
            }
            (Rendering::Documented, Documented::Envelope { status, error, kind }) => {
                let http_error_type = kind.map_or_else(|| error_type(status), str::to_owned);
                let body = EnvelopeBody {
                    status_code: status.as_u16(),
                    http_error_type: &http_error_type,
                    error,
                    message: &self.message,
                };
                json(status, &body)
            }
        };
        let headers = response.headers_mut();
        if let Some(wait) = self.retry_after {
            // Rounded up: asking a moment too early would be turned away again.
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        headers.extend(self.headers.iter().cloned());
        response.extensions_mut().insert(FailureCode(self.kind.code));
        response
    }
}

/// A place such as `auth_object.oauth2` as a JSON pointer. The empty place is the whole body.
fn pointer(place: &str) -> String {
    let escaped = place.replace('~', "~0").replace('/', "~1").replace('.', "/");
    if escaped.is_empty() { escaped } else { format!("/{escaped}") }
}

/// A status's name as the documented envelope has it: `BAD_REQUEST`.
pub(crate) fn error_type(status: StatusCode) -> String {
    status.canonical_reason().unwrap_or("ERROR").to_uppercase().replace([' ', '-'], "_")
}

/// The stable code of an error response, for the access log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FailureCode(pub(crate) &'static str);

/// Builds a JSON response.
pub(crate) fn json(status: StatusCode, body: &impl Serialize) -> Response {
    match serde_json::to_vec(body) {
        Ok(bytes) => {
            let content_type = HeaderValue::from_static("application/json; charset=utf-8");
            (status, [(header::CONTENT_TYPE, content_type)], bytes).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "a response could not be written as JSON");
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
