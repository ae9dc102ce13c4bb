//! The figures, for people and for programs.

use std::fmt::Write as _;

use serde::Serialize;

use crate::outcome::{Outcome, Tried as _};
use crate::rounds::Series;

/// The results of a run.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) sections: Vec<Section>,
}

/// Figures that belong together.
#[derive(Debug, Serialize)]
pub(crate) struct Section {
    pub(crate) title: String,
    /// The method, and the goal.
    pub(crate) text: String,
    /// The command that repeats this section.
    pub(crate) command: String,
    pub(crate) rows: Vec<Row>,
    pub(crate) goals: Vec<Goal>,
}

/// A bound for a figure, and the figure.
#[derive(Debug, Serialize)]
pub(crate) struct Goal {
    pub(crate) what: String,
    #[serde(flatten)]
    pub(crate) bound: Bound,
    pub(crate) measured: f64,
}

/// The side of the bound on which a figure is good.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

impl Goal {
    /// A goal with its figure. `None` where there is no figure.
    pub(crate) fn of(what: impl Into<String>, bound: Bound, measured: Option<f64>) -> Option<Self> {
        Some(Self { what: what.into(), bound, measured: measured? })
    }

    fn is_reached(&self) -> bool {
        match self.bound {
            Bound::AtLeast(least) => self.measured >= least,
            Bound::AtMost(most) => self.measured <= most,
        }
    }

    fn sentence(&self) -> String {
        let Self { what, bound, measured } = self;
        let (side, bound) = match bound {
            Bound::AtLeast(least) => ("at least", least),
            Bound::AtMost(most) => ("at most", most),
        };
        let verdict = if self.is_reached() { "reached" } else { "not reached" };
        format!("Goal: {what} {side} {}; measured {}: {verdict}.", short(*bound), short(*measured))
    }
}

/// One figure.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) unit: &'static str,
    pub(crate) median: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
    /// The ratio of this figure to Keyferry's in the same rounds. `None` where there is none to compare.
    pub(crate) ratio: Option<f64>,
}

impl Row {
    /// The figures of one contestant, and their ratio to another's. `None` where there were no rounds.
    pub(crate) fn of(
        name: impl Into<String>,
        unit: &'static str,
        figures: &Series,
        beside: Option<&Series>,
    ) -> Option<Self> {
        Some(Self {
            name: name.into(),
            unit,
            median: figures.median()?,
            low: figures.low()?,
            high: figures.high()?,
            ratio: beside.and_then(|beside| figures.ratio_to(beside)),
        })
    }
}

impl Report {
    /// Prints the report to standard output.
    pub(crate) fn print(&self, as_json: bool) -> Outcome<()> {
        let text = match as_json {
            true => serde_json::to_string_pretty(self).tried("write the figures as JSON")?,
            false => self.tables().tried("write tables")?,
        };
        println!("{}", text.trim_end());
        Ok(())
    }

    fn tables(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        for section in &self.sections {
            writeln!(text, "## {}\n\n{}\n\n`{}`\n", section.title, section.text, section.command)?;
            let wide = section.rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0);
            writeln!(text, "{:wide$}  {:>12}  {:>12}  {:>12}  {:>6}  unit", "", "median", "low", "high", "ratio")?;
            for Row { name, unit, median, low, high, ratio } in &section.rows {
                let ratio = ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}"));
                let [median, low, high] = [median, low, high].map(|figure| short(*figure));
                writeln!(text, "{name:wide$}  {median:>12}  {low:>12}  {high:>12}  {ratio:>6}  {unit}")?;
            }
            for goal in &section.goals {
                writeln!(text, "\n{}", goal.sentence())?;
            }
            writeln!(text)?;
        }
        Ok(text)
    }
}

/// As many digits as are significant: a fraction for small figures only.
fn short(figure: f64) -> String {
    let digits = match figure.abs() {
        large if large >= 100.0 => 0,
        middle if middle >= 10.0 => 1,
        _ => 2,
    };
    format!("{figure:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_figures_have_no_fraction() {
        assert_eq!([0.123, 12.34, 1234.5].map(short), ["0.12", "12.3", "1234"]);
    }

    #[test]
    fn goals_have_a_good_side_and_their_bound_is_reached() {
        let goal = |bound, measured| Goal::of("rate", bound, Some(measured)).unwrap();
        for (bound, measured, reached) in [
            (Bound::AtLeast(0.8), 0.8, true),
            (Bound::AtLeast(0.8), 0.7, false),
            (Bound::AtMost(15.0), 15.0, true),
            (Bound::AtMost(15.0), 15.1, false),
        ] {
            assert_eq!(goal(bound, measured).is_reached(), reached, "{bound:?} {measured}");
        }
        assert!(Goal::of("rate", Bound::AtLeast(1.0), None).is_none());
        let json = serde_json::to_value(goal(Bound::AtLeast(0.5), 1.0)).unwrap();
        assert_eq!(json, serde_json::json!({"what": "rate", "at_least": 0.5, "measured": 1.0}));
    }

    #[test]
    fn a_contestant_without_rounds_has_no_row() {
        let none = Series::default();
        assert!(Row::of("x", "us", &none, None).is_none());
        let some: Series = [2.0, 4.0].into_iter().collect();
        let row = Row::of("x", "us", &some, Some(&some)).unwrap();
        assert_eq!((row.median, row.low, row.high, row.ratio), (3.0, 2.0, 4.0, Some(1.0)));
        assert_eq!(Row::of("x", "us", &some, Some(&none)).unwrap().ratio, None);
    }

    #[test]
    fn tables_name_their_command_and_leave_out_ratios_that_are_none() {
        let row = Row { name: "one".to_owned(), unit: "us", median: 1.0, low: 1.0, high: 1.0, ratio: None };
        let section = Section {
            title: "T".into(),
            text: "Said.".into(),
            command: "run this".into(),
            rows: vec![row],
            goals: Vec::new(),
        };
        let tables = Report { sections: vec![section] }.tables().unwrap();
        assert!(tables.contains("## T\n\nSaid.\n\n`run this`"), "{tables}");
        assert!(tables.contains("1.00          us"), "{tables}");
    }
}
