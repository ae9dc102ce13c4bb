//! Requests to paths that are not there, or by methods that a path does not take.

use http::Method;

use crate::error::api_error::ApiError;
use crate::error::problem;
use crate::request::shown_target::{shown_method, shown_path};

/// The error for a path that the API does not have.
pub(crate) fn no_such_route(method: &Method, path: &str) -> ApiError {
    let message = format!("there is nothing at {} {}", shown_method(method), shown_path(path));
    ApiError::new(&problem::NO_SUCH_ROUTE, message)
}

/// The error for a method that a path does not take.
pub(crate) fn not_taken(method: &Method, path: &str) -> ApiError {
    let message = format!("{} is not possible at {}", shown_method(method), shown_path(path));
    ApiError::new(&problem::METHOD_NOT_ALLOWED, message)
}
