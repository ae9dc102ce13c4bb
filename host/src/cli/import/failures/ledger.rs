//! The failed rows of an import, as the server's ledger has them.

use std::collections::BTreeMap;

use http::Method;
use serde_json::Value;

use crate::cli::api_client::ApiClient;
use crate::cli::error::CliError;
use crate::cli::members::{number, text};

/// The beginning of the detail of a row that repeats another one.
const REPEATS: &str = "row ";

/// A failed row of the ledger.
#[derive(Default)]
pub(super) struct FailedRow {
    pub(super) line: u64,
    pub(super) account: String,
    pub(super) slug: String,
    pub(super) code: String,
    pub(super) detail: String,
    pub(super) fields: String,
    pub(super) warnings: String,
}

impl FailedRow {
    fn from_json(row: &Value) -> Self {
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

    /// The number of the row for the same account and app, if this is a repetition.
    pub(super) fn repeats(&self) -> Option<u64> {
        let detail = (self.code == "duplicate_row").then_some(self.detail.strip_prefix(REPEATS)?)?;
        detail.split(' ').next()?.parse().ok()
    }

    /// The columns that are added to the row in the file of failed rows.
    pub(super) fn columns(&self, number: u64) -> [(&'static str, String); 6] {
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
pub(super) async fn failed_rows(client: &ApiClient, id: &str) -> Result<BTreeMap<u64, FailedRow>, CliError> {
    let path = format!("/api/v2/public/imports/{id}/results?state=failed");
    let mut response = client.send(Method::GET, &path).await?.error_for_status().await?;
    let (mut failed, mut buffer) = (BTreeMap::new(), Vec::new());
    while let Some(data) = response.chunk().await? {
        buffer.extend_from_slice(&data);
        while let Some(end) = buffer.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = buffer.drain(..=end).collect();
            let row: Value = serde_json::from_slice(&line)?;
            failed.insert(number(&row, "row"), FailedRow::from_json(&row));
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
        let row = |outcome: &str, detail: &str| FailedRow::from_json(&json!({"outcome": outcome, "detail": detail}));
        assert_eq!(
            row("duplicate_row", "row 12 is for the same account and app; only that one is worked on").repeats(),
            Some(12)
        );
        assert_eq!(row("rejected", "row 12 is").repeats(), None);
        assert_eq!(row("duplicate_row", "it is for the same").repeats(), None);
    }
}
