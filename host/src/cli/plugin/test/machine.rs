//! Machine-readable results: JSON, JUnit and TAP.

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use crate::cli::error::CliError;
use keyferry_devkit::cases::{Group, Line, Outcome, SuiteReport, TestReport};

/// `{"suites": [...]}`: what [`SuiteReport`] has.
pub(super) fn json(reports: &[SuiteReport]) -> Result<String, CliError> {
    Ok(serde_json::to_string_pretty(&serde_json::json!({ "suites": reports }))?)
}

/// JUnit XML: one suite a plugin.
pub(super) fn junit(reports: &[SuiteReport]) -> Result<String, CliError> {
    let mut all = Report::new("keyferry plugin test");
    for report in reports {
        let mut suite = TestSuite::new(report.slug.as_str());
        for test in &report.tests {
            let status = match &test.outcome {
                Outcome::Passed => TestCaseStatus::success(),
                Outcome::Failed(lines) => {
                    let mut failed = TestCaseStatus::non_success(NonSuccessKind::Failure);
                    failed.set_message(first(lines)).set_description(text(lines));
                    failed
                }
            };
            let mut case = TestCase::new(test.name.as_str(), status);
            case.set_classname(format!("{}.{}", report.slug, group(test))).set_time(test.elapsed);
            if !test.log.is_empty() {
                case.set_system_out(test.log.join("\n"));
            }
            suite.add_test_case(case);
        }
        all.add_test_suite(suite);
    }
    Ok(all.to_string()?.trim_end().to_owned())
}

/// TAP 14 (<https://testanything.org/tap-version-14-specification.html>): details in a YAML block below a failure.
pub(super) fn tap(reports: &[SuiteReport]) -> String {
    let tests: Vec<_> = reports.iter().flat_map(|report| report.tests.iter().map(move |test| (report, test))).collect();
    let mut lines = vec!["TAP version 14".to_owned(), format!("1..{}", tests.len())];
    for (index, (report, test)) in tests.iter().enumerate() {
        // `#` begins a directive, and a backslash escapes it.
        let name = format!("{} {}: {}", report.slug, group(test), test.name).replace('\\', "\\\\").replace('#', "\\#");
        match &test.outcome {
            Outcome::Passed => lines.push(format!("ok {} - {name}", index + 1)),
            Outcome::Failed(wrong) => {
                lines.push(format!("not ok {} - {name}", index + 1));
                lines.extend(["  ---", "  message: |"].map(str::to_owned));
                lines.extend(text(wrong).lines().map(|line| format!("    {line}")));
                lines.push("  ...".to_owned());
            }
        }
    }
    lines.join("\n")
}

fn group(test: &TestReport) -> &'static str {
    match test.group {
        Group::Case => "case",
        Group::Conformance => "conformance",
        Group::Faults { .. } => "faults",
    }
}

fn first(lines: &[Line]) -> String {
    lines.first().map(Line::marked).unwrap_or_default()
}

fn text(lines: &[Line]) -> String {
    lines.iter().map(Line::marked).collect::<Vec<_>>().join("\n")
}
