//! Requirements that every plugin must meet, independent of its cases. The same suite runs for each plugin.

use std::time::{Duration, Instant};

use super::case::{Answer, Case, Outcome as CaseOutcome};
use super::faults::FaultName;
use super::report::{Group, Line, Outcome, TestReport, logged};
use super::run::{Book, Suite, Values};
use super::script::{Problem, Rule};
use super::verdict;
use keyferry_egress::{ErrorKind, Method};
use keyferry_sandbox::{FailureKind, SecretAccess, Verdict};
use keyferry_schema::Secrecy;

/// Verdicts that every plugin has to have a case of.
const MUST_HAVE: [&str; 3] = ["verified", "rejected", "rate-limited"];

/// Tests that are not about a fault: description, must-have cases, leaks, budgets.
const FIXED: usize = 4;

/// How many tests the suite has for a plugin whose cases pass.
pub(super) fn count(suite: &Suite) -> usize {
    FIXED + verified(suite).map(|case| 1 + secrets(suite, case).len() + faults(case).count()).sum::<usize>()
}

pub(super) async fn run(suite: &Suite, book: &mut Book<'_>) {
    book.add(plain("describes itself with nothing granted and without a request", described(suite)));
    book.add(plain("has a case of a valid, a rejected and a rate-limited credential", must_haves(suite)));
    // A fault in a response of a case that fails without faults would show nothing more.
    let passed: Vec<&Case> = verified(suite).filter(|case| book.passed(&case.name)).collect();
    for case in passed {
        let began = Instant::now();
        let lines = repeated(suite, case, book).await;
        let name = format!("{}: two runs are the same, fuel included", case.name);
        book.add(TestReport { elapsed: began.elapsed(), ..plain(&name, lines) });
        for field in secrets(suite, case) {
            let began = Instant::now();
            let lines = with_unusable(suite, case, field, book).await;
            let name = format!("{}: `{field}` is rejected where no request can be built with it", case.name);
            book.add(TestReport { elapsed: began.elapsed(), ..plain(&name, lines) });
        }
        for (exchange, fault) in faults(case) {
            let test = with_fault(suite, case, exchange, fault, book).await;
            book.add(test);
        }
    }
    let leaks = std::mem::take(&mut book.leaks);
    book.add(plain("no secret is in a verdict, an error or a log line", leaks));
    let lines = budgets(book);
    book.add(plain("keeps to its budgets", lines));
}

fn plain(name: &str, lines: Vec<Line>) -> TestReport {
    TestReport {
        group: Group::Conformance,
        name: name.to_owned(),
        about: None,
        outcome: Outcome::of(lines),
        elapsed: Duration::ZERO,
        log: Vec::new(),
    }
}

fn says(text: impl Into<String>) -> Vec<Line> {
    vec![Line::Says(text.into())]
}

fn verified(suite: &Suite) -> impl Iterator<Item = &Case> {
    suite.cases.iter().filter(|case| case.expected.name == "verified")
}

/// Every fault in the place of every exchange, where it can happen.
fn faults(case: &Case) -> impl Iterator<Item = (usize, FaultName)> {
    case.exchanges.iter().enumerate().flat_map(|(index, exchange)| {
        let no_body = exchange.method == Method::Head
            || matches!(&exchange.outcome, CaseOutcome::Answer(Answer { body, .. }) if body.is_empty());
        FaultName::ALL
            .into_iter()
            .filter(move |fault| !(no_body && fault.is_of_the_body()))
            .map(move |fault| (index, fault))
    })
}

/// The secret fields that a case has values for. Of a plugin that reads them, what it makes of them is its own.
fn secrets<'a>(suite: &Suite, case: &'a Case) -> Vec<&'a str> {
    let description = &suite.specimen.description;
    let Some(auth_type) = description.schema.auth_type(&case.auth_type) else { return Vec::new() };
    let is_secret = |name: &&str| auth_type.field(name).is_some_and(|field| field.secrecy == Secrecy::Secret);
    let handles = description.secret_access == SecretAccess::Handles;
    case.fields.iter().map(|(name, _)| name.as_str()).filter(|name| handles && is_secret(name)).collect()
}

fn described(suite: &Suite) -> Vec<Line> {
    match suite.specimen.described.requests {
        0 => Vec::new(),
        count => says(format!("`describe` asked for {count} requests; it must not make any")),
    }
}

fn must_haves(suite: &Suite) -> Vec<Line> {
    let missing: Vec<_> =
        MUST_HAVE.into_iter().filter(|name| !suite.cases.iter().any(|case| case.expected.name == *name)).collect();
    match missing.as_slice() {
        [] => Vec::new(),
        some => says(format!("no case expects {}; add one of each", some.join(", nor "))),
    }
}

/// The same run twice, with other secrets of the same shape.
async fn repeated(suite: &Suite, case: &Case, book: &mut Book<'_>) -> Vec<Line> {
    let prepared = match suite.prepare(case, Values::Canaries) {
        Ok(prepared) => prepared,
        Err(violations) => return says(violations),
    };
    let first = suite.perform(case, Rule::Strict, &prepared).await;
    let second = suite.perform(case, Rule::Strict, &prepared).await;
    book.note(&prepared, &first, &case.name);
    if let Err(error) = &first.result {
        return says(error.to_string());
    }
    if (&first.result, first.usage.fuel) == (&second.result, second.usage.fuel) {
        return Vec::new();
    }
    says(format!(
        "with the same time, random bytes and answers it used {} and then {} units of fuel; what does it depend on?",
        first.usage.fuel, second.usage.fuel
    ))
}

/// An invalid private key, or a key that no header can carry: the verdict must blame the credential and name the field.
async fn with_unusable(suite: &Suite, case: &Case, field: &str, book: &mut Book<'_>) -> Vec<Line> {
    let prepared = match suite.prepare(case, Values::Unusable(field)) {
        Ok(prepared) => prepared,
        Err(violations) => return says(violations),
    };
    // No answer is spoilt; what is asked for beyond the case is refused by the network.
    let rule = Rule::Fault { exchange: usize::MAX, fault: FaultName::Refused };
    let ran = suite.perform(case, rule, &prepared).await;
    book.note(&prepared, &ran, &format!("{}, `{field}` unusable", case.name));
    let is_unbuilt = |problem: &Problem| matches!(problem, Problem::Refused { kind: ErrorKind::InvalidRequest, .. });
    // A body and the password of HTTP Basic carry anything.
    if !ran.problems.iter().any(is_unbuilt) {
        return Vec::new();
    }
    match &ran.result {
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

async fn with_fault(suite: &Suite, case: &Case, exchange: usize, fault: FaultName, book: &mut Book<'_>) -> TestReport {
    let mut lines = Vec::new();
    let mut test = TestReport {
        group: Group::Faults { case: case.name.clone(), exchange: exchange + 1 },
        name: format!("{}, exchange {}: {fault}", case.name, exchange + 1),
        about: Some(fault.about().to_owned()),
        ..plain("", Vec::new())
    };
    match suite.prepare(case, Values::Canaries) {
        Err(violations) => lines.extend(says(violations)),
        Ok(prepared) => {
            let ran = suite.perform(case, Rule::Fault { exchange, fault }, &prepared).await;
            book.note(&prepared, &ran, &test.name);
            lines.extend(ran.problems.iter().flat_map(Problem::lines));
            let optional = case.exchanges.get(exchange).is_some_and(|exchange| exchange.optional);
            match &ran.result {
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
            test.log = logged(&ran.log);
            test.elapsed = ran.elapsed;
        }
    }
    test.outcome = Outcome::of(lines);
    test
}

fn budgets(book: &Book<'_>) -> Vec<Line> {
    let budget = &book.budget;
    [("fuel", budget.fuel), ("bytes of memory", budget.memory_bytes), ("requests", budget.requests)]
        .into_iter()
        .filter(|(_, (used, allowed))| used > allowed)
        .flat_map(|(what, (used, allowed))| says(format!("one call used {used} {what}, and {allowed} are allowed")))
        .collect()
}
