//! Parameters of a query that an operation does not have. Most are ignored, as the documented product ignores them, and a header of
//! the response names them: a misspelled `limit` otherwise looks like a server that does not know its own parameters.

use std::collections::{HashMap, HashSet};

use axum::extract::{MatchedPath, Request};
use axum::response::Response;
use http::{HeaderName, HeaderValue, Method};
use serde_json::Value;
use url::form_urlencoded;

use crate::handlers::credentials;
use crate::request::account_name::is_account;
use keyferry_types::echo::safe_list;

static IGNORED: HeaderName = HeaderName::from_static("keyferry-ignored-parameters");
/// Names that one response lists.
const MOST: usize = 8;

/// The parameters of the query of each operation, by method and path pattern.
pub(crate) struct KnownParameters(HashMap<(Method, String), Vec<String>>);

impl KnownParameters {
    /// Those that an OpenAPI document describes.
    pub(crate) fn from_document(document: &Value) -> Self {
        let paths = document.get("paths").and_then(Value::as_object).into_iter().flatten();
        let operations = paths.flat_map(|(path, item)| {
            let methods = item.as_object().into_iter().flatten();
            methods.filter_map(move |(method, operation)| {
                let method = Method::from_bytes(method.to_ascii_uppercase().as_bytes()).ok()?;
                Some(((method, path.clone()), in_query(operation)))
            })
        });
        Self(operations.collect())
    }

    /// The names in a request's query that its operation does not have.
    fn ignored(&self, request: &Request) -> Option<HeaderValue> {
        let query = request.uri().query().filter(|query| !query.is_empty())?;
        let matched = request.extensions().get::<MatchedPath>()?.as_str();
        let is_credential = credentials::addressed(request.uri(), "credentials").is_some();
        let method = match *request.method() {
            Method::HEAD => Method::GET,
            ref method => method.clone(),
        };
        // To the router, what is below an account's id is the id.
        let path = if is_credential && method == Method::GET { credentials::PATH } else { matched };
        let known = self.0.get(&(method, path.to_owned()))?;
        let mut seen = HashSet::new();
        let names: Vec<_> = form_urlencoded::parse(query.as_bytes())
            .map(|(name, _)| name)
            .filter(|name| !is_account(name) && !known.iter().any(|known| known == name))
            .filter(|name| seen.insert(name.clone()))
            .take(MOST)
            .collect();
        if names.is_empty() {
            return None;
        }
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        HeaderValue::from_str(&safe_list(names.iter().map(|name| &**name), &known)).ok()
    }
}

fn in_query(operation: &Value) -> Vec<String> {
    let parameters = operation.get("parameters").and_then(Value::as_array).into_iter().flatten();
    let in_query = parameters.filter(|parameter| parameter.get("in").is_some_and(|place| place == "query"));
    in_query.filter_map(|parameter| parameter.get("name").and_then(Value::as_str).map(str::to_owned)).collect()
}

/// Names the ignored parameters of a request in its response.
pub(crate) async fn layer<F: Future<Output = Response>>(
    known: &KnownParameters,
    request: Request,
    next: impl FnOnce(Request) -> F,
) -> Response {
    let ignored = known.ignored(&request);
    let mut response = next(request).await;
    if let Some(names) = ignored {
        response.headers_mut().insert(IGNORED.clone(), names);
    }
    response
}
