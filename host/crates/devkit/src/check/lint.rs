//! All that is looked for, in the order in which it can be.

use super::code::{Code, Finding, Level};
use super::{file, grants, schema, trial};
use keyferry_egress::{Egress, EgressSettings};
use keyferry_sandbox::{LoadedPlugin, TRIAL_TIME_MS, Workbench};

/// Another time and other random bytes than a trial usually has: 2033-05-18T03:33:20Z.
const ANOTHER_TIME_MS: u64 = 2_000_000_000_000;
const ANOTHER_SEED: u64 = 0xC0FFEE;

/// Looks a component through. Findings come as they were found; what cannot be looked at for an earlier one is left out.
pub async fn lint(workbench: &Workbench, component: Vec<u8>) -> Vec<Finding> {
    let mut findings = match file::surface(&component) {
        Ok(findings) => findings,
        Err(finding) => return vec![finding],
    };
    if findings.iter().any(|finding| finding.level == Level::Error) {
        return findings;
    }
    let specimen = match workbench.open(component).await {
        Ok(specimen) => specimen,
        Err(error) => {
            findings.push(file::unopened(&error));
            return findings;
        }
    };
    if specimen.described.requests > 0 {
        let message = format!("it asked for {} requests", specimen.described.requests);
        findings.push(Finding::new(Code::DescribeRequests, Some("describe".to_owned()), message));
    }
    findings.extend(steady(&specimen).await);
    findings.extend(schema::schema(&specimen.description.schema));
    findings.extend(grants::grants(&specimen.description));
    match Egress::new(EgressSettings::default()) {
        Ok(egress) => findings.extend(trial::trials(&specimen, &egress).await),
        Err(error) => tracing::warn!(%error, "verify was not tried"),
    }
    findings
}

async fn steady(specimen: &LoadedPlugin) -> Option<Finding> {
    let first = specimen.describe(TRIAL_TIME_MS, 0).await.ok()?;
    let second = specimen.describe(ANOTHER_TIME_MS, ANOTHER_SEED).await.ok()?;
    let told = |described: &keyferry_sandbox::RecordedCall<_>| format!("{:?}", described.result);
    if told(&first) == told(&second) {
        return None;
    }
    let message = "asked at another time and with other random bytes, it said something else";
    Some(Finding::new(Code::Unsteady, Some("describe".to_owned()), message))
}
