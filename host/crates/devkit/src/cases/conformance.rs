//! Requirements that every plugin must meet, independent of its cases. The same runner runs for each plugin.

use std::time::{Duration, Instant};

use super::case::{Case, MockResponse, Outcome as CaseOutcome};
use super::deviation::Deviation;
use super::faults::FaultName;
use super::report::{Group, Line, Outcome, TestReport, log_lines};
use super::results::Results;
use super::runner::{Runner, Values};
use super::script::Rule;
use super::verdict;
use keyferry_egress::{ErrorKind, Method};
use keyferry_sandbox::{FailureKind, SecretAccess, Verdict};
use keyferry_schema::Secrecy;

/// Verdicts that every plugin has to have a case of.
const MUST_HAVE: [&str; 3] = ["verified", "rejected", "rate-limited"];

/// Tests that are not about a fault: description, must-have cases, leaks, budgets.
const FIXED: usize = 4;

/// The number of conformance tests, for a plugin whose cases pass.
pub(super) fn count(runner: &Runner) -> usize {
    let faults = |case: &Case| faults(case, &FaultName::ALL).count();
    FIXED + verified(runner).map(|case| 1 + secrets(runner, case).len() + faults(case)).sum::<usize>()
}

pub(super) async fn run(runner: &Runner, results: &mut Results<'_>) {
    results.add(plain("describes itself with nothing granted and without a request", described(runner)));
    results.add(plain("has a case of a valid, a rejected and a rate-limited credential", must_haves(runner)));
    // A case that fails without faults shows nothing more with them.
    let passed: Vec<&Case> = verified(runner).filter(|case| results.passed(&case.name)).collect();
    for case in passed {
        let began = Instant::now();
        let lines = repeated(runner, case, results).await;
        let name = format!("{}: two runs are the same, fuel included", case.name);
        results.add(TestReport { elapsed: began.elapsed(), ..plain(&name, lines) });
        for field in secrets(runner, case) {
            let began = Instant::now();
            let lines = with_unusable(runner, case, field, results).await;
            let name = format!("{}: `{field}` is rejected where no request can be built with it", case.name);
            results.add(TestReport { elapsed: began.elapsed(), ..plain(&name, lines) });
        }
        for (exchange, fault) in faults(case, &FaultName::ALL) {
            let test = with_fault(runner, case, exchange, fault, results).await;
            results.add(test);
        }
    }
    let leaks = std::mem::take(&mut results.leaks);
    results.add(plain("no secret is in a verdict, an error or a log line", leaks));
    let lines = budgets(results);
    results.add(plain("keeps to its budgets", lines));
}

pub(super) fn plain(name: &str, lines: Vec<Line>) -> TestReport {
    TestReport {
        group: Group::Conformance,
        name: name.to_owned(),
        about: None,
        outcome: Outcome::from_lines(lines),
        elapsed: Duration::ZERO,
        fuel: None,
        log: Vec::new(),
    }
}

pub(super) fn says(text: impl Into<String>) -> Vec<Line> {
    vec![Line::Says(text.into())]
}

fn verified(runner: &Runner) -> impl Iterator<Item = &Case> {
    runner.cases.iter().filter(|case| case.expected.name == "verified")
}

/// Each of the faults at every exchange at which it can happen.
pub(super) fn faults(case: &Case, faults: &'static [FaultName]) -> impl Iterator<Item = (usize, FaultName)> {
    case.exchanges.iter().enumerate().flat_map(move |(index, exchange)| {
        let no_body = exchange.method == Method::Head
            || matches!(&exchange.outcome, CaseOutcome::Response(MockResponse { body, .. }) if body.is_empty());
        faults
            .iter()
            .copied()
            .filter(move |fault| !(no_body && fault.is_of_the_body()))
            .map(move |fault| (index, fault))
    })
}

/// The secret fields that a case has values for. None for a plugin that reads secrets: how it sends them is its own.
fn secrets<'a>(runner: &Runner, case: &'a Case) -> Vec<&'a str> {
    let description = &runner.plugin.description;
    let Some(auth_type) = description.schema.auth_type(&case.auth_type) else { return Vec::new() };
    let is_secret = |name: &&str| auth_type.field(name).is_some_and(|field| field.secrecy == Secrecy::Secret);
    let handles = description.secret_access == SecretAccess::Handles;
    case.fields.iter().map(|(name, _)| name.as_str()).filter(|name| handles && is_secret(name)).collect()
}

fn described(runner: &Runner) -> Vec<Line> {
    match runner.plugin.described.requests {
        0 => Vec::new(),
        count => says(format!("`describe` asked for {count} requests; it must not make any")),
    }
}

fn must_haves(runner: &Runner) -> Vec<Line> {
    let is_there = |name: &str| runner.cases.iter().any(|case| case.renewal.is_none() && case.expected.name == name);
    let missing: Vec<_> = MUST_HAVE.into_iter().filter(|name| !is_there(name)).collect();
    match missing.as_slice() {
        [] => Vec::new(),
        some => says(format!("no case expects {}; add one of each", some.join(", nor "))),
    }
}

/// The same run twice, with other secrets of the same shape.
async fn repeated(runner: &Runner, case: &Case, results: &mut Results<'_>) -> Vec<Line> {
    let prepared = match runner.prepare(case, Values::Canaries) {
        Ok(prepared) => prepared,
        Err(violations) => return says(violations),
    };
    let first = runner.run(case, Rule::Strict, &prepared).await;
    let second = runner.run(case, Rule::Strict, &prepared).await;
    results.record(&prepared, &first, &case.name);
    if let Err(error) = &first.result {
        return says(error.to_string());
    }
    if (&first.result, first.usage.fuel) == (&second.result, second.usage.fuel) {
        return Vec::new();
    }
    says(format!(
        "with the same time, random bytes and responses it used {} and then {} units of fuel; what does it depend on?",
        first.usage.fuel, second.usage.fuel
    ))
}

/// An invalid private key, or a key that no header can carry: the verdict must blame the credential and name the field.
async fn with_unusable(runner: &Runner, case: &Case, field: &str, results: &mut Results<'_>) -> Vec<Line> {
    let prepared = match runner.prepare(case, Values::Unusable(field)) {
        Ok(prepared) => prepared,
        Err(violations) => return says(violations),
    };
    // No response is replaced; requests beyond the case meet a refused connection.
    let rule = Rule::Fault { exchange: usize::MAX, fault: FaultName::Refused };
    let run = runner.run(case, rule, &prepared).await;
    results.record(&prepared, &run, &format!("{}, `{field}` unusable", case.name));
    let is_unbuilt =
        |deviation: &Deviation| matches!(deviation, Deviation::Refused { kind: ErrorKind::InvalidRequest, .. });
    // A body and the password of HTTP Basic carry anything.
    if !run.deviations.iter().any(is_unbuilt) {
        return Vec::new();
    }
    match &run.result {
        Err(error) => says(format!("{error}, where it should have come to a verdict")),
        Ok(Verdict::Failed(failure)) if failure.kind == FailureKind::Rejected(vec![field.to_owned()]) => Vec::new(),
        Ok(found) => {
            let mut lines =
                says(format!("no request could be built with `{field}`: this must be rejected with that field"));
            lines.push(Line::Found(verdict::name(found)));
            lines
        }
    }
}

async fn with_fault(
    runner: &Runner,
    case: &Case,
    exchange: usize,
    fault: FaultName,
    results: &mut Results<'_>,
) -> TestReport {
    let mut lines = Vec::new();
    let mut test = TestReport {
        group: Group::Faults { case: case.name.clone(), exchange: exchange + 1 },
        name: format!("{}, exchange {}: {fault}", case.name, exchange + 1),
        about: Some(fault.about().to_owned()),
        ..plain("", Vec::new())
    };
    match runner.prepare(case, Values::Canaries) {
        Err(violations) => lines.extend(says(violations)),
        Ok(prepared) => {
            let run = runner.run(case, Rule::Fault { exchange, fault }, &prepared).await;
            results.record(&prepared, &run, &test.name);
            lines.extend(run.deviations.iter().flat_map(Deviation::lines));
            let optional = case.exchanges.get(exchange).is_some_and(|exchange| exchange.optional);
            match &run.result {
                Err(error) => lines.extend(says(format!("{error}, where it should have come to a verdict"))),
                Ok(found) => {
                    if let Some(objection) = fault.objection(found, optional) {
                        lines.extend(says(objection));
                        lines.push(Line::Found(verdict::name(found)));
                        if let Verdict::Failed(failure) = found {
                            lines.push(Line::Found(format!("detail: {}", failure.detail)));
                        }
                    }
                }
            }
            test.log = log_lines(&run.log);
            test.elapsed = run.elapsed;
            test.fuel = Some(run.usage.fuel);
        }
    }
    test.outcome = Outcome::from_lines(lines);
    test
}

fn budgets(results: &Results<'_>) -> Vec<Line> {
    let budget = &results.budget;
    [("fuel", budget.fuel), ("bytes of memory", budget.memory_bytes), ("requests", budget.requests)]
        .into_iter()
        .filter(|(_, (used, allowed))| used > allowed)
        .flat_map(|(what, (used, allowed))| says(format!("one call used {used} {what}, and {allowed} are allowed")))
        .collect()
}
