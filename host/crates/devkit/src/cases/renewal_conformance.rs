//! Requirements that every plugin must meet that renews tokens: no fault of a provider ends a connection.

use std::time::Instant;

use super::case::Case;
use super::conformance::{faults, plain, says};
use super::deviation::Deviation;
use super::faults::FaultName;
use super::renewal;
use super::report::{Group, Line, Outcome, TestReport, log_lines};
use super::results::Results;
use super::runner::{Runner, Values};
use super::script::Rule;
use keyferry_sandbox::Renewable;

/// The result of the cases that faults are put into.
const RENEWED: &str = "renewed";

/// The faults of a renewal, in the order in which they are tested.
const FAULTS: [&[FaultName]; 2] = [&FaultName::ALL, &FaultName::OF_RENEWALS];

/// The number of tests of renewals, for a plugin whose cases pass.
pub(super) fn count(runner: &Runner) -> usize {
    let must_have = usize::from(!runner.plugin.description.renewables.is_empty());
    must_have + renewed(runner).map(|(case, _)| 1 + all_faults(case).count()).sum::<usize>()
}

pub(super) async fn run(runner: &Runner, results: &mut Results<'_>) {
    if !runner.plugin.description.renewables.is_empty() {
        results.add(plain("has a case of each pair that it renews", must_haves(runner)));
    }
    // A case that fails without faults shows nothing more with them.
    let passed: Vec<_> = renewed(runner).filter(|(case, _)| results.passed(&case.name)).collect();
    for (case, pair) in passed {
        let began = Instant::now();
        let lines = repeated(runner, case, pair, results).await;
        let name = format!("{}: two runs are the same, fuel included", case.name);
        results.add(TestReport { elapsed: began.elapsed(), ..plain(&name, lines) });
        for (exchange, fault) in all_faults(case) {
            let test = with_fault(runner, (case, pair), exchange, fault, results).await;
            results.add(test);
        }
    }
}

/// The cases of a renewed pair, and the pairs.
fn renewed(runner: &Runner) -> impl Iterator<Item = (&Case, &Renewable)> {
    let cases = runner.cases.iter().filter(|case| case.expected.name == RENEWED);
    cases.filter_map(|case| Some((case, runner.pair(case).ok()??)))
}

/// Each fault at each exchange, all of one exchange together.
fn all_faults(case: &Case) -> impl Iterator<Item = (usize, FaultName)> {
    let mut all: Vec<_> = FAULTS.into_iter().flat_map(|some| faults(case, some)).collect();
    all.sort_by_key(|(exchange, _)| *exchange);
    all.into_iter()
}

fn must_haves(runner: &Runner) -> Vec<Line> {
    let missing: Vec<String> = runner
        .plugin
        .description
        .renewables
        .iter()
        .filter(|pair| !renewed(runner).any(|(_, known)| known == *pair))
        .map(|pair| format!("`{}` of `{}`", pair.access_token, pair.auth_type))
        .collect();
    match missing.as_slice() {
        [] => Vec::new(),
        some => says(format!("no case expects `renewed` of the pair {}; add one of each", some.join(", nor of "))),
    }
}

/// The same run twice, with other secrets of the same shape.
async fn repeated(runner: &Runner, case: &Case, pair: &Renewable, results: &mut Results<'_>) -> Vec<Line> {
    let prepared = match runner.prepare(case, Values::Canaries) {
        Ok(prepared) => prepared,
        Err(violations) => return says(violations),
    };
    let first = runner.renew(case, pair, Rule::Strict, &prepared).await;
    let second = runner.renew(case, pair, Rule::Strict, &prepared).await;
    results.record(&prepared, &first, &case.name);
    match (&first.result, &second.result) {
        (Err(error), _) | (_, Err(error)) => says(error.to_string()),
        (Ok(one), Ok(other))
            if renewal::lines(one, pair) == renewal::lines(other, pair) && first.usage.fuel == second.usage.fuel =>
        {
            Vec::new()
        }
        _ => says(format!(
            "with the same time, random bytes and responses it used {} and then {} units of fuel; what does it depend on?",
            first.usage.fuel, second.usage.fuel
        )),
    }
}

async fn with_fault(
    runner: &Runner,
    (case, pair): (&Case, &Renewable),
    exchange: usize,
    fault: FaultName,
    results: &mut Results<'_>,
) -> TestReport {
    let name = format!("{}, exchange {}: {fault}", case.name, exchange + 1);
    let group = Group::Faults { case: case.name.clone(), exchange: exchange + 1 };
    let about = Some(fault.about().to_owned());
    let prepared = match runner.prepare(case, Values::Canaries) {
        Ok(prepared) => prepared,
        Err(violations) => return TestReport { group, about, ..plain(&name, says(violations)) },
    };
    let run = runner.renew(case, pair, Rule::Fault { exchange, fault }, &prepared).await;
    results.record(&prepared, &run, &name);
    let mut lines: Vec<Line> = run.deviations.iter().flat_map(Deviation::lines).collect();
    let optional = case.exchanges.get(exchange).is_some_and(|exchange| exchange.optional);
    match &run.result {
        Err(error) => lines.extend(says(format!("{error}, where it should have come to a result"))),
        Ok(found) => {
            if let Some(objection) = fault.objection_to_renewal(found, optional) {
                lines.extend(says(objection));
                lines.push(Line::Found(renewal::name(found)));
                lines.extend(renewal::detail(found).map(|detail| Line::Found(format!("detail: {detail}"))));
            }
        }
    }
    TestReport {
        group,
        name,
        about,
        outcome: Outcome::from_lines(lines),
        elapsed: run.elapsed,
        fuel: Some(run.usage.fuel),
        log: log_lines(&run.log),
    }
}
