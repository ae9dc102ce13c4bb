//! What each operation fails with, in both forms.

use std::collections::{BTreeMap, BTreeSet};

use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::error::problem::{Documented, ProblemType};
use crate::error::rendering::{PROBLEM_JSON, error_type};
use crate::openapi::headers;

/// The extension by which the description of a handler names what the handler fails with: problems, and lists of problems.
const PROBLEMS: &str = "x-problems";

/// Takes what an operation fails with off its description; `None` where the description does not say it.
fn taken_from(operation: &mut Map<String, Value>) -> Option<Vec<&'static ProblemType>> {
    fn collect(named: &Value, problems: &mut Vec<&'static ProblemType>) {
        match named {
            Value::Array(list) => list.iter().for_each(|named| collect(named, problems)),
            named => problems.extend(named.as_str().and_then(ProblemType::named)),
        }
    }
    let mut problems = Vec::new();
    collect(&operation.remove(PROBLEMS)?, &mut problems);
    Some(problems)
}

/// The documentation of one status.
#[derive(Default)]
struct StatusDocs {
    lines: Vec<String>,
    /// The values of the envelope's `type`.
    types: BTreeSet<String>,
    errors: BTreeSet<&'static str>,
    has_short: bool,
    has_bare: bool,
    /// The problems' codes.
    codes: BTreeSet<&'static str>,
    has_retry_after: bool,
    has_verdict: bool,
}

/// Adds all failures of an operation to its responses.
pub(super) fn add_to(operation: &mut Map<String, Value>) {
    let mut by_status: BTreeMap<u16, StatusDocs> = BTreeMap::new();
    for kind in taken_from(operation).unwrap_or_default() {
        let documented = match kind.documented {
            Documented::Bare => StatusCode::OK,
            Documented::Envelope { status, .. } | Documented::Short { status, .. } => status,
        };
        let (line, other) = (format!("- `{}`: {}", kind.code, kind.about), documented != kind.status);
        let note = |is_problem: bool| match (other, is_problem) {
            (false, _) => line.clone(),
            (true, false) => format!("{line} As a problem: {}.", kind.status.as_u16()),
            (true, true) => format!("{line} In the documented shape: {}.", documented.as_u16()),
        };
        let entry = by_status.entry(documented.as_u16()).or_default();
        entry.note(kind, note(false));
        match kind.documented {
            Documented::Bare => entry.has_bare = true,
            Documented::Short { .. } => entry.has_short = true,
            Documented::Envelope { status, kind: http_error_type, error } => {
                entry.types.insert(http_error_type.map_or_else(|| error_type(status), str::to_owned));
                entry.errors.insert(error);
            }
        }
        let entry = by_status.entry(kind.status.as_u16()).or_default();
        entry.codes.insert(kind.code);
        entry.note(kind, note(true));
    }
    let has_key = by_status.contains_key(&StatusCode::UNAUTHORIZED.as_u16());
    let Some(Value::Object(responses)) = operation.get_mut("responses") else { return };
    for (status, docs) in by_status {
        let response = responses.entry(status.to_string()).or_insert_with(|| json!({ "description": "" }));
        if let Value::Object(response) = response {
            docs.add_to(status, response);
        }
    }
    for response in responses.values_mut().filter_map(Value::as_object_mut) {
        headers::on_every_response(response, has_key);
    }
}

impl StatusDocs {
    fn note(&mut self, kind: &ProblemType, line: String) {
        if !self.lines.contains(&line) {
            self.lines.push(line);
        }
        self.has_retry_after |= kind.has_retry_after();
        self.has_verdict |= kind.has_verdict();
    }

    fn add_to(self, status: u16, response: &mut Map<String, Value>) {
        let before = response.get("description").and_then(Value::as_str).unwrap_or_default().to_owned();
        let lead = match (before.as_str(), status) {
            ("", _) => String::new(),
            (text, 200) => {
                format!("{text} Or the content is not valid (`error`), which the documented product says so:\n\n")
            }
            (text, _) => format!("{text}\n\n"),
        };
        response.insert("description".to_owned(), json!(lead + &self.lines.join("\n")));
        let mut shapes = Vec::new();
        if self.has_bare {
            shapes.push(reference("ContentError"));
        }
        if self.has_short {
            shapes.push(reference("ShortError"));
        }
        if !self.types.is_empty() {
            shapes.push(narrowed(
                "Error",
                json!({
                    "status_code": { "const": status },
                    "http_error_type": { "enum": self.types },
                    "error": { "enum": self.errors },
                }),
            ));
        }
        let Value::Object(content) = response.entry("content").or_insert_with(|| json!({})) else { return };
        if let Some(success) = content.get("application/json").and_then(|media| media.get("schema")).cloned() {
            shapes.insert(0, success);
        }
        let schema = match shapes.len() {
            0 => None,
            1 => shapes.pop(),
            _ => Some(json!({ "anyOf": shapes })),
        };
        if let Some(schema) = schema {
            content.insert("application/json".to_owned(), json!({ "schema": schema }));
        }
        if !self.codes.is_empty() {
            let problem = narrowed("Problem", json!({ "status": { "const": status }, "code": { "enum": self.codes } }));
            content.insert(PROBLEM_JSON.to_owned(), json!({ "schema": problem }));
        }
        headers::on_failures(response, self.has_retry_after, self.has_verdict);
    }
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// A component with more said of its members. Keywords beside a reference count for validators; generators of a client look
/// past it, and have one type of failure instead of one for each operation and status.
fn narrowed(name: &str, properties: Value) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}"), "properties": properties })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::problem;
    use crate::openapi::operations::{id, operations};
    use crate::routes::routes;

    #[test]
    fn it_is_known_of_every_operation_how_it_fails_and_no_kind_is_left_out() {
        let mut document = serde_json::to_value(routes().into_openapi()).unwrap();
        let mut known = Vec::new();
        for operation in operations(&mut document) {
            known.extend(taken_from(operation).unwrap_or_else(|| panic!("{} is not known", id(operation))));
        }
        // These are no operation's: a path that is not there, a method that a path does not take, a request with two readings.
        known.extend([&problem::NO_SUCH_ROUTE, &problem::METHOD_NOT_ALLOWED]);
        known.extend([&problem::INVALID_HOST, &problem::UNSUPPORTED_TRANSFER_ENCODING]);
        for kind in problem::ALL {
            assert!(
                known.iter().any(|other| std::ptr::eq(*other, *kind)),
                "{} ({}) is documented nowhere",
                kind.code,
                kind.about
            );
        }
    }
}
