//! What a plugin asks for, as an operator will read it.

use std::net::IpAddr;

use super::code::{Code, Finding};
use crate::egress::{Grant, Method};
use crate::plugins::{AppDescription, SecretAccess};

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
    let host = grant.host.to_string();
    let mut findings = Vec::new();
    let mut wide = |message: &str| findings.push(Finding::new(Code::WideGrant, place.clone(), message));
    if host == "*" {
        wide("any host in the world, so a credential could be sent anywhere");
    }
    // Query APIs such as those of AWS have one path, and take POST.
    if grant.path_prefix.to_string() == "/" && !grant.methods.iter().all(|method| *method == Method::Post) {
        wide("any path of the host");
    }
    if grant.methods.len() > 2 {
        wide("more methods than a verification needs");
    }
    if grant.host.field().is_none() && is_inside(&host) {
        findings.push(Finding::new(Code::UnreachableGrant, place, "it is an address, or a name inside of a network"));
    }
    findings
}

/// Hosts that egress never dials.
fn is_inside(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let literal = name.trim_start_matches('[').trim_end_matches(']');
    let top = name.rsplit('.').next().unwrap_or_default();
    literal.parse::<IpAddr>().is_ok()
        || (name != "*" && !name.contains('.'))
        || matches!(top, "localhost" | "internal" | "local" | "onion")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_slip_in_a_grant_has_its_code() {
        let cases: [(&str, &[&str]); 10] = [
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
        ];
        for (grant, expected) in cases {
            let found: Vec<_> = one(&grant.parse().unwrap()).iter().map(|finding| finding.code.as_str()).collect();
            assert_eq!(found, expected, "{grant}");
        }
    }
}
