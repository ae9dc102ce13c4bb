//! What a plugin does with credentials that are made up, while no provider answers.

use std::sync::{Arc, Mutex, PoisonError};

use super::code::{Code, Finding};
use super::sample;
use keyferry_egress::{
    Egress, ErrorKind, ExchangeObserver, Fault, GrantSet, MockExchange, MockTransport, Request, Response, SendError,
    refusal,
};
use keyferry_sandbox::{FailureKind, LoadedPlugin, RecordedCall, TRIAL_TIME_MS, Verdict, VerifyOptions};
use keyferry_schema::{AuthType, Field, FieldKind, Input, Secrecy};

/// A value of a plain field that nothing else has: where it turns up in a host, the field led it there.
const CANARY: &str = "kfcanary7";

/// Values that a host's label must never have, put in the place of, or after, one that is accepted.
const BREAKING_OUT: [&str; 6] = [".evil.example", "/x", "@evil.example", ":1", "?x", "#"];

/// The ways in which no provider answers.
const SILENCES: [(&str, Silence); 2] =
    [("refuses the connection", Silence::Refused), ("answers 500", Silence::Status500)];

#[derive(Debug, Clone, Copy)]
enum Silence {
    Refused,
    Status500,
}

/// A provider that does not help, and remembers what it was asked.
struct Deaf {
    silence: Silence,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    origins: Vec<String>,
    denied: Vec<String>,
    refused: Vec<String>,
    /// Whether a request could not be built because of a made-up value: then the verdict is the host's.
    unusable: bool,
}

impl MockTransport for Deaf {
    fn answer(&self, _: &Request) -> MockExchange {
        match self.silence {
            Silence::Refused => MockExchange::Fault(Fault::Refused),
            Silence::Status500 => MockExchange::Answer { status: 500, headers: Vec::new(), body: Vec::new() },
        }
    }
}

impl ExchangeObserver for Deaf {
    fn exchange(&self, request: &Request, result: Result<&Response, &SendError>) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.origins.push(request.origin.to_ascii_lowercase());
        if let Err(SendError { kind: ErrorKind::Denied(grant), .. }) = result {
            seen.denied.push(grant.clone());
        }
        seen.refused.extend(refusal(request));
        seen.unusable |= matches!(result, Err(SendError { culprit: Some(_), .. }));
    }
}

/// Tries every auth type.
pub(super) async fn trials(specimen: &LoadedPlugin, egress: &Egress) -> Vec<Finding> {
    let mut findings = Vec::new();
    for auth_type in specimen.description.schema.types() {
        findings.extend(trial(specimen, egress, auth_type).await);
    }
    findings
}

async fn trial(specimen: &LoadedPlugin, egress: &Egress, auth_type: &AuthType) -> Vec<Finding> {
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
    for (what, silence) in SILENCES {
        let Some((tried, seen)) = run(specimen, egress, auth_type, &values, silence).await else { continue };
        for grant in seen.denied {
            findings.push(Finding::new(Code::Ungranted, Some(place.clone()), format!("it asks for `{grant}`")));
        }
        for refusal in seen.refused {
            findings.push(Finding::new(Code::Steers, place.clone(), refusal));
        }
        let message = |text: &str| Some(format!("where the provider {what}, {text}"));
        let (code, message) = match &tried.result {
            Ok(Verdict::Verified(_)) => (Code::NoProof, message("it says `verified`")),
            Ok(Verdict::Failed(failure)) => match failure.kind {
                FailureKind::Rejected(_) if tried.usage.requests > 0 && !seen.unusable => {
                    (Code::BlamesCredential, message("it says `rejected`"))
                }
                FailureKind::WrongTenant(_) | FailureKind::AccountSuspended | FailureKind::InsufficientScope(_)
                    if tried.usage.requests > 0 =>
                {
                    (Code::BlamesCredential, message(&format!("it says `{}`", failure.kind.code())))
                }
                _ => (Code::NoProof, None),
            },
            Err(error) => {
                let log: String = tried.log.iter().map(|line| format!("; it logged: {}", line.text)).collect();
                (Code::Traps, message(&format!("{error}{log}")))
            }
        };
        findings.extend(message.map(|message| Finding::new(code, place.clone(), message)));
    }
    let is_granted = |field: &Field| {
        specimen.description.requested.iter().any(|grant| grant.host.field() == Some(field.name.as_str()))
    };
    for (index, (field, value)) in values.iter().enumerate().filter(|(_, (field, _))| !is_granted(field)) {
        if let Some(value) = canary(field, value) {
            let mut values = values.clone();
            if let Some(slot) = values.get_mut(index) {
                slot.1.clone_from(&value);
            }
            let Some((_, seen)) = run(specimen, egress, auth_type, &values, Silence::Refused).await else { continue };
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

/// A value that the field accepts and that is no label of a host.
fn breaks_out(field: &Field, value: &str) -> Option<String> {
    if field.spec.kind == FieldKind::Url {
        // The whole host is the caller's, and so are the grants that it needs.
        let other = "https://evil.example".to_owned();
        return field.accepts(&other).then_some(other);
    }
    BREAKING_OUT.iter().map(|tail| format!("{value}{tail}")).find(|broken| field.accepts(broken))
}

async fn run(
    specimen: &LoadedPlugin,
    egress: &Egress,
    auth_type: &AuthType,
    values: &[(&Field, String)],
    silence: Silence,
) -> Option<(RecordedCall<Verdict>, Seen)> {
    let fields: serde_json::Map<_, _> =
        values.iter().map(|(field, value)| (field.name.to_string(), value.as_str().into())).collect();
    let input: Input = serde_json::from_value(serde_json::json!({ auth_type.name.as_str(): fields })).ok()?;
    let credential = specimen.description.schema.validate(&input).ok()?;
    let deaf = Arc::new(Deaf { silence, seen: Mutex::default() });
    let stage: Arc<Deaf> = Arc::clone(&deaf);
    let client = egress.staged_client(stage);
    let setting = VerifyOptions {
        client: &client,
        grants: Arc::new(GrantSet::new(specimen.description.requested.clone())),
        limits: egress.limits(),
        witness: Some(Arc::<Deaf>::clone(&deaf)),
        now_ms: TRIAL_TIME_MS,
    };
    let tried = specimen.verify(&credential, setting).await.ok()?;
    let seen = std::mem::take(&mut *deaf.seen.lock().unwrap_or_else(PoisonError::into_inner));
    Some((tried, seen))
}
