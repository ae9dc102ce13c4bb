//! One section of the report.

use std::fmt;

use crate::figures::shown;
use crate::table::Table;

/// One section of the report.
pub(crate) struct Section {
    /// The method of the measurement.
    pub(crate) text: String,
    pub(crate) tables: Vec<Table>,
    pub(crate) plots: Vec<Plot>,
    pub(crate) goals: Vec<Goal>,
}

/// A picture, in a file of its own.
pub(crate) struct Plot {
    /// Name of the file, without its extension.
    pub(crate) name: &'static str,
    /// The alternative text of the picture.
    pub(crate) title: &'static str,
    pub(crate) svg: String,
}

/// A goal, and the measured figure.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Goal {
    pub(crate) what: String,
    pub(crate) wanted: String,
    pub(crate) measured: String,
    pub(crate) state: State,
}

/// Whether a goal is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Reached,
    Short,
}

impl Goal {
    pub(crate) fn at_least(what: &str, wanted: f64, measured: f64) -> Self {
        Self::new(what, format!("at least {}", shown(wanted)), measured, measured >= wanted)
    }

    pub(crate) fn at_most(what: &str, wanted: f64, measured: f64) -> Self {
        Self::new(what, format!("at most {}", shown(wanted)), measured, measured <= wanted)
    }

    fn new(what: &str, wanted: String, measured: f64, reached: bool) -> Self {
        let state = if reached { State::Reached } else { State::Short };
        Self { what: what.to_owned(), wanted, measured: shown(measured), state }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reached => "reached",
            Self::Short => "**falls short**",
        })
    }
}

/// Goals as a table.
pub(crate) fn goals_table(goals: &[Goal]) -> Table {
    let mut table = Table::new(["goal", "wanted", "measured", ""]);
    for goal in goals {
        table.row([goal.what.clone(), goal.wanted.clone(), goal.measured.clone(), goal.state.to_string()]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_reached_at_its_very_figure_and_not_before() {
        for (goal, state) in [
            (Goal::at_least("x", 0.25, 0.25), State::Reached),
            (Goal::at_least("x", 0.25, 0.249), State::Short),
            (Goal::at_most("x", 5.0, 5.0), State::Reached),
            (Goal::at_most("x", 5.0, 5.01), State::Short),
            (Goal::at_most("x", 5.0, f64::NAN), State::Short),
        ] {
            assert_eq!(goal.state, state, "{goal:?}");
        }
    }
}
