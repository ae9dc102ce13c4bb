//! A plugin's whole suite: its own cases, then the conformance tests.

use std::fmt::Debug;
use std::path::PathBuf;
use std::time::Instant;

use super::case::Case;
use super::deviation::Deviation;
use super::report::{Budget, Group, Line, Outcome, SuiteReport, TestReport, diff, log_lines};
use super::results::Results;
use super::runner::{CaseRun, PreparedCredential, Runner, Values};
use super::script::Rule;
use super::{conformance, renewal, renewal_conformance, verdict};
use keyferry_egress::{Egress, EgressSettings, EgressSetupError};
use keyferry_sandbox::{OpenError, RenewalResult, Verdict, Workbench};
use keyferry_types::path_text::ShowPath as _;

/// Units of fuel that one call may take: about what a server's limit of 2 s of processor time allows, in interpreted
/// code, on a slow machine.
const FUEL: u64 = 2_000_000_000;

/// A plugin and its cases, ready to run.
pub struct Suite {
    file: PathBuf,
    runner: Runner,
    memory_bytes: usize,
}

/// Why a suite cannot run at all.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum SuiteError {
    #[error("{}: {}", plugin.shown(), with_log(source))]
    Plugin { plugin: PathBuf, source: Box<OpenError> },
    #[error(transparent)]
    Egress(#[from] EgressSetupError),
}

/// The error with what the plugin logged before it failed, which says more than the runtime's message.
fn with_log(error: &OpenError) -> String {
    match error {
        OpenError::Describe { log, .. } if !log.is_empty() => format!("{error}; it logged: {}", log.join("; ")),
        _ => error.to_string(),
    }
}

impl Suite {
    /// Loads a plugin.
    ///
    /// # Errors
    /// If the component is not a plugin.
    pub async fn open(
        workbench: &Workbench,
        file: PathBuf,
        component: Vec<u8>,
        cases: Vec<Case>,
    ) -> Result<Self, SuiteError> {
        let failed = |source| SuiteError::Plugin { plugin: file.clone(), source: Box::new(source) };
        let plugin = workbench.open(component).await.map_err(failed)?;
        let egress = Egress::new(EgressSettings::default())?;
        Ok(Self { file, runner: Runner { plugin, egress, cases }, memory_bytes: workbench.limits().memory_bytes })
    }

    /// The number of tests that [`run`](Self::run) runs if all cases pass.
    pub fn count(&self) -> usize {
        self.runner.cases.len() + conformance::count(&self.runner) + renewal_conformance::count(&self.runner)
    }

    /// Runs all tests, and calls `done` with the report of each.
    pub async fn run(&self, done: &mut dyn FnMut(&TestReport)) -> SuiteReport {
        let plugin = &self.runner.plugin;
        let budget = Budget {
            fuel: (plugin.described.fuel, FUEL),
            memory_bytes: (plugin.described.memory_bytes as u64, self.memory_bytes as u64),
            requests: (0, u64::from(self.runner.egress.limits().requests_per_call)),
        };
        let mut results = Results::new(done, budget);
        for case in &self.runner.cases {
            let test = self.test(case, &mut results).await;
            results.add(test);
        }
        renewal_conformance::run(&self.runner, &mut results).await;
        conformance::run(&self.runner, &mut results).await;
        SuiteReport {
            plugin: self.file.clone(),
            slug: plugin.description.slug.to_string(),
            sha256: plugin.digest.to_string(),
            tests: results.tests,
            budget: results.budget,
            describe_fuel: plugin.described.fuel,
        }
    }

    /// Runs one case, counted from 0, if there is such a one.
    pub async fn run_case(&self, index: usize) -> Option<TestReport> {
        let mut ignore = |_: &TestReport| {};
        let mut results = Results::new(&mut ignore, Budget::default());
        Some(self.test(self.runner.cases.get(index)?, &mut results).await)
    }

    /// The plugin's verdict on a case, counted from 0, independent of the verdict that the case expects.
    pub(super) async fn verdict(&self, index: usize) -> Result<Verdict, String> {
        let case = self.runner.cases.get(index).ok_or("there is no such case")?;
        let prepared = self.runner.prepare(case, Values::Written)?;
        let run = self.runner.run(case, Rule::Strict, &prepared).await;
        match run.deviations.first() {
            Some(deviation) => Err(deviation.lines().iter().map(Line::marked).collect::<Vec<_>>().join("\n")),
            None => run.result.map_err(|error| error.to_string()),
        }
    }

    async fn test(&self, case: &Case, results: &mut Results<'_>) -> TestReport {
        let began = Instant::now();
        let prepared = self.runner.prepare(case, Values::Written);
        let (lines, log, fuel) = match (self.runner.pair(case), prepared) {
            (Ok(None), Ok(prepared)) => {
                let run = self.runner.run(case, Rule::Strict, &prepared).await;
                let found = |verdict: &Verdict| {
                    let detail = verdict::detail(verdict);
                    (verdict::verdict_lines(verdict), detail.map(str::to_owned))
                };
                tested(case, &prepared, &run, "the verdict", found, results)
            }
            (Ok(Some(pair)), Ok(prepared)) => {
                let run = self.runner.renew(case, pair, Rule::Strict, &prepared).await;
                let found =
                    |result: &RenewalResult| (renewal::lines(result, pair), renewal::detail(result).map(str::to_owned));
                tested(case, &prepared, &run, "the result", found, results)
            }
            (Err(mistake), _) | (_, Err(mistake)) => (vec![Line::Says(mistake)], Vec::new(), None),
        };
        TestReport {
            group: Group::Case,
            name: case.name.clone(),
            about: case.about.clone(),
            outcome: Outcome::from_lines(lines),
            elapsed: began.elapsed(),
            fuel,
            log,
        }
    }
}

/// What is wrong with a run by [`Rule::Strict`], its log and its fuel. `found` writes its result as lines, and its detail.
fn tested<T: Debug>(
    case: &Case,
    prepared: &PreparedCredential,
    run: &CaseRun<T>,
    what: &str,
    found: impl FnOnce(&T) -> (Vec<String>, Option<String>),
    results: &mut Results<'_>,
) -> (Vec<Line>, Vec<String>, Option<u64>) {
    results.record(prepared, run, &case.name);
    let mut lines: Vec<Line> = run.deviations.iter().flat_map(Deviation::lines).collect();
    match &run.result {
        Err(error) => lines.push(Line::Says(error.to_string())),
        // A result of other exchanges than those of the case proves nothing.
        Ok(_) if !run.deviations.is_empty() => {}
        Ok(result) => {
            let (found, detail) = found(result);
            let (expected, found) = case.expected.compared(found, detail.as_deref());
            if expected != found {
                let mut says = format!("{what} is another; - is the case, + the plugin");
                if let Some(detail) = detail {
                    says = format!("{says} (its detail: {detail})");
                }
                lines.extend(diff(says, &expected, &found));
            }
        }
    }
    (lines, log_lines(&run.log), Some(run.usage.fuel))
}
