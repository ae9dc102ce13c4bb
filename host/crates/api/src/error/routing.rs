//! Requests to paths that are not there, or by methods that a path does not take.

use axum::response::Response;
use http::Method;

use crate::error::api_error::{ApiError, Rendering};
use crate::error::problem_type as kind;
use crate::request::shown_target::{shown_method, shown_path};

/// The error for a path that the API does not have.
pub(crate) fn no_such_route(method: &Method, path: &str, rendering: Rendering) -> Response {
    let message = format!("there is nothing at {} {}", shown_method(method), shown_path(path));
    ApiError::new(&kind::NO_SUCH_ROUTE, message).render(rendering)
}

/// A method that a path does not take.
pub(crate) fn not_taken(method: &Method, path: &str, rendering: Rendering) -> Response {
    let message = format!("{} is not possible at {}", shown_method(method), shown_path(path));
    ApiError::new(&kind::METHOD_NOT_ALLOWED, message).render(rendering)
}
