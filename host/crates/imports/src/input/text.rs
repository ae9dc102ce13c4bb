//! Texts as values of rows.

use keyferry_schema::Input;
use keyferry_types::secret::{Secret, SharedSecret};

/// A text, or a number as text.
pub(super) fn text_of(value: &Input) -> Option<&str> {
    match value {
        Input::Text(text) => Some(text.expose().trim()),
        Input::Number(digits) => Some(digits.expose()),
        Input::Null | Input::Bool(_) | Input::Array(_) | Input::Object(_) => None,
    }
}

/// A value of this text.
pub(super) fn text(value: &str) -> Input {
    Input::Text(SharedSecret::new(Secret::new(value)))
}
