//! The summary of an import, by app and outcome, and how the command ends.

use comfy_table::{Cell, Color};
use serde_json::Value;

use super::waiting;
use crate::cli::exit::Exit;
use crate::cli::members::{count, number, text};
use crate::cli::table::Table;
use crate::cli::term;

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
        let rows = if warned == 1 { "1 row has".to_owned() } else { format!("{warned} rows have") };
        term::print(&format!("{rows} warnings: `keyferry imports results {id} --warnings` lists them"));
    }
    let dry_run = if is_dry_run(import) { "; a dry run, which stores nothing" } else { "" };
    let rows = number(import, "rows");
    term::print(&format!("import {} is {state}{reason}; {rows} rows{dry_run}", text(import, "id")));
}

/// Its rows and how they went, in a few words: `202: 190 stored, 12 failed`.
pub(super) fn rows(import: &Value) -> String {
    let is_dry_run = is_dry_run(import);
    let queued = count(import, "queued").saturating_sub(count(import, "waiting"));
    let parts = [
        (count(import, "done"), if is_dry_run { "verified" } else { "stored" }),
        (count(import, "skipped"), "skipped"),
        (count(import, "failed"), "failed"),
        (count(import, "undone"), "undone"),
        (count(import, "kept"), "kept"),
        (count(import, "waiting"), "waiting"),
        (queued, "to do"),
    ];
    let parts = parts.into_iter().filter(|(rows, _)| *rows > 0).map(|(rows, what)| format!("{rows} {what}"));
    let parts = parts.collect::<Vec<_>>().join(", ");
    let all = number(import, "rows");
    if parts.is_empty() { all.to_string() } else { format!("{all}: {parts}") }
}

/// Whether rows failed because their linked account does not exist.
pub(super) fn lacks_accounts(import: &Value) -> bool {
    let apps = import.get("apps").and_then(Value::as_array).into_iter().flatten();
    apps.filter_map(|app| app.get("outcomes")).any(|outcomes| number(outcomes, "account_missing") > 0)
}

/// Its state, and of its policy what decides what is stored.
pub(super) fn state(import: &Value) -> String {
    let stores_unverified = policy(import, "on_unverified") == "store";
    let marks = [(is_dry_run(import), ", dry run"), (stores_unverified, ", unverified stored")];
    let marks = marks.into_iter().filter_map(|(holds, mark)| holds.then_some(mark));
    std::iter::once(text(import, "state")).chain(marks).collect()
}

pub(super) fn is_dry_run(import: &Value) -> bool {
    policy(import, "mode") == "dry-run"
}

fn policy<'a>(import: &'a Value, name: &str) -> &'a str {
    import.get("policy").map(|policy| text(policy, name)).unwrap_or_default()
}

/// How the command ends that followed an import to its end.
pub(super) fn exit(import: &Value) -> Exit {
    match (text(import, "state"), count(import, "failed")) {
        ("finished" | "undone", 0) => Exit::Done,
        ("finished" | "undone", _) => Exit::SomeFailed,
        _ => Exit::Incomplete,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_row_without_its_account_is_noticed_in_any_app() {
        let with = |outcome: &str| json!({"apps": [{"outcomes": {"created": 3}}, {"outcomes": {outcome: 1}}]});
        assert!(lacks_accounts(&with("account_missing")));
        assert!(!lacks_accounts(&with("rejected")) && !lacks_accounts(&json!({})));
    }

    #[test]
    fn a_listed_import_says_how_its_rows_went_and_what_is_stored() {
        for (import, in_rows, in_state) in [
            (json!({"rows": 0, "state": "receiving"}), "0", "receiving"),
            (
                json!({"rows": 202, "state": "finished", "counts": {"done": 190, "failed": 12, "queued": 0, "waiting": 0},
                    "policy": {"mode": "dry-run", "on_unverified": "reject"}}),
                "202: 190 verified, 12 failed",
                "finished, dry run",
            ),
            (
                json!({"rows": 9, "state": "running", "counts": {"done": 3, "skipped": 1, "queued": 5, "waiting": 2},
                    "policy": {"mode": "apply", "on_unverified": "store"}}),
                "9: 3 stored, 1 skipped, 2 waiting, 3 to do",
                "running, unverified stored",
            ),
            (
                json!({"rows": 2, "state": "undone", "counts": {"undone": 1, "kept": 1}}),
                "2: 1 undone, 1 kept",
                "undone",
            ),
        ] {
            assert_eq!((rows(&import).as_str(), state(&import).as_str()), (in_rows, in_state));
        }
    }
}
