//! Calls of `verify` with made-up credentials, while the provider is unavailable or answers 401.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;

use super::code::{Code, Finding};
use super::sample;
use keyferry_egress::{
    AppClient, Egress, ErrorKind, ExchangeObserver, Fault, GrantSet, MockExchange, MockTransport, Request, Response,
    SendError, override_refusal,
};
use keyferry_sandbox::{CallOptions, FailureKind, LoadedPlugin, RecordedCall, TRIAL_TIME_MS, Verdict};
use keyferry_schema::{AuthType, Field, FieldKind, Input, Secrecy};

/// A value of a plain field that occurs nowhere else: a host that contains it was built from the field.
const CANARY: &str = "kfcanary7";

/// Text that must never be in a host's label, appended to a value that is accepted.
const BREAKING_OUT: [&str; 6] = [".evil.example", "/x", "@evil.example", ":1", "?x", "#"];

/// What the provider does in a trial. None of it confirms a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Behaviour {
    Refuses,
    Responds(u16),
}

const REFUSES: Behaviour = Behaviour::Refuses;
const UNAVAILABLE: Behaviour = Behaviour::Responds(500);
const UNAUTHORIZED: Behaviour = Behaviour::Responds(401);

impl fmt::Display for Behaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refuses => f.write_str("refuses the connection"),
            Self::Responds(status) => write!(f, "responds with {status}"),
        }
    }
}

/// A provider that confirms no credential, and records the requests to it.
struct TrialProvider {
    behaviour: Behaviour,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    origins: Vec<String>,
    denied: Vec<String>,
    refused: Vec<String>,
    /// Whether a request could not be built because of a made-up value. The verdict is then made by the host.
    unusable: bool,
}

impl MockTransport for TrialProvider {
    fn respond(&self, _: &Request) -> MockExchange {
        match self.behaviour {
            Behaviour::Refuses => MockExchange::Fault(Fault::Refused),
            Behaviour::Responds(status) => MockExchange::Response { status, headers: Vec::new(), body: Vec::new() },
        }
    }
}

impl ExchangeObserver for TrialProvider {
    fn exchange(&self, request: &Request, result: Result<&Response, &SendError>) {
        let mut seen = self.seen.lock();
        seen.origins.push(request.origin.to_ascii_lowercase());
        if let Err(SendError { kind: ErrorKind::Denied(grant), .. }) = result {
            seen.denied.push(grant.clone());
        }
        seen.refused.extend(override_refusal(request));
        seen.unusable |= matches!(result, Err(SendError { offending: Some(_), .. }));
    }
}

/// Tries every auth type.
pub(super) async fn trials(plugin: &LoadedPlugin, egress: &Egress) -> Vec<Finding> {
    let mut findings = Vec::new();
    for auth_type in plugin.description.schema.types() {
        findings.extend(trial(plugin, egress, auth_type).await);
    }
    findings
}

async fn trial(plugin: &LoadedPlugin, egress: &Egress, auth_type: &AuthType) -> Vec<Finding> {
    let place = auth_type.name.to_string();
    let mut values = Vec::new();
    for (field, value) in sample::credential(auth_type) {
        match value {
            Some(value) => values.push((field, value)),
            None if sample::can_do_without(field) => {}
            None => {
                let message = format!("no value was found that `{}` accepts", field.name);
                return vec![Finding::new(Code::NoSample, format!("{place}.{}", field.name), message)];
            }
        }
    }
    let mut findings = Vec::new();
    for behaviour in [REFUSES, UNAVAILABLE, UNAUTHORIZED] {
        let Some((call, seen)) = run(plugin, egress, auth_type, &values, behaviour).await else { continue };
        add_new(&mut findings, judge(&place, behaviour, &call, seen), "");
    }
    // Each choice may lead to another host, which must be granted as well.
    for sample::Variant { about, values } in sample::variants(&values) {
        let Some((call, seen)) = run(plugin, egress, auth_type, &values, UNAUTHORIZED).await else { continue };
        add_new(&mut findings, judge(&place, UNAUTHORIZED, &call, seen), &format!(" ({about})"));
    }
    let is_granted = |field: &Field| {
        plugin.description.requested.iter().any(|grant| grant.host.field() == Some(field.name.as_str()))
    };
    for (index, (field, value)) in values.iter().enumerate().filter(|(_, (field, _))| !is_granted(field)) {
        if let Some(value) = canary(field, value) {
            let mut values = values.clone();
            if let Some(slot) = values.get_mut(index) {
                slot.1.clone_from(&value);
            }
            let Some((_, seen)) = run(plugin, egress, auth_type, &values, REFUSES).await else { continue };
            let bare = value.trim_start_matches("https://").to_ascii_lowercase();
            if seen.origins.iter().any(|origin| origin.contains(&bare))
                && let Some(breaking) = breaks_out(field, &value)
            {
                let place = format!("{place}.{}", field.name);
                findings.push(Finding::new(
                    Code::LooseHost,
                    place,
                    format!("it accepts {breaking:?}, which leads elsewhere"),
                ));
            }
        }
    }
    findings.dedup();
    findings
}

/// Adds findings that are not there yet, each with a note. A proof that is missing is missing whatever the provider does.
fn add_new(findings: &mut Vec<Finding>, found: Vec<Finding>, note: &str) {
    for finding in found {
        let is_known = |known: &Finding| {
            known.code == finding.code && (finding.code == Code::NoProof || known.message.starts_with(&finding.message))
        };
        if !findings.iter().any(is_known) {
            findings.push(Finding { message: format!("{}{note}", finding.message), ..finding });
        }
    }
}

/// What is wrong with one call.
fn judge(place: &str, behaviour: Behaviour, call: &RecordedCall<Verdict>, seen: Seen) -> Vec<Finding> {
    let found = |code: Code, message: String| Finding::new(code, Some(place.to_owned()), message);
    let mut findings: Vec<Finding> =
        seen.denied.iter().map(|grant| found(Code::Ungranted, format!("it asks for `{grant}`"))).collect();
    findings.extend(seen.refused.into_iter().map(|refusal| found(Code::Steers, refusal)));
    let has_asked = call.usage.requests > 0;
    let is_answered = behaviour == UNAUTHORIZED;
    let (code, says) = match &call.result {
        Ok(Verdict::Verified(_)) if is_answered && has_asked => (Code::IgnoresRefusal, "it says `verified`".to_owned()),
        Ok(Verdict::Verified(_)) => (Code::NoProof, "it says `verified`".to_owned()),
        // With 401, the provider blames the credential.
        Ok(Verdict::Failed(_)) if is_answered => return findings,
        Ok(Verdict::Failed(failure)) => match failure.kind {
            FailureKind::Rejected(_) if has_asked && !seen.unusable => {
                (Code::BlamesCredential, "it says `rejected`".to_owned())
            }
            FailureKind::WrongTenant(_) | FailureKind::AccountSuspended | FailureKind::InsufficientScope(_)
                if has_asked =>
            {
                (Code::BlamesCredential, format!("it says `{}`", failure.kind.code()))
            }
            _ => return findings,
        },
        Err(error) => {
            let log: String = call.log.iter().map(|line| format!("; it logged: {}", line.text)).collect();
            (Code::Traps, format!("{error}{log}"))
        }
    };
    findings.push(found(code, format!("where the provider {behaviour}, {says}")));
    findings
}

/// A value for a plain field that is recognisable in requests.
fn canary(field: &Field, sample: &str) -> Option<String> {
    if field.secrecy == Secrecy::Secret {
        return None;
    }
    match field.spec.kind {
        FieldKind::Text | FieldKind::Multiline if field.accepts(CANARY) => Some(CANARY.to_owned()),
        FieldKind::Url if field.accepts("https://kfcanary7.example") => Some("https://kfcanary7.example".to_owned()),
        FieldKind::Text | FieldKind::Multiline | FieldKind::Url if sample.len() >= 4 => Some(sample.to_owned()),
        _ => None,
    }
}

/// A value that the field accepts and that is not a label of a host.
fn breaks_out(field: &Field, value: &str) -> Option<String> {
    if field.spec.kind == FieldKind::Url {
        // The whole host is the caller's, and so are the grants that it needs.
        let other = "https://evil.example".to_owned();
        return field.accepts(&other).then_some(other);
    }
    BREAKING_OUT.iter().map(|tail| format!("{value}{tail}")).find(|broken| field.accepts(broken))
}

async fn run(
    plugin: &LoadedPlugin,
    egress: &Egress,
    auth_type: &AuthType,
    values: &[(&Field, String)],
    behaviour: Behaviour,
) -> Option<(RecordedCall<Verdict>, Seen)> {
    let fields: serde_json::Map<_, _> =
        values.iter().map(|(field, value)| (field.name.to_string(), value.as_str().into())).collect();
    let input: Input = serde_json::from_value(serde_json::json!({ auth_type.name.as_str(): fields })).ok()?;
    let credential = plugin.description.schema.validate(&input).ok()?;
    let provider = Arc::new(TrialProvider { behaviour, seen: Mutex::default() });
    let transport: Arc<TrialProvider> = Arc::clone(&provider);
    let client = AppClient::with_mock(egress, transport);
    let options = CallOptions {
        client: &client,
        grants: Arc::new(GrantSet::new(plugin.description.requested.clone())),
        limits: egress.limits(),
        observer: Some(Arc::<TrialProvider>::clone(&provider)),
        now_ms: TRIAL_TIME_MS,
    };
    let call = plugin.verify(&credential, options).await.ok()?;
    let seen = std::mem::take(&mut *provider.seen.lock());
    Some((call, seen))
}
