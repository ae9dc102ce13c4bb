//! All checks, in order.

use super::code::{Code, Finding, Level};
use super::{component, grants, schema, trial};
use keyferry_egress::{Egress, EgressSettings};
use keyferry_sandbox::{LoadedPlugin, TRIAL_TIME_MS, Workbench};

/// A time and a seed other than those of a trial: 2033-05-18T03:33:20Z.
const ANOTHER_TIME_MS: u64 = 2_000_000_000_000;
const ANOTHER_SEED: u64 = 0xC0FFEE;

/// Checks a component. Findings are in the order of the checks; a check that an earlier finding prevents is left out.
pub async fn lint(workbench: &Workbench, component: Vec<u8>) -> Vec<Finding> {
    let mut findings = match component::interface(&component) {
        Ok(findings) => findings,
        Err(finding) => return vec![finding],
    };
    if findings.iter().any(|finding| finding.level == Level::Error) {
        return findings;
    }
    let plugin = match workbench.open(component).await {
        Ok(plugin) => plugin,
        Err(error) => {
            findings.push(component::not_loaded(&error));
            return findings;
        }
    };
    if plugin.described.requests > 0 {
        let message = format!("it asked for {} requests", plugin.described.requests);
        findings.push(Finding::new(Code::DescribeRequests, Some("describe".to_owned()), message));
    }
    findings.extend(steady(&plugin).await);
    findings.extend(schema::schema(&plugin.description.schema));
    findings.extend(grants::grants(&plugin.description));
    match Egress::new(EgressSettings::default()) {
        Ok(egress) => findings.extend(trial::trials(&plugin, &egress).await),
        Err(error) => tracing::warn!(%error, "verify was not tried"),
    }
    findings
}

async fn steady(plugin: &LoadedPlugin) -> Option<Finding> {
    let first = plugin.describe(TRIAL_TIME_MS, 0).await.ok()?;
    let second = plugin.describe(ANOTHER_TIME_MS, ANOTHER_SEED).await.ok()?;
    let text = |described: &keyferry_sandbox::RecordedCall<_>| format!("{:?}", described.result);
    if text(&first) == text(&second) {
        return None;
    }
    let message = "asked at another time and with other random bytes, it said something else";
    Some(Finding::new(Code::Unsteady, Some("describe".to_owned()), message))
}
