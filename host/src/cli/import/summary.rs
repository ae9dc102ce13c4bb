//! The summary of an import, by app and outcome, and the exit code.

use comfy_table::{Cell, Color};
use serde_json::Value;

use super::members::{count, number, text};
use super::waiting;
use crate::cli::table::Table;
use crate::cli::term;

/// The exit code if the import ended and some rows failed.
const SOME_FAILED: u8 = 3;
/// The exit code if the import stopped before its end: on its own, or by request.
const STOPPED: u8 = 4;

/// Outcomes of rows that succeeded or had nothing to do.
const GOOD: [&str; 9] = [
    "created",
    "updated",
    "created_unverified",
    "updated_unverified",
    "verified",
    "exists",
    "not_newer",
    "removed",
    "put_back",
];

/// Prints the table, one line for each outcome of each app, and the import's state.
pub(super) fn print(import: &Value) {
    let apps = import.get("apps").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut table = Table::new(["app", "outcome", "rows"]);
    for app in apps {
        let slug = Some(text(app, "slug")).filter(|slug| !slug.is_empty()).unwrap_or("-");
        let mut line = |outcome: &str, color: Color, rows: u64| {
            if rows > 0 {
                table.add_row([Cell::new(slug), Cell::new(outcome).fg(color), Cell::new(rows)]);
            }
        };
        for (outcome, rows) in app.get("outcomes").and_then(Value::as_object).into_iter().flatten() {
            let color = if GOOD.contains(&outcome.as_str()) { Color::Green } else { Color::Red };
            line(outcome, color, rows.as_u64().unwrap_or_default());
        }
        line("not done", Color::Yellow, count(app, "queued"));
    }
    term::print(&table.to_string());
    for line in waiting::lines(import) {
        term::print(&line);
    }
    let reason = match text(import, "reason") {
        "" => String::new(),
        reason => format!(": {reason}"),
    };
    let ending = number(import, "ending_soon");
    if ending > 0 {
        let advice = text(import, "ending_soon_advice");
        term::print(&format!(
            "{ending} of {} rows have an OAuth access token that had ended or was to end within an hour, and no refresh token. To import \
             refresh tokens: {advice}",
            number(import, "rows")
        ));
    }
    let state = text(import, "state");
    let warned = number(import, "rows_with_warnings");
    if warned > 0 {
        let id = text(import, "id");
        term::print(&format!("{warned} rows have warnings: `keyferry imports results {id} --warnings` lists them"));
    }
    term::print(&format!("import {} is {state}{reason}; {} rows", text(import, "id"), number(import, "rows")));
}

/// The exit code: 0 on success, else that of the worst result.
pub(super) fn exit_code(import: &Value) -> u8 {
    match (text(import, "state"), count(import, "failed")) {
        ("finished" | "undone", 0) => 0,
        ("finished" | "undone", _) => SOME_FAILED,
        _ => STOPPED,
    }
}
