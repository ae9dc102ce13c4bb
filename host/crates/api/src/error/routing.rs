//! Requests to paths that are not there, or by methods that a path does not take.

use http::Method;
use serde_json::Value;
use strsim::osa_distance;

use crate::error::api_error::ApiError;
use crate::error::problem;
use crate::request::shown_target::{shown_method, shown_path};

/// Letters that can differ between a path and the one that it may stand for.
const MOST_TYPOS: usize = 3;

/// The paths that there are, each with its methods, as the router writes them.
pub(crate) struct KnownPaths(Vec<(String, Vec<String>)>);

impl KnownPaths {
    /// Those of an OpenAPI document.
    pub(crate) fn from_document(document: &Value) -> Self {
        let paths = document.get("paths").and_then(Value::as_object).into_iter().flatten();
        let methods =
            |item: &Value| item.as_object().into_iter().flatten().map(|(name, _)| name.to_uppercase()).collect();
        Self(paths.map(|(path, item)| (path.clone(), methods(item))).collect())
    }

    /// The methods of a path.
    pub(crate) fn methods(&self, path: &str) -> &[String] {
        self.0.iter().find(|(known, _)| known == path).map_or(&[], |(_, methods)| methods.as_slice())
    }

    /// The error for a path that the API does not have.
    pub(crate) fn no_such_route(&self, method: &Method, path: &str) -> ApiError {
        let hint = match self.nearest(path) {
            Some(known) => format!("is it {known}?"),
            None => "GET /openapi.json describes what there is".to_owned(),
        };
        let message = format!("there is nothing at {} {}; {hint}", shown_method(method), shown_path(path));
        ApiError::new(&problem::NO_SUCH_ROUTE, message)
    }

    /// The path that a wrong one may stand for: one with other letters, without its beginning, or with another before it.
    fn nearest(&self, wrong: &str) -> Option<&str> {
        let wrong = wrong.trim_end_matches('/').to_ascii_lowercase();
        if wrong.is_empty() || wrong.len() > 200 {
            return None;
        }
        let known = || self.0.iter().map(|(path, _)| path.as_str()).filter(|path| path.len() > 1);
        let by_typos = known().filter_map(|path| Some((typos(&wrong, path)?, path)));
        let nearest = by_typos.min_by_key(|(typos, _)| *typos).filter(|(typos, _)| *typos <= MOST_TYPOS);
        nearest.map(|(_, path)| path).or_else(|| known().find(|path| path.ends_with(&wrong) || wrong.ends_with(path)))
    }
}

/// The number of letters that differ, where both have the same number of segments. A parameter is like any segment.
fn typos(wrong: &str, known: &str) -> Option<usize> {
    if wrong.matches('/').count() != known.matches('/').count() {
        return None;
    }
    let pairs = wrong.split('/').zip(known.split('/')).filter(|(_, known)| !known.starts_with('{'));
    Some(pairs.map(|(wrong, known)| osa_distance(wrong, known)).sum())
}

/// The error for a method that a path does not take, and the methods that it takes.
pub(crate) fn not_taken<'a>(method: &Method, path: &str, taken: impl IntoIterator<Item = &'a str>) -> ApiError {
    // It is possible wherever GET is.
    let taken: Vec<&str> = taken.into_iter().filter(|method| *method != "HEAD").collect();
    let hint = match taken.split_last() {
        None => String::new(),
        Some((only, [])) => format!("; {only} is"),
        Some((last, others)) => format!("; {} and {last} are", others.join(", ")),
    };
    let message = format!("{} is not possible at {}{hint}", shown_method(method), shown_path(path));
    ApiError::new(&problem::METHOD_NOT_ALLOWED, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routes::description_of;

    #[test]
    fn the_path_that_a_wrong_one_may_stand_for_is_named() {
        let known = KnownPaths::from_document(&description_of(&[]));
        for (wrong, meant) in [
            ("/api/v2/public/migrate_token", Some("/api/v2/public/migrate-token")),
            ("/api/v2/public/Migrate-Token/", Some("/api/v2/public/migrate-token")),
            ("/api/v1/public/linked-account", Some("/api/v2/public/linked-account")),
            ("/api/v2/public/auth-structures/hubspot", Some("/api/v2/public/auth-structure/{slug}")),
            ("/migrate-token", Some("/api/v2/public/migrate-token")),
            ("/api/v2/api/v2/public/imports", Some("/api/v2/public/imports")),
            ("/healthz", None),
            ("/favicon.ico", None),
            ("/", None),
            ("//", None),
        ] {
            assert_eq!(known.nearest(wrong), meant, "{wrong}");
        }
    }

    #[test]
    fn the_methods_that_a_path_takes_are_named() {
        for (taken, expected) in [
            (&[][..], "POST is not possible at /livez"),
            (&["GET", "HEAD"], "POST is not possible at /livez; GET is"),
            (&["GET", "PUT", "DELETE"], "POST is not possible at /livez; GET, PUT and DELETE are"),
        ] {
            let failure = format!("{:?}", not_taken(&Method::POST, "/livez", taken.iter().copied()));
            assert!(failure.contains(&format!("\"{expected}\"")), "{failure}");
        }
    }
}
