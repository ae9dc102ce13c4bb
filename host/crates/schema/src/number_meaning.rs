//! [`NumberMeaning`]: whether a number field is a moment, a duration or another number.

use super::model::Field;

/// The meaning of a number field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NumberMeaning {
    /// A moment: `expires_at`.
    Moment,
    /// A duration in seconds: `expires_in`.
    Duration,
    /// The name says neither moment nor duration.
    Anything,
}

impl Field {
    /// The meaning of a number field, from its name.
    pub(super) fn number_meaning(&self) -> NumberMeaning {
        let name = self.name.as_str().to_ascii_lowercase();
        let is_end = |end: &str| name.strip_suffix(end).is_some_and(|rest| rest.is_empty() || rest.ends_with('_'));
        let ends = |ends: &[&str]| ends.iter().any(|end| is_end(end));
        if ends(&["in", "ttl", "lifetime", "duration", "seconds"]) {
            NumberMeaning::Duration
        } else if ends(&[
            "at",
            "expiry",
            "expires",
            "expiration",
            "expires_on",
            "not_after",
            "expiry_date",
            "expiresat",
        ]) {
            NumberMeaning::Moment
        } else {
            NumberMeaning::Anything
        }
    }
}
