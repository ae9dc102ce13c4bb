//! What is shown at the end: by app and outcome.

use std::collections::BTreeSet;

use comfy_table::{Cell, Color, ContentArrangement, Table};
use serde_json::Value;

use super::super::term;
use super::follow::{count, number, text};

/// Outcomes of rows that did what they were to do, or had nothing to do.
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

/// Prints the table, and where the import stands.
pub(super) fn print(import: &Value) {
    let apps = import.get("apps").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let outcomes: BTreeSet<&str> = apps
        .iter()
        .filter_map(|app| app.get("outcomes").and_then(Value::as_object))
        .flat_map(|outcomes| outcomes.keys().map(String::as_str))
        .collect();
    let (good, bad): (Vec<&str>, Vec<&str>) = outcomes.into_iter().partition(|outcome| GOOD.contains(outcome));
    let mut table = Table::new();
    table.set_content_arrangement(ContentArrangement::Dynamic);
    let columns =
        good.iter().map(|outcome| (*outcome, Color::Green)).chain(bad.iter().map(|outcome| (*outcome, Color::Red)));
    let columns: Vec<(&str, Color)> = columns.collect();
    let has_queued = count(import, "queued") > 0;
    let mut header = vec![Cell::new("app")];
    header.extend(columns.iter().map(|(outcome, color)| Cell::new(outcome).fg(*color)));
    if has_queued {
        header.push(Cell::new("not done").fg(Color::Yellow));
    }
    table.set_header(header);
    for app in apps {
        let slug = Some(text(app, "slug")).filter(|slug| !slug.is_empty()).unwrap_or("-");
        let mut cells = vec![Cell::new(slug)];
        let counted = |outcome: &str| app.get("outcomes").map_or(0, |outcomes| number(outcomes, outcome));
        cells.extend(columns.iter().map(|(outcome, _)| shown(counted(outcome))));
        if has_queued {
            cells.push(shown(count(app, "queued")));
        }
        table.add_row(cells);
    }
    term::print(&table.to_string());
    let reason = match text(import, "reason") {
        "" => String::new(),
        reason => format!(": {reason}"),
    };
    let state = text(import, "state");
    term::print(&format!("import {} is {state}{reason}; {} rows", text(import, "id"), number(import, "rows")));
}

fn shown(count: u64) -> Cell {
    if count == 0 { Cell::new("") } else { Cell::new(count) }
}
