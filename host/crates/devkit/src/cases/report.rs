//! Results of a suite, as the command shows them.

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;
use similar::{ChangeTag, TextDiff};

use keyferry_sandbox::{LogLine, Usage};

/// The results of a plugin's suite.
#[derive(Debug, Serialize)]
pub struct SuiteReport {
    /// The plugin file, or the folder that it was built from.
    pub plugin: PathBuf,
    /// Slug of the app.
    pub slug: String,
    /// SHA-256 of the component.
    pub sha256: String,
    /// Each test, in the order in which they ran.
    pub tests: Vec<TestReport>,
    /// The most that one call took, that of `describe` included, and what it may take.
    pub budget: Budget,
    /// Units of fuel that the call of `describe` took.
    pub describe_fuel: u64,
}

/// Use and limits of calls.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Budget {
    /// Units of fuel: most of one call, and how many it may be.
    pub fuel: (u64, u64),
    /// Memory in bytes: most of one call, and the limit.
    pub memory_bytes: (u64, u64),
    /// Requests: most of one call, and the limit.
    pub requests: (u64, u64),
}

/// The result of one test.
#[derive(Debug, Serialize)]
pub struct TestReport {
    /// The group that the test belongs to.
    pub group: Group,
    /// Name of the test.
    pub name: String,
    /// What the test shows, from the case's `about`.
    pub about: Option<String>,
    /// Whether the test passed.
    pub outcome: Outcome,
    /// Time that the test took.
    #[serde(rename = "seconds", serialize_with = "seconds")]
    pub elapsed: Duration,
    /// Units of fuel that the plugin used, in a test of one call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fuel: Option<u64>,
    /// Log lines of the plugin, redacted.
    pub log: Vec<String>,
}

/// The group that a test belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Group {
    /// The plugin's own cases.
    Case,
    /// The conformance suite: what holds for every plugin.
    Conformance,
    /// The conformance suite: a fault in the place of this exchange of this case.
    Faults {
        /// Name of the case.
        case: String,
        /// The exchange, from 1.
        exchange: usize,
    },
}

/// Result of a test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The plugin behaved as expected.
    Passed,
    /// The difference, line by line.
    Failed(Vec<Line>),
}

/// One line of what was wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", content = "text", rename_all = "kebab-case")]
pub enum Line {
    /// A sentence that explains the lines after it.
    Says(String),
    /// A line that is expected and was found.
    Same(String),
    /// Expected, and not there.
    Expected(String),
    /// There, and not expected.
    Found(String),
}

impl Line {
    /// The line with its mark in front: `- ` for what is missing, `+ ` for what should not be there.
    pub fn marked(&self) -> String {
        match self {
            Self::Says(text) => text.clone(),
            Self::Same(text) => format!("    {text}"),
            Self::Expected(text) => format!("  - {text}"),
            Self::Found(text) => format!("  + {text}"),
        }
    }
}

impl SuiteReport {
    /// Number of tests that passed and that failed.
    pub fn counts(&self) -> (usize, usize) {
        let passed = self.tests.iter().filter(|test| test.outcome == Outcome::Passed).count();
        (passed, self.tests.len() - passed)
    }
}

impl Outcome {
    pub(super) fn from_lines(lines: Vec<Line>) -> Self {
        if lines.is_empty() { Self::Passed } else { Self::Failed(lines) }
    }
}

impl Budget {
    pub(super) fn raise(&mut self, usage: &Usage) {
        self.fuel.0 = self.fuel.0.max(usage.fuel);
        self.memory_bytes.0 = self.memory_bytes.0.max(usage.memory_bytes as u64);
        self.requests.0 = self.requests.0.max(u64::from(usage.requests));
    }
}

/// The plugin's log lines with their levels.
pub(super) fn log_lines(log: &[LogLine]) -> Vec<String> {
    log.iter().map(|line| format!("{}: {}", line.level.to_string().to_lowercase(), line.text)).collect()
}

/// The differences between two lists of lines.
pub(super) fn diff(says: String, expected: &[String], found: &[String]) -> Vec<Line> {
    let old: Vec<&str> = expected.iter().map(String::as_str).collect();
    let new: Vec<&str> = found.iter().map(String::as_str).collect();
    let changes = TextDiff::from_slices(&old, &new);
    let lines = changes.iter_all_changes().map(|change| {
        let text = change.value().to_owned();
        match change.tag() {
            ChangeTag::Equal => Line::Same(text),
            ChangeTag::Delete => Line::Expected(text),
            ChangeTag::Insert => Line::Found(text),
        }
    });
    std::iter::once(Line::Says(says)).chain(lines).collect()
}

fn seconds<S: serde::Serializer>(elapsed: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(elapsed.as_secs_f64())
}
