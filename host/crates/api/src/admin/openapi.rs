//! The operator's API in OpenAPI 3.1, made of the operations themselves.

use serde_json::{Map, Value, json};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::operations::{Operation, Verb};

/// A description that operations are added to.
pub(super) struct Description {
    paths: Map<String, Value>,
    schemas: Map<String, Value>,
}

impl Description {
    pub(super) fn new() -> Self {
        let problem = json!({
            "type": "object",
            "description": "A failure (RFC 9457).",
            "required": ["type", "title", "status", "code", "detail"],
            "properties": {
                "type": { "type": "string", "pattern": "^urn:keyferry:problem:[a-z_]+$" },
                "title": { "type": "string", "description": "The status's name." },
                "status": { "type": "integer", "minimum": 400, "maximum": 599 },
                "code": { "type": "string", "description": "Stable, for programs. New ones can come." },
                "detail": { "type": "string", "description": "What happened, and what to do next." },
            },
        });
        Self { paths: Map::new(), schemas: Map::from_iter([("Problem".to_owned(), problem)]) }
    }

    /// Adds an operation with all that it consists of.
    pub(super) fn add<O: Operation>(&mut self) {
        let mut schemas = Vec::new();
        O::schemas(&mut schemas);
        O::Done::schemas(&mut schemas);
        self.schemas.extend(schemas.into_iter().map(|(name, schema)| (name, value(&schema))));

        let mut members = value(&O::schema());
        let description = members.get("description").cloned().unwrap_or_default();
        let in_path: Vec<&str> = O::ROUTE.in_path().collect();
        let required = |name: &str| {
            let required = members.get("required").and_then(Value::as_array);
            required.is_some_and(|required| required.iter().any(|known| known == name))
        };
        let properties = members.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
        let parameters: Vec<Value> = properties
            .iter()
            .filter(|(name, _)| in_path.contains(&name.as_str()) || O::ROUTE.verb == Verb::Read)
            .map(|(name, schema)| {
                let place = if in_path.contains(&name.as_str()) { "path" } else { "query" };
                json!({ "name": name, "in": place, "required": place == "path" || required(name), "schema": schema })
            })
            .collect();
        let answered = |description: &str, content: &str, schema: Value| json!({ "description": description, "content": { content: { "schema": schema } } });
        let problem = json!({ "$ref": "#/components/schemas/Problem" });
        let mut operation = json!({
            "operationId": O::ROUTE.id,
            "summary": description,
            "parameters": parameters,
            "responses": {
                "200": answered("The result of the operation.", "application/json", value(&O::Done::schema())),
                "default": answered("The error.", "application/problem+json", problem),
            },
        });
        if O::ROUTE.verb == Verb::Change {
            leave_out(&mut members, &in_path);
            let body = json!({ "required": false, "content": { "application/json": { "schema": members } } });
            if let Some(operation) = operation.as_object_mut() {
                operation.insert("requestBody".to_owned(), body);
            }
        }
        let method = O::ROUTE.verb.method().as_str().to_lowercase();
        if let Value::Object(item) = self.paths.entry(O::ROUTE.path).or_insert_with(|| json!({})) {
            item.insert(method, operation);
        }
    }

    /// Builds the OpenAPI document.
    pub(super) fn document(self) -> Value {
        let token = json!({
            "type": "http", "scheme": "bearer",
            "description": "What the file of `--admin-token-file` holds. Not on the socket.",
        });
        json!({
            "openapi": "3.1.0",
            "info": {
                "title": "Keyferry for operators",
                "version": env!("CARGO_PKG_VERSION"),
                "description": "On a Unix socket in the data folder that only its owner can use, without a token; and where the server was \
                    told to, on an address, with the operator's token. API keys of organisations do not count here. Members \
                    that are not known are refused.",
                "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
            },
            "servers": [{ "url": "/", "description": "`admin.sock` in the data folder, or the address of `--admin-listen`." }],
            "paths": self.paths,
            "security": [{}, { "operator_token": [] }],
            "components": { "schemas": self.schemas, "securitySchemes": { "operator_token": token } },
        })
    }
}

/// Every schema becomes JSON.
fn value(schema: &RefOr<Schema>) -> Value {
    serde_json::to_value(schema).unwrap_or_default()
}

fn leave_out(schema: &mut Value, names: &[&str]) {
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        properties.retain(|name, _| !names.contains(&name.as_str()));
    }
    if let Some(Value::Array(required)) = schema.get_mut("required") {
        required.retain(|name| !names.iter().any(|known| name == known));
    }
}
