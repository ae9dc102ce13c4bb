//! The results of `bench/peers`: the sandbox and the store next to their alternatives. A workspace of its own, since it
//! brings another wasmtime and several databases.

use std::error::Error;

use keyferry_tests::binary;
use serde::Deserialize;

use crate::figures::shown;
use crate::prepare::{cargo, workspace};
use crate::section::{Goal, Section};
use crate::table::Table;

/// The output of `bench/peers --json`.
#[derive(Deserialize)]
struct Printed {
    sections: Vec<PeersSection>,
}

/// A section of its report.
#[derive(Deserialize)]
struct PeersSection {
    title: String,
    text: String,
    rows: Vec<Row>,
    #[serde(default)]
    goals: Vec<Wanted>,
}

#[derive(Deserialize)]
struct Row {
    name: String,
    unit: String,
    median: f64,
    low: f64,
    high: f64,
    #[serde(default)]
    ratio: Option<f64>,
}

/// A goal, which has either `at_least` or `at_most`.
#[derive(Deserialize)]
struct Wanted {
    what: String,
    #[serde(default)]
    at_least: Option<f64>,
    #[serde(default)]
    at_most: Option<f64>,
    measured: f64,
}

/// Builds and runs `bench/peers`, and returns its sections.
pub(crate) fn peers(quick: bool) -> Result<Vec<(String, Section)>, Box<dyn Error>> {
    println!("building and running bench/peers");
    let mut command = cargo();
    command.args(["run", "--release", "--manifest-path", "bench/peers/Cargo.toml", "--target-dir"]);
    command.arg(binary::target()).args(["--", "--json"]);
    if quick {
        command.arg("--quick");
    }
    let output = command.arg("all").current_dir(workspace()).stderr(std::process::Stdio::inherit()).output();
    let output = output.map_err(|error| format!("run cargo for bench/peers: {error}"))?;
    if !output.status.success() {
        return Err(format!("bench/peers ended with {}", output.status).into());
    }
    let printed: Printed =
        serde_json::from_slice(&output.stdout).map_err(|error| format!("what bench/peers printed: {error}"))?;
    Ok(printed.sections.into_iter().map(section).collect())
}

fn section(printed: PeersSection) -> (String, Section) {
    let mut table = Table::new(["", "unit", "median", "lowest", "highest", "ratio"]);
    for Row { name, unit, median, low, high, ratio } in printed.rows {
        let ratio = ratio.map_or_else(|| "-".to_owned(), shown);
        table.row([name, unit, shown(median), shown(low), shown(high), ratio]);
    }
    let goal = |wanted: Wanted| match (wanted.at_least, wanted.at_most) {
        (Some(least), _) => Some(Goal::at_least(&wanted.what, least, wanted.measured)),
        (None, Some(most)) => Some(Goal::at_most(&wanted.what, most, wanted.measured)),
        (None, None) => None,
    };
    let goals = printed.goals.into_iter().filter_map(goal).collect();
    (printed.title, Section { text: printed.text, tables: vec![table], plots: Vec::new(), goals })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_peers_print_becomes_a_table_and_goals() {
        let json = r#"{"title":"Sandbox","text":"t","command":"c","rows":[
            {"name":"keyferry","unit":"us","median":12.0,"low":11,"high":13,"ratio":1.0},
            {"name":"extism","unit":"us","median":50,"low":40,"high":60,"ratio":null}],
            "goals":[{"what":"overhead","at_most":15,"measured":12}]}"#;
        let (title, section) = section(serde_json::from_str(json).unwrap());
        assert_eq!(title, "Sandbox");
        assert_eq!(section.goals, [Goal::at_most("overhead", 15.0, 12.0)]);
        assert!(section.tables[0].markdown().contains("| extism | us | 50.0 | 40.0 | 60.0 | - |"));
    }
}
