//! Members of an import, as the API returns it.

use serde_json::Value;

/// A text; empty if there is none.
pub(super) fn text<'a>(import: &'a Value, name: &str) -> &'a str {
    import.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// A number; 0 if there is none.
pub(super) fn number(import: &Value, name: &str) -> u64 {
    import.get(name).and_then(Value::as_u64).unwrap_or_default()
}

/// The number of rows in a state.
pub(super) fn count(import: &Value, state: &str) -> u64 {
    import.get("counts").map_or(0, |counts| number(counts, state))
}
