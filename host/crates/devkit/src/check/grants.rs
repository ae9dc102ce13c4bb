//! The requested grants, from the operator's point of view.

use super::code::{Code, Finding};
use keyferry_egress::{Grant, HostConcern, Method};
use keyferry_sandbox::{AppDescription, SecretAccess};

pub(super) fn grants(description: &AppDescription) -> Vec<Finding> {
    let mut findings: Vec<Finding> = description.requested.iter().flat_map(one).collect();
    if description.requested.is_empty() {
        let message = "it asks for no request at all, so it can prove nothing";
        findings.push(Finding::new(Code::NoProof, Some("describe".to_owned()), message));
    }
    if description.secret_access == SecretAccess::PlainText {
        findings.push(Finding::new(
            Code::ReadsSecrets,
            Some("describe".to_owned()),
            "it asks for secrets as plain text",
        ));
    }
    findings
}

fn one(grant: &Grant) -> Vec<Finding> {
    let place = grant.to_string();
    let mut findings = Vec::new();
    if let Some(concern) = grant.host.concern() {
        let code = match concern {
            HostConcern::AnyHost => Code::WideGrant,
            HostConcern::PublicSuffix => Code::PublicSuffix,
            HostConcern::SharedSuffix => Code::SharedSuffix,
            HostConcern::Inside => Code::UnreachableGrant,
        };
        findings.push(Finding::new(code, place.clone(), concern.to_string()));
    }
    let mut wide = |message: &str| findings.push(Finding::new(Code::WideGrant, place.clone(), message));
    // Query APIs such as those of AWS have one path, and take POST.
    if grant.path_prefix.to_string() == "/" && !grant.methods.iter().all(|method| *method == Method::Post) {
        wide("any path of the host");
    }
    if grant.methods.len() > 2 {
        wide("more methods than a verification needs");
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_slip_in_a_grant_has_its_code() {
        let cases: [(&str, &[&str]); 14] = [
            ("GET https://api.acme.example/v1/me/*", &[]),
            ("GET https://*.acme.example/v1/me/*", &[]),
            ("GET https://{base_url}/api/v3/user/*", &[]),
            ("POST https://sts.acme.example/*", &[]),
            ("GET https://*/v1/*", &["KF010"]),
            ("GET https://api.acme.example/*", &["KF010"]),
            ("GET,POST,PUT https://api.acme.example/v1/*", &["KF010"]),
            ("GET https://127.0.0.1:8443/v1/*", &["KF011"]),
            ("GET https://localhost/v1/*", &["KF011"]),
            ("GET https://vault.internal/v1/*", &["KF011"]),
            ("GET https://*.default.svc/v1/*", &["KF011"]),
            ("GET https://*.github.io/v1/*", &["KF026"]),
            ("GET https://*.workers.dev/*", &["KF026", "KF010"]),
            ("GET https://*.gouv.fr/v1/*", &["KF027"]),
        ];
        for (grant, expected) in cases {
            let found: Vec<_> = one(&grant.parse().unwrap()).iter().map(|finding| finding.code.as_str()).collect();
            assert_eq!(found, expected, "{grant}");
        }
    }
}
