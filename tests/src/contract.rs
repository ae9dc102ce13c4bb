//! Compares the server's responses with the API's own description: status, content type, headers and body.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use jsonschema::Validator;
use keyferry_api::description_of;
use serde_json::{Map, Value, json};

use crate::http::Response;
use crate::or_fail::OrFail as _;

/// Prefixes of the response headers that the description has to name. HTTP defines the others.
const DESCRIBED: [&str; 6] = ["keyferry-", "idempotency-", "etag", "retry-after", "ratelimit", "x-request-id"];

/// A description of the API.
pub struct Contract {
    document: Value,
    /// Compiled schemas. Each is compiled once, because a test can have thousands of responses of one kind.
    validators: Mutex<HashMap<String, Arc<Validator>>>,
}

impl Contract {
    /// Reads an OpenAPI document.
    pub fn of(document: Value) -> Self {
        Self { document, validators: Mutex::default() }
    }

    /// The part of the description that every server has, independent of its apps.
    pub fn fixed() -> &'static Self {
        static FIXED: LazyLock<Contract> = LazyLock::new(|| Contract::of(description_of(&[])));
        &FIXED
    }

    /// The document.
    pub fn document(&self) -> &Value {
        &self.document
    }

    /// The described paths, each with its operations by method in upper case.
    pub fn paths(&self) -> Vec<(String, Vec<String>)> {
        let paths = self.document.get("paths").and_then(Value::as_object).or_fail("the document has paths");
        let methods =
            |item: &Value| item.as_object().into_iter().flatten().map(|(name, _)| name.to_uppercase()).collect();
        paths.iter().map(|(path, item)| (path.clone(), methods(item))).collect()
    }

    /// The operation that a request goes to, and its place in the document.
    fn operation(&self, method: &str, target: &str) -> Option<(String, &Value)> {
        let path = target.split(['?', '#']).next().unwrap_or_default();
        let paths = self.document.get("paths")?.as_object()?;
        // HEAD is GET without a response body.
        let method = if method == "HEAD" { "get".to_owned() } else { method.to_lowercase() };
        let fits = paths.iter().filter(|(pattern, item)| matches(pattern, path) && item.get(&method).is_some());
        // The most specific path wins: fixed segments count before a parameter that takes all that follows.
        let (pattern, item) = fits.max_by_key(|(pattern, _)| pattern.matches('/').count())?;
        Some((format!("{method} {pattern}"), item.get(&method)?))
    }

    /// Everything in the response to a request that the description does not have. Empty means that they agree.
    pub fn violations(&self, method: &str, target: &str, answer: &Response) -> Vec<String> {
        let mut found = Vec::new();
        if answer.header("x-request-id").is_none() {
            found.push("it has no X-Request-Id".to_owned());
        }
        // OpenAPI has no place for a method that the path does not support, or for OPTIONS.
        let is_refused = answer.status == 405 || (method == "OPTIONS" && answer.status == 204);
        if is_refused && answer.header("allow").is_some() {
            return found;
        }
        let Some((place, operation)) = self.operation(method, target) else {
            if answer.status != 404 {
                found.push(format!("status {} where nothing is described", answer.status));
            }
            return found;
        };
        let Some(response) = operation.get("responses").and_then(|all| all.get(answer.status.to_string())) else {
            found.push(format!("status {} is not described", answer.status));
            return found;
        };
        let place = format!("{place} {}", answer.status);
        self.check_headers(&place, response, answer, &mut found);
        if method == "HEAD" {
            return found;
        }
        if answer.status == 304 || response.get("content").is_none() {
            if !answer.body.is_empty() {
                found.push(format!("{} has a body that is not described", answer.status));
            }
            return found;
        }
        let essence = answer.header("content-type").unwrap_or_default().split(';').next().unwrap_or_default();
        match response.get("content").and_then(|content| content.get(essence)).and_then(|media| media.get("schema")) {
            // A schema describes one line of an NDJSON response, and the whole text of an event stream.
            Some(schema) => match essence {
                "application/x-ndjson" => {
                    for line in answer.text().lines() {
                        let line = serde_json::from_str(line).or_fail("read a line of JSON");
                        self.check(&format!("{place} {essence}"), schema, &line, &mut found);
                    }
                }
                "text/event-stream" => {}
                _ => self.check(&format!("{place} {essence}"), schema, &answer.json(), &mut found),
            },
            None => found.push(format!("the content type {essence:?} is not described")),
        }
        found
    }

    fn check_headers(&self, place: &str, response: &Value, answer: &Response, found: &mut Vec<String>) {
        let none = Map::new();
        let described = response.get("headers").and_then(Value::as_object).unwrap_or(&none);
        let known = |name: &str| described.keys().any(|known| known.eq_ignore_ascii_case(name));
        for (name, _) in &answer.headers {
            if DESCRIBED.iter().any(|ours| name.starts_with(ours)) && !known(name) {
                found.push(format!("the header {name} is not described"));
            }
        }
        for (name, header) in described {
            let header = self.resolved(header);
            match answer.header(name) {
                None if header.get("required") == Some(&Value::Bool(true)) => found.push(format!("{name} is missing")),
                None => {}
                Some(text) => {
                    let schema = header.get("schema").or_fail("a header has a schema");
                    let value = match text.parse::<u64>() {
                        Ok(number) if schema.get("type") == Some(&json!("integer")) => json!(number),
                        _ => json!(text),
                    };
                    self.check(&format!("{place} {name}"), schema, &value, found);
                }
            }
        }
    }

    /// The target of a reference, or the value itself.
    fn resolved<'a>(&'a self, value: &'a Value) -> &'a Value {
        let pointer = value.get("$ref").and_then(Value::as_str).and_then(|reference| reference.strip_prefix('#'));
        pointer.and_then(|pointer| self.document.pointer(pointer)).unwrap_or(value)
    }

    /// Validates a value against a schema of the document. `place` names the schema and is its key in the cache.
    fn check(&self, place: &str, schema: &Value, value: &Value, found: &mut Vec<String>) {
        let validator = self.validator(place, schema);
        found.extend(validator.iter_errors(value).map(|error| format!("{place} {}: {error}", error.instance_path())));
    }

    /// The compiled schema of the document at `place`.
    pub fn validator(&self, place: &str, schema: &Value) -> Arc<Validator> {
        let mut validators = self.validators.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(validator) = validators.get(place) {
            return Arc::clone(validator);
        }
        // References of a schema are relative to the whole document.
        let whole = json!({ "allOf": [schema], "components": self.document.get("components") });
        let options = jsonschema::options().with_draft(jsonschema::Draft::Draft202012).should_validate_formats(true);
        let validator = Arc::new(options.build(&whole).or_fail(format_args!("the schema of {place} can be compiled")));
        validators.insert(place.to_owned(), Arc::clone(&validator));
        validator
    }
}

/// Whether a path is of a pattern. A parameter is one segment, but for a linked account's id, which can have slashes.
fn matches(pattern: &str, path: &str) -> bool {
    let Some((before, rest)) = pattern.split_once('{') else { return pattern == path };
    let (Some(remaining), Some((name, after))) = (path.strip_prefix(before), rest.split_once('}')) else {
        return false;
    };
    let ends = (1..=remaining.len()).filter_map(|end| remaining.split_at_checked(end));
    ends.into_iter().any(|(value, left)| (name == "account" || !value.contains('/')) && matches(after, left))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn answer(status: u16, content_type: &str, body: &str) -> Response {
        let headers = [("content-type", content_type), ("x-request-id", "r")];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        Response { status, headers, body: body.into() }
    }

    #[test]
    fn an_answer_is_held_against_its_operation_and_what_is_not_described_is_told() {
        let contract = Contract::fixed();
        let path = "/api/v2/public/migrate-token?x=1";
        let good = r#"{"success":true,"message":"Token migrated successfully"}"#;
        let envelope = r#"{"status_code":401,"http_error_type":"UNAUTHORIZED","error":"SERVER_ERROR","message":"m"}"#;
        let cases = [
            ("PUT", path, answer(200, "application/json; charset=utf-8", good), ""),
            ("PUT", path, answer(401, "application/json", envelope), ""),
            ("PUT", path, answer(200, "text/plain", good), "content type"),
            ("PUT", path, answer(299, "application/json", good), "status 299"),
            ("PUT", path, answer(200, "application/json", r#"{"success":"yes"}"#), "anyOf"),
            ("PUT", path, answer(400, "application/json", envelope), "BAD_REQUEST"),
            ("POST", path, answer(404, "application/json", envelope), ""),
            ("POST", path, answer(405, "application/json", envelope), "nothing is described"),
            ("POST", path, answer(200, "application/json", good), "nothing is described"),
        ];
        for (method, target, answer, expected) in cases {
            let found = contract.violations(method, target, &answer).join("; ");
            assert!(found.contains(expected) && found.is_empty() == expected.is_empty(), "{expected:?}: {found}");
        }
        let mut bare = answer(200, "application/json", good);
        bare.headers = vec![
            ("content-type".to_owned(), "application/json".to_owned()),
            ("keyferry-new".to_owned(), "1".to_owned()),
            ("etag".to_owned(), "\"x\"".to_owned()),
        ];
        let found = contract.violations("PUT", path, &bare).join("; ");
        for expected in ["no X-Request-Id", "X-Request-Id is missing", "keyferry-new is not described", "ETag"] {
            assert!(found.contains(expected), "{expected}: {found}");
        }
    }

    #[test]
    fn the_path_that_says_most_is_the_one() {
        let contract = Contract::fixed();
        let of =
            |method: &str, target: &str| contract.operation(method, target).map(|(place, _)| place).unwrap_or_default();
        let accounts = "/api/v2/public/linked-account";
        assert_eq!(
            of("DELETE", &format!("{accounts}/integration/slack?a=b")),
            format!("delete {accounts}/integration/{{slug}}")
        );
        assert_eq!(of("DELETE", &format!("{accounts}/a/b@example.com")), format!("delete {accounts}/{{account}}"));
        let credentials = format!("{accounts}/a/b@x.com/integration/slack/credentials");
        assert_eq!(of("GET", &credentials), format!("get {accounts}/{{account}}/integration/{{slug}}/credentials"));
        assert_eq!(of("DELETE", &credentials), format!("delete {accounts}/{{account}}"));
        assert_eq!(of("HEAD", accounts), format!("get {accounts}"));
        assert_eq!(of("GET", "/nowhere"), "");
    }
}
