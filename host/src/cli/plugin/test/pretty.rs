//! Results for people: a line for each case, one line for the faults of an exchange unless one of them failed, and the
//! differences below a failed test.

use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget};
use owo_colors::{OwoColorize as _, Stream::Stdout};

use crate::cli::table::hanging;
use crate::cli::term;
use keyferry_devkit::cases::{Budget, Group, Line, Outcome, SuiteReport, TestReport};
use keyferry_types::path_text::ShowPath as _;

/// A bar on stderr while tests run, where that is a terminal.
pub(super) struct Progress(ProgressBar);

impl Progress {
    pub(super) fn start(tests: usize) -> Self {
        let target =
            if std::io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(tests as u64), target);
        Self(term::styled(bar, "{bar:30} {pos}/{len} {msg}"))
    }

    pub(super) fn done(&self, test: &TestReport) {
        self.0.set_message(test.name.clone());
        self.0.inc(1);
    }

    pub(super) fn finish(&self) {
        self.0.finish_and_clear();
    }
}

/// Shows one plugin's results.
pub(super) fn show(report: &SuiteReport) {
    let sha256: String = report.sha256.chars().take(12).collect();
    let title = report.slug.if_supports_color(Stdout, |text| text.bold()).to_string();
    term::print(&format!("{title}  {}  sha256 {sha256}", report.plugin.shown()));
    let mut tests = report.tests.iter().peekable();
    while let Some(test) = tests.next() {
        let Group::Faults { case, exchange } = &test.group else {
            one(test);
            continue;
        };
        let mut faults = vec![test];
        while let Some(next) = tests.next_if(|next| next.group == test.group) {
            faults.push(next);
        }
        let passed = faults.iter().filter(|fault| fault.outcome == Outcome::Passed).count();
        if passed > 0 {
            let time = faults.iter().map(|fault| fault.elapsed).sum();
            row(Mark::Passed, &format!("{case}, exchange {exchange}: {passed} faults"), None, &shown(time));
        }
        faults.into_iter().filter(|fault| fault.outcome != Outcome::Passed).for_each(one);
    }
    let Budget { fuel, memory_bytes, requests } = report.budget;
    let mib = |bytes: u64| format!("{:.1} MiB", bytes as f64 / 1_048_576.0);
    let line = format!(
        "      at most: fuel {} of {}, memory {} of {}, requests {} of {}",
        grouped(fuel.0),
        grouped(fuel.1),
        mib(memory_bytes.0),
        mib(memory_bytes.1),
        requests.0,
        requests.1
    );
    term::print(&line.if_supports_color(Stdout, |text| text.dimmed()).to_string());
}

/// Prints the closing line.
pub(super) fn total(reports: &[SuiteReport]) {
    let (passed, failed) =
        reports.iter().map(SuiteReport::counts).fold((0, 0), |(p, f), (passed, failed)| (p + passed, f + failed));
    let time: Duration = reports.iter().flat_map(|report| &report.tests).map(|test| test.elapsed).sum();
    let line = format!("{passed} passed, {failed} failed, in {}", shown(time));
    let line = if failed == 0 {
        line.if_supports_color(Stdout, |text| text.green()).to_string()
    } else {
        line.if_supports_color(Stdout, |text| text.red()).to_string()
    };
    term::print(&line);
}

#[derive(Clone, Copy)]
enum Mark {
    Passed,
    Failed,
}

fn one(test: &TestReport) {
    // The fuel of a fault's test is not shown: there are many, and they are alike.
    let used = match test.fuel.filter(|_| test.group == Group::Case) {
        Some(fuel) => format!("fuel {}, {}", grouped(fuel), shown(test.elapsed)),
        None => shown(test.elapsed),
    };
    match &test.outcome {
        Outcome::Passed => row(Mark::Passed, &test.name, test.about.as_deref(), &used),
        Outcome::Failed(lines) => {
            row(Mark::Failed, &test.name, test.about.as_deref(), &used);
            for line in lines {
                let text = format!("        {}", line.marked());
                term::print(&match line {
                    Line::Expected(_) => text.if_supports_color(Stdout, |text| text.red()).to_string(),
                    Line::Found(_) => text.if_supports_color(Stdout, |text| text.green()).to_string(),
                    Line::Says(_) | Line::Same(_) => text,
                });
            }
            for line in &test.log {
                term::print(&format!("        log {line}"));
            }
        }
    }
}

/// A line of a test, with what it used at its end.
fn row(mark: Mark, name: &str, about: Option<&str>, used: &str) {
    let mark = match mark {
        Mark::Passed => "ok  ".if_supports_color(Stdout, |text| text.green()).to_string(),
        Mark::Failed => "FAIL".if_supports_color(Stdout, |text| text.red()).to_string(),
    };
    let used = format!("  {used}");
    let (name, rest) = match about {
        // The name is a sentence.
        None => (hanging("  FAIL  ".len(), name, used.len()), String::new()),
        Some(about) => {
            let column = "  FAIL    ".len() + name.chars().count();
            (name.to_owned(), format!("  {}", hanging(column, about, used.len())))
        }
    };
    let rest = format!("{rest}{used}").if_supports_color(Stdout, |text| text.dimmed()).to_string();
    term::print(&format!("  {mark}  {name}{rest}"));
}

fn shown(time: Duration) -> String {
    match time.as_secs_f64() {
        seconds if seconds >= 1.0 => format!("{seconds:.1} s"),
        seconds => format!("{:.1} ms", seconds * 1000.0),
    }
}

/// Groups digits by thousands: `2000000` as `2,000,000`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
