//! The operations of a document.

use serde_json::{Map, Value};

/// Every operation of a document.
pub(super) fn operations(document: &mut Value) -> impl Iterator<Item = &mut Map<String, Value>> {
    let paths =
        document.get_mut("paths").and_then(Value::as_object_mut).into_iter().flat_map(|paths| paths.values_mut());
    paths
        .filter_map(Value::as_object_mut)
        .flat_map(|item| item.values_mut())
        .filter_map(Value::as_object_mut)
        .filter(|operation| operation.contains_key("operationId"))
}

/// The operations of one HTTP method.
pub(super) fn operations_of<'a>(
    document: &'a mut Value,
    method: &'a str,
) -> impl Iterator<Item = &'a mut Map<String, Value>> {
    let paths =
        document.get_mut("paths").and_then(Value::as_object_mut).into_iter().flat_map(|paths| paths.values_mut());
    paths.filter_map(move |item| item.get_mut(method)).filter_map(Value::as_object_mut)
}

/// The id of an operation.
pub(super) fn id(operation: &Map<String, Value>) -> &str {
    operation.get("operationId").and_then(Value::as_str).unwrap_or_default()
}
