//! What stands in a request's path and query.

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query};

use super::failure::Failure;
use super::kind;

/// The parameter in a path, as the router found it.
pub(super) type InPath = Result<Path<String>, PathRejection>;
/// The query, as the router read it.
pub(super) type InQuery<T> = Result<Query<T>, QueryRejection>;

/// The path's parameter, percent-decoded.
pub(super) fn path(found: InPath) -> Result<String, Failure> {
    let Path(text) =
        found.map_err(|rejection| Failure::new(&kind::INVALID_PATH, format!("the path is not valid: {rejection}")))?;
    Ok(text)
}

/// The query. Parameters that are not known are ignored; known ones must be there once at most.
pub(super) fn query<T>(found: InQuery<T>) -> Result<T, Failure> {
    let Query(query) = found.map_err(|rejection| invalid_query(&rejection.to_string()))?;
    Ok(query)
}

/// A query that has a wrong value.
pub(super) fn invalid_query(problem: &str) -> Failure {
    Failure::new(&kind::INVALID_QUERY, format!("the query is not valid: {problem}"))
}
