//! Calls of `verify` with made-up credentials, while the provider is unavailable.

use std::sync::Arc;

use parking_lot::Mutex;

use super::code::{Code, Finding};
use super::sample;
use keyferry_egress::{
    AppClient, Egress, ErrorKind, ExchangeObserver, Fault, GrantSet, MockExchange, MockTransport, Request, Response,
    SendError, override_refusal,
};
use keyferry_sandbox::{FailureKind, LoadedPlugin, RecordedCall, TRIAL_TIME_MS, Verdict, VerifyOptions};
use keyferry_schema::{AuthType, Field, FieldKind, Input, Secrecy};

/// A value of a plain field that occurs nowhere else: a host that contains it was built from the field.
const CANARY: &str = "kfcanary7";

/// Text that must never be in a host's label, appended to a value that is accepted.
const BREAKING_OUT: [&str; 6] = [".evil.example", "/x", "@evil.example", ":1", "?x", "#"];

/// The ways in which the provider is unavailable.
const OUTAGES: [(&str, Outage); 2] =
    [("refuses the connection", Outage::Refused), ("responds with 500", Outage::Status500)];

#[derive(Debug, Clone, Copy)]
enum Outage {
    Refused,
    Status500,
}

/// A provider that is unavailable, and records the requests to it.
struct UnavailableProvider {
    outage: Outage,
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

impl MockTransport for UnavailableProvider {
    fn respond(&self, _: &Request) -> MockExchange {
        match self.outage {
            Outage::Refused => MockExchange::Fault(Fault::Refused),
            Outage::Status500 => MockExchange::Response { status: 500, headers: Vec::new(), body: Vec::new() },
        }
    }
}

impl ExchangeObserver for UnavailableProvider {
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
    for (what, outage) in OUTAGES {
        let Some((call, seen)) = run(plugin, egress, auth_type, &values, outage).await else { continue };
        for grant in seen.denied {
            findings.push(Finding::new(Code::Ungranted, Some(place.clone()), format!("it asks for `{grant}`")));
        }
        for refusal in seen.refused {
            findings.push(Finding::new(Code::Steers, place.clone(), refusal));
        }
        let message = |text: &str| Some(format!("where the provider {what}, {text}"));
        let (code, message) = match &call.result {
            Ok(Verdict::Verified(_)) => (Code::NoProof, message("it says `verified`")),
            Ok(Verdict::Failed(failure)) => match failure.kind {
                FailureKind::Rejected(_) if call.usage.requests > 0 && !seen.unusable => {
                    (Code::BlamesCredential, message("it says `rejected`"))
                }
                FailureKind::WrongTenant(_) | FailureKind::AccountSuspended | FailureKind::InsufficientScope(_)
                    if call.usage.requests > 0 =>
                {
                    (Code::BlamesCredential, message(&format!("it says `{}`", failure.kind.code())))
                }
                _ => (Code::NoProof, None),
            },
            Err(error) => {
                let log: String = call.log.iter().map(|line| format!("; it logged: {}", line.text)).collect();
                (Code::Traps, message(&format!("{error}{log}")))
            }
        };
        findings.extend(message.map(|message| Finding::new(code, place.clone(), message)));
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
            let Some((_, seen)) = run(plugin, egress, auth_type, &values, Outage::Refused).await else { continue };
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
    outage: Outage,
) -> Option<(RecordedCall<Verdict>, Seen)> {
    let fields: serde_json::Map<_, _> =
        values.iter().map(|(field, value)| (field.name.to_string(), value.as_str().into())).collect();
    let input: Input = serde_json::from_value(serde_json::json!({ auth_type.name.as_str(): fields })).ok()?;
    let credential = plugin.description.schema.validate(&input).ok()?;
    let provider = Arc::new(UnavailableProvider { outage, seen: Mutex::default() });
    let transport: Arc<UnavailableProvider> = Arc::clone(&provider);
    let client = AppClient::with_mock(egress, transport);
    let options = VerifyOptions {
        client: &client,
        grants: Arc::new(GrantSet::new(plugin.description.requested.clone())),
        limits: egress.limits(),
        observer: Some(Arc::<UnavailableProvider>::clone(&provider)),
        now_ms: TRIAL_TIME_MS,
    };
    let call = plugin.verify(&credential, options).await.ok()?;
    let seen = std::mem::take(&mut *provider.seen.lock());
    Some((call, seen))
}
