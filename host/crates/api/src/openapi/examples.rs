//! The documented exchanges. `examples.json` holds requests and their responses; a test sends each of them to a server and
//! compares.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::error::rendering::PROBLEM_JSON;
use crate::openapi::operations::{id, operations};

/// By operation, then by name.
type Exchanges = BTreeMap<String, BTreeMap<String, Exchange>>;

/// One request and its responses. In the document, the parts of a request and its responses share one name.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Exchange {
    /// The summary of the example.
    summary: String,
    /// The app without which it makes no sense.
    app: Option<String>,
    /// Whether the request has the documented form. Only the responses of another one are shown.
    #[serde(default = "yes")]
    fits: bool,
    /// Values of parameters, by location and name.
    #[serde(default)]
    parameters: BTreeMap<String, Map<String, Value>>,
    body: Option<Value>,
    /// The body's media type, if it is not JSON: the body is a text then.
    media_type: Option<String>,
    responses: Vec<ExampleResponse>,
}

/// A response, in one of the renderings.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExampleResponse {
    status: u16,
    /// Whether it is a problem, as `Accept: application/problem+json` asks for.
    #[serde(default)]
    problem: bool,
    /// Of several lines of JSON the first, and of several events the last.
    body: Value,
}

fn yes() -> bool {
    true
}

fn exchanges() -> &'static Exchanges {
    static READ: OnceLock<Exchanges> = OnceLock::new();
    // A file of the source, which a test parses.
    READ.get_or_init(|| serde_json::from_str(include_str!("examples.json")).unwrap_or_default())
}

/// Adds the examples to a document, but for those of apps that are not there.
pub(super) fn insert(document: &mut Value, has_app: impl Fn(&str) -> bool) {
    for operation in operations(document) {
        let Some(exchanges) = exchanges().get(id(operation)) else { continue };
        for (name, exchange) in exchanges {
            if exchange.app.as_deref().is_none_or(&has_app) {
                exchange.add_to(operation, name);
            }
        }
    }
}

impl Exchange {
    fn add_to(&self, operation: &mut Map<String, Value>, name: &str) {
        if self.fits {
            self.add_request(operation, name);
        }
        for shown in &self.responses {
            let response = operation.get_mut("responses").and_then(|all| all.get_mut(shown.status.to_string()));
            let content = response.and_then(|response| response.get_mut("content")?.as_object_mut());
            let mut content = content.into_iter().flatten();
            let media = content.find(|(media_type, _)| (*media_type == PROBLEM_JSON) == shown.problem);
            let media = media.and_then(|(_, media)| media.as_object_mut());
            let mut example = json!({ "summary": self.summary, "value": shown.body });
            if let (false, Some(members)) = (self.fits, example.as_object_mut()) {
                members.insert("x-request".to_owned(), json!({ "parameters": self.parameters, "body": self.body }));
            }
            if let Some(media) = media {
                put(media, name, example);
            }
        }
    }

    /// The parts of the request, each in its place.
    fn add_request(&self, operation: &mut Map<String, Value>, name: &str) {
        let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut);
        for parameter in parameters.into_iter().flatten().filter_map(Value::as_object_mut) {
            let text = |member: &str| parameter.get(member).and_then(Value::as_str).unwrap_or_default();
            let value = self.parameters.get(text("in")).and_then(|values| values.get(text("name")));
            if let Some(value) = value.cloned() {
                // One or the other, says OpenAPI.
                parameter.remove("example");
                put(parameter, name, json!({ "value": value }));
            }
        }
        if let Some(body) = &self.body {
            let media_type = self.media_type.as_deref().unwrap_or("application/json");
            let content = operation.get_mut("requestBody").and_then(|body| body.get_mut("content"));
            let media = content.and_then(|content| content.get_mut(media_type));
            if let Some(media) = media.and_then(Value::as_object_mut) {
                put(media, name, json!({ "summary": self.summary, "value": body }));
            }
        }
    }
}

fn put(place: &mut Map<String, Value>, name: &str, example: Value) {
    if let Value::Object(examples) = place.entry("examples").or_insert_with(|| json!({})) {
        examples.insert(name.to_owned(), example);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routes::description_of;

    #[test]
    fn every_part_of_every_exchange_finds_its_place_in_the_document() {
        let exchanges: Exchanges = serde_json::from_str(include_str!("examples.json")).unwrap();
        let mut document = description_of(&[]);
        insert(&mut document, |_| true);
        for operation in operations(&mut document) {
            let operation = Value::Object(operation.clone());
            for (name, exchange) in exchanges.get(operation["operationId"].as_str().unwrap()).into_iter().flatten() {
                let shown = operation.to_string().matches(&format!("\"{name}\":{{")).count();
                let values: usize = exchange.parameters.values().map(Map::len).sum();
                let request = if exchange.fits { values + usize::from(exchange.body.is_some()) } else { 0 };
                let parts = request + exchange.responses.len();
                assert_eq!(shown, parts, "{} {name}", operation["operationId"]);
            }
        }
        let known: Vec<_> = operations(&mut document).map(|operation| id(operation).to_owned()).collect();
        assert!(exchanges.keys().all(|operation| known.contains(operation)));
    }
}
