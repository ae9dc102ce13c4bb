//! The two forms of an error: the documented product's own, and an RFC 9457 problem where the caller sends
//! `Accept: application/problem+json`.

use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::api_error::{ApiError, FieldError};
use crate::error::problem::Documented;
use crate::responses::json::Json;

/// The media type of a problem.
pub(crate) const PROBLEM_JSON: &str = "application/problem+json";

/// Which of the two forms a caller wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rendering {
    /// The documented form, and the default.
    Documented,
    /// `application/problem+json`.
    Problem,
}

/// Gives a response that is an error its status and body in the form that the request asks for.
pub(crate) async fn layer<F: Future<Output = Response>>(request: Request, next: impl FnOnce(Request) -> F) -> Response {
    let rendering = Rendering::from_headers(request.headers());
    let mut response = next(request).await;
    let Some(error) = response.extensions_mut().remove::<ApiError>() else { return response };
    let (head, body) = error.render(rendering).into_parts();
    *response.status_mut() = head.status;
    *response.body_mut() = body;
    response.headers_mut().extend(head.headers);
    response.extensions_mut().insert(FailureCode(error.kind.code));
    response
}

/// The stable code of an error response, for the access log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FailureCode(pub(crate) &'static str);

impl Rendering {
    /// What the `Accept` header asks for.
    fn from_headers(headers: &HeaderMap) -> Self {
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
    /// Status, content type and body.
    fn render(&self, rendering: Rendering) -> Response {
        match (rendering, self.kind.documented) {
            (Rendering::Problem, _) => {
                let body = ProblemBody {
                    r#type: format!("urn:keyferry:problem:{}", self.kind.code),
                    title: self.kind.status.canonical_reason().unwrap_or("Error"),
                    status: self.kind.status.as_u16(),
                    code: self.kind.code,
                    detail: self.detail.as_deref().unwrap_or(&self.message),
                    errors: &self.errors,
                };
                let content_type = HeaderValue::from_static(PROBLEM_JSON);
                (self.kind.status, [(header::CONTENT_TYPE, content_type)], Json(&body)).into_response()
            }
            (Rendering::Documented, Documented::Bare) => Json(BareBody { error: &self.message }).into_response(),
            (Rendering::Documented, Documented::Short { status, error }) => {
                (status, Json(ShortBody { error, message: &self.message })).into_response()
            }
            (Rendering::Documented, Documented::Envelope { status, error, kind }) => {
                let http_error_type = kind.map_or_else(|| error_type(status), str::to_owned);
                let body = EnvelopeBody {
                    status_code: status.as_u16(),
                    http_error_type: &http_error_type,
                    error,
                    message: &self.message,
                };
                (status, Json(body)).into_response()
            }
        }
    }
}

/// A status's name as the documented envelope has it: `BAD_REQUEST`.
pub(crate) fn error_type(status: StatusCode) -> String {
    status.canonical_reason().unwrap_or("ERROR").to_uppercase().replace([' ', '-'], "_")
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
            assert_eq!(Rendering::from_headers(&headers), expected, "{accept}");
        }
    }
}
