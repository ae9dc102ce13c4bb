//! The results of a running suite: reports of tests, leaked secrets, and the use of budgets.

use std::fmt::Debug;

use super::canary;
use super::report::{Budget, Line, Outcome, TestReport};
use super::runner::{CaseRun, PreparedCredential};

/// Collects results while a suite runs.
pub(super) struct Results<'a> {
    done: &'a mut dyn FnMut(&TestReport),
    pub(super) tests: Vec<TestReport>,
    pub(super) leaks: Vec<Line>,
    pub(super) budget: Budget,
}

impl<'a> Results<'a> {
    /// Calls `done` with each report that is added.
    pub(super) fn new(done: &'a mut dyn FnMut(&TestReport), budget: Budget) -> Self {
        Self { done, tests: Vec::new(), leaks: Vec::new(), budget }
    }

    pub(super) fn add(&mut self, test: TestReport) {
        (self.done)(&test);
        self.tests.push(test);
    }

    /// Whether a case has passed.
    pub(super) fn passed(&self, case: &str) -> bool {
        self.tests.iter().any(|test| test.name == case && test.outcome == Outcome::Passed)
    }

    /// Records what a run used, and searches its result and log for secrets and for minted tokens.
    pub(super) fn record<T: Debug>(&mut self, prepared: &PreparedCredential, run: &CaseRun<T>, name: &str) {
        self.budget.raise(&run.usage);
        let result = match &run.result {
            Ok(result) => format!("{result:?}"),
            Err(error) => error.to_string(),
        };
        let given = prepared.secrets.iter().map(|(secret, hint)| (secret, hint.as_deref()));
        let secrets: Vec<_> = given.chain(run.minted.iter().map(|token| (token, None))).collect();
        let lines = run.log.iter().map(|line| ("a log line", line.text.as_str()));
        for (place, text) in lines.chain([("the result", result.as_str())]) {
            for (secret, hint) in &secrets {
                if let Some(piece) = canary::leak(secret, *hint, text) {
                    self.leaks.push(Line::Says(format!(
                        "{name}: {place} holds a piece of a secret ({} characters)",
                        piece.len()
                    )));
                }
            }
        }
    }
}
