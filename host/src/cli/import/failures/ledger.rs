//! What the server says of the rows of an import that failed.

use std::collections::BTreeMap;

use http::Method;
use http_body_util::BodyExt as _;
use serde_json::Value;

use super::super::super::CliError;
use super::super::super::client::Server;
use super::super::follow::{number, text};

/// How the detail of a row begins that repeats another one.
const REPEATS: &str = "row ";

/// A failed row of the ledger.
#[derive(Default)]
pub(super) struct Failed {
    pub(super) line: u64,
    pub(super) account: String,
    pub(super) slug: String,
    pub(super) code: String,
    pub(super) detail: String,
    pub(super) fields: String,
    pub(super) warnings: String,
}

impl Failed {
    fn of(row: &Value) -> Self {
        let own = |name: &str| text(row, name).to_owned();
        let list = |name: &str, separator: &str| {
            let items = row.get(name).and_then(Value::as_array).into_iter().flatten();
            items.filter_map(Value::as_str).collect::<Vec<_>>().join(separator)
        };
        Self {
            line: number(row, "line"),
            account: own("linked_account_id"),
            slug: own("slug"),
            code: own("outcome"),
            detail: own("detail"),
            fields: list("fields", " "),
            warnings: list("warnings", "; "),
        }
    }

    /// The row that this one is for the same account and app as.
    pub(super) fn repeats(&self) -> Option<u64> {
        let detail = (self.code == "duplicate_row").then_some(self.detail.strip_prefix(REPEATS)?)?;
        detail.split(' ').next()?.parse().ok()
    }

    /// What is written beside the row, by the names that it has there.
    pub(super) fn about(&self, number: u64) -> [(&'static str, String); 6] {
        [
            ("keyferry_row", number.to_string()),
            ("keyferry_line", self.line.to_string()),
            ("keyferry_code", self.code.clone()),
            ("keyferry_detail", self.detail.clone()),
            ("keyferry_fields", self.fields.clone()),
            ("keyferry_warnings", self.warnings.clone()),
        ]
    }
}

/// Failed rows of the ledger, by their numbers.
pub(super) async fn failed(server: &Server, id: &str) -> Result<BTreeMap<u64, Failed>, CliError> {
    let path = format!("/api/v2/public/imports/{id}/results?state=failed");
    let mut answer = server.send(Method::GET, &path).await?.good().await?;
    let (mut failed, mut buffer) = (BTreeMap::new(), Vec::new());
    while let Some(frame) = answer.response.body_mut().frame().await {
        if let Ok(data) = frame?.into_data() {
            buffer.extend_from_slice(&data);
        }
        while let Some(end) = buffer.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = buffer.drain(..=end).collect();
            let row: Value = serde_json::from_slice(&line)?;
            failed.insert(number(&row, "row"), Failed::of(&row));
        }
    }
    Ok(failed)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_row_that_repeats_another_one_says_which() {
        let row = |outcome: &str, detail: &str| Failed::of(&json!({"outcome": outcome, "detail": detail}));
        assert_eq!(
            row("duplicate_row", "row 12 is for the same account and app; only that one is worked on").repeats(),
            Some(12)
        );
        assert_eq!(row("rejected", "row 12 is").repeats(), None);
        assert_eq!(row("duplicate_row", "it is for the same").repeats(), None);
    }
}
