//! Members of the JSON objects that the API returns.

use serde_json::Value;

/// The text of a member; empty if there is no such member or it is not a text.
pub(super) fn text<'a>(object: &'a Value, name: &str) -> &'a str {
    object.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// A number; 0 if there is none.
pub(super) fn number(object: &Value, name: &str) -> u64 {
    object.get(name).and_then(Value::as_u64).unwrap_or_default()
}

/// The number of an import's rows in a state.
pub(super) fn count(import: &Value, state: &str) -> u64 {
    import.get("counts").map_or(0, |counts| number(counts, state))
}
