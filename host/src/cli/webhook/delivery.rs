//! A delivery as it is printed: a line for people, or JSON for programs.

use owo_colors::{OwoColorize as _, Stream::Stdout};
use serde::Serialize;
use serde_json::Value;

/// The most characters of a text in a line.
const LONGEST: usize = 100;

/// A request that was received.
#[derive(Debug, Serialize)]
pub(super) struct Delivery {
    pub(super) received_at: String,
    pub(super) event: Option<String>,
    pub(super) linked_account_id: Option<String>,
    pub(super) slug: Option<String>,
    pub(super) environment: Option<String>,
    pub(super) signature: Signature,
    /// The number of the attempt, from 1.
    pub(super) attempt: Option<u32>,
    /// The same in each attempt.
    pub(super) idempotency_key: Option<String>,
    /// The status that was responded.
    pub(super) responded: u16,
    /// The body, if it is JSON.
    pub(super) body: Value,
}

/// Whether a delivery is signed with the webhook's secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Signature {
    Valid,
    Invalid,
    Missing,
}

impl Delivery {
    /// The line for people: `2026-11-30T09:14:28Z  Connection Created  user_1  hubspot  signature valid  attempt 1  responded 200`.
    pub(super) fn line(&self) -> String {
        let text = |text: &Option<String>| clean(text.as_deref().unwrap_or("-"));
        let signature = match self.signature {
            Signature::Valid => "valid".if_supports_color(Stdout, |text| text.green()).to_string(),
            Signature::Invalid => "INVALID".if_supports_color(Stdout, |text| text.red()).to_string(),
            Signature::Missing => "MISSING".if_supports_color(Stdout, |text| text.red()).to_string(),
        };
        let attempt = self.attempt.map_or("-".to_owned(), |attempt| attempt.to_string());
        [
            self.received_at.clone(),
            text(&self.event),
            text(&self.linked_account_id),
            text(&self.slug),
            format!("signature {signature}"),
            format!("attempt {attempt}"),
            format!("responded {}", self.responded),
        ]
        .join("  ")
    }
}

/// A text of a stranger for a terminal, without control characters.
fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_what_matters_and_no_control_characters() {
        let delivery = Delivery {
            received_at: "2026-11-30T09:14:28Z".to_owned(),
            event: Some("Connection Created".to_owned()),
            linked_account_id: Some("user\u{1b}[2J".to_owned()),
            slug: None,
            environment: Some("test".to_owned()),
            signature: Signature::Invalid,
            attempt: Some(2),
            idempotency_key: None,
            responded: 500,
            body: Value::Null,
        };
        let expected =
            "2026-11-30T09:14:28Z  Connection Created  user\u{fffd}[2J  -  signature INVALID  attempt 2  responded 500";
        assert_eq!(delivery.line(), expected);
        assert_eq!(serde_json::to_value(&delivery).unwrap()["signature"], "invalid");
    }
}
