//! A case file of a verification with a real provider, without secrets.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value as Json;
use tokio::time::Instant;

use super::canary;
use super::file::{CaseFile, CredentialFile, ExchangeFile, FaultWord, OneOrMany, ResponseFile};
use super::load;
use super::request::to_file;
use super::suite::Suite;
use super::verdict;
use crate::live::{Live, LiveExchange};
use crate::source::Source;
use keyferry_egress::{Call, EgressLimits, ErrorKind, GrantSet, Response};
use keyferry_sandbox::{CallError, Verdict, Workbench};
use keyferry_schema::{CredentialField, Exposure};

/// Headers that differ between responses, or concern the connection and not the credential.
const NOISE: [&str; 24] = [
    "accept-ranges",
    "access-control-allow-origin",
    "age",
    "alt-svc",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-security-policy",
    "date",
    "etag",
    "expires",
    "keep-alive",
    "last-modified",
    "nel",
    "pragma",
    "referrer-policy",
    "report-to",
    "server",
    "set-cookie",
    "strict-transport-security",
    "transfer-encoding",
    "vary",
    "via",
];

/// Values shorter than this are not masked: they also occur inside of unrelated text.
const SHORTEST_MASKED: usize = 4;

/// Whether values that identify the account are replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Masking {
    /// Identifying values stay as they are.
    Off,
    /// The account's id and name, what the plugin keeps as config, the credential's plain fields and e-mail addresses
    /// become others of the same shape, the same ones everywhere in the case.
    On,
}

/// Why no case was made.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The plugin came to no verdict.
    #[error("there is no verdict to expect: {0}")]
    NoVerdict(CallError),
    /// A request failed in a way that no fault of a case represents.
    #[error("exchange {exchange} cannot be written as a case: {message}")]
    NoFault {
        /// Number of the exchange, from 1.
        exchange: usize,
        /// Error of the exchange.
        message: String,
    },
    /// The case cannot be written as TOML.
    #[error("the case cannot be written as TOML: {0}")]
    Toml(#[from] toml::ser::Error),
    /// After masking, the case cannot be played back.
    #[error(
        "with the identifying values replaced, the case cannot be played back: {reason}; record it without --mask and mend it by hand"
    )]
    Masked {
        /// Why the case cannot be played back.
        reason: String,
    },
    /// A secret is left in it.
    #[error(
        "the case was not written, since it would contain the value of `{field}`; the provider echoes it in a form that is \
         not known here, or the plugin keeps it as plain text"
    )]
    SecretLeft {
        /// Field whose value is in the case.
        field: String,
    },
}

/// The case file of a verification of the plugin in `source`.
///
/// # Errors
/// If the verification cannot be written as a case, or the case would contain a secret.
pub async fn record(
    workbench: &Workbench,
    source: &Source,
    live: &Live,
    about: Option<String>,
    masking: Masking,
) -> Result<String, RecordError> {
    let verdict = live.recorded.result.as_ref().map_err(|error| RecordError::NoVerdict(error.clone()))?;
    let mut fields = BTreeMap::new();
    for (index, field) in live.credential.fields.iter().enumerate() {
        fields.insert(field.name.to_string(), toml::Value::String(field_value(live, field, index as u64)));
    }
    let exchanges = live.exchanges.iter().enumerate();
    let now = i64::try_from(live.now_ms).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    let mut case = CaseFile {
        about,
        now: now.map(|now| now.to_string()),
        credential: CredentialFile { auth_type: live.credential.auth_type.to_string(), fields },
        renewal: None,
        exchanges: exchanges.map(|(index, one)| exchange(live, index, one)).collect::<Result<_, _>>()?,
        expect: verdict::to_file(verdict),
    };
    if masking == Masking::On {
        // The verdict on the replaced values comes from the plugin itself.
        case = with_others(&case, identifying(live, verdict))?;
        case.expect = verdict::to_file(&replayed(workbench, source, &case).await?);
    }
    let text = toml::to_string_pretty(&case)?;
    refuse_secrets(live, &text)?;
    Ok(text)
}

/// Value of a field in the case file: the value itself of a plain field, one of the same shape for a secret.
fn field_value(live: &Live, field: &CredentialField, seed: u64) -> String {
    let value = field.value.expose();
    let Exposure::Handle { hint } = &field.exposure else { return value.to_owned() };
    if value.contains("PRIVATE KEY") {
        let es256 =
            live.exchanges.iter().any(|exchange| exchange.lines.iter().any(|line| line.starts_with("jwt ES256")));
        return if es256 { "{{test-ec-key}}" } else { "{{test-rsa-key}}" }.to_owned();
    }
    canary::substitute(value, hint.as_deref(), seed + 0xCA5E)
}

fn exchange(live: &Live, index: usize, one: &LiveExchange) -> Result<ExchangeFile, RecordError> {
    let mut file = to_file(&one.request, &one.lines, &live.names);
    match &one.result {
        Ok(response) => file.answer = Some(response_file(response)),
        Err(error) => {
            let fault = match error.kind {
                ErrorKind::Dns => "dns",
                ErrorKind::Refused => "refused",
                ErrorKind::Tls => "tls",
                ErrorKind::Timeout => "timeout",
                ErrorKind::TooLarge => "oversize",
                ErrorKind::Transport => "reset",
                ErrorKind::Denied(_) | ErrorKind::InvalidRequest | ErrorKind::BudgetExhausted => {
                    return Err(RecordError::NoFault { exchange: index + 1, message: error.message.clone() });
                }
            };
            file.fault = Some(FaultWord::Name(fault.to_owned()));
        }
    }
    Ok(file)
}

fn response_file(response: &Response) -> ResponseFile {
    let mut headers: BTreeMap<String, OneOrMany> = BTreeMap::new();
    for (name, value) in response.headers.iter().filter(|(name, _)| is_relevant(name)) {
        match headers.get_mut(name) {
            None => _ = headers.insert(name.clone(), OneOrMany::One(value.clone())),
            Some(values) => *values = OneOrMany::Many([values.as_slice(), std::slice::from_ref(value)].concat()),
        }
    }
    let mut file = ResponseFile { status: response.status, headers, ..ResponseFile::default() };
    match serde_json::from_slice::<Json>(&response.body) {
        _ if response.body.is_empty() => {}
        Ok(mut json) => {
            // The response has `***` in place of a minted token. Played back, that would not be minted, so the case
            // gets a made-up token.
            for (index, minted) in response.minted.iter().enumerate() {
                if let Some(place) = json.pointer_mut(&minted.pointer) {
                    *place = Json::String(format!("made-up-token-{}", index + 1));
                }
            }
            let text = serde_json::to_string_pretty(&json).unwrap_or_default();
            file.json = Some(toml::Value::String(text));
        }
        Err(_) => file.text = Some(String::from_utf8_lossy(&response.body).into_owned()),
    }
    file
}

fn is_relevant(name: &str) -> bool {
    let trace_words = ["request-id", "trace", "ray", "correlation", "served-by", "runtime", "timing"];
    !NOISE.contains(&name) && !trace_words.iter().any(|word| name.contains(word))
}

/// Values that identify the account, the longest first, so that none is broken by a shorter one inside of it.
fn identifying(live: &Live, verdict: &Verdict) -> Vec<String> {
    let mut values: Vec<String> = Vec::new();
    if let Verdict::Verified(verified) = verdict {
        values.extend(verified.provider_account_id.clone());
        values.extend(verified.display_name.clone());
        values.extend(verified.config.iter().map(|(_, value)| value.clone()));
    }
    let plain = live.credential.fields.iter().filter(|field| field.exposure == Exposure::Plain);
    values.extend(plain.map(|field| field.value.expose().to_owned()));
    for response in live.exchanges.iter().filter_map(|exchange| exchange.result.as_ref().ok()) {
        values.extend(addresses(&String::from_utf8_lossy(&response.body)));
    }
    // Hosts lead to grants, and numbers such as an expiry identify no account.
    values.retain(|value| value.len() >= SHORTEST_MASKED && !value.contains("://"));
    values.sort_by_key(|value| std::cmp::Reverse(value.len()));
    values.dedup();
    values
}

/// The e-mail addresses in a text.
fn addresses(text: &str) -> Vec<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "._%+-@".contains(c);
    let words = text.split(|c: char| !is_part(c));
    words
        .filter(|word| word.split_once('@').is_some_and(|(user, host)| !user.is_empty() && host.contains('.')))
        .map(str::to_owned)
        .collect()
}

/// The case with other values in the place of these.
fn with_others(case: &CaseFile, values: Vec<String>) -> Result<CaseFile, RecordError> {
    let mut text = toml::to_string(case)?;
    for (seed, value) in values.into_iter().enumerate() {
        text = masked(&text, &value, seed as u64 + 11);
    }
    toml::from_str(&text).map_err(|error| RecordError::Masked { reason: error.message().to_owned() })
}

/// The plugin's verdict on a case.
async fn replayed(workbench: &Workbench, source: &Source, case: &CaseFile) -> Result<Verdict, RecordError> {
    let failed = |reason: String| RecordError::Masked { reason };
    let text = toml::to_string(case)?;
    let case = load::parse(Path::new("recorded.toml"), &text).map_err(|error| failed(error.to_string()))?;
    let (path, component) = (source.path.clone(), source.component.clone());
    let suite = Suite::open(workbench, path, component, vec![case]).await.map_err(|error| failed(error.to_string()))?;
    suite.verdict(0).await.map_err(failed)
}

fn masked(text: &str, value: &str, seed: u64) -> String {
    let other = canary::substitute(value, None, seed);
    let encoded = |value: &str| utf8_percent_encode(value, NON_ALPHANUMERIC).to_string();
    text.replace(value, &other).replace(&encoded(value), &encoded(&other))
}

/// Checks that no secret is in the case, in any encoding that egress knows.
fn refuse_secrets(live: &Live, text: &str) -> Result<(), RecordError> {
    let nothing = || Call::new(Arc::new(GrantSet::default()), Instant::now(), &EgressLimits::default());
    for (secret, field) in live.names.iter() {
        let mut call = nothing();
        call.add_secret(Arc::clone(secret));
        let hint = live.credential.fields.iter().find(|known| known.name.as_str() == field).and_then(|known| {
            match &known.exposure {
                Exposure::Handle { hint } => hint.as_deref(),
                Exposure::Plain => None,
            }
        });
        let in_pieces = !secret.expose().contains("PRIVATE KEY") && canary::leak(secret.expose(), hint, text).is_some();
        if call.redact(text) != text || in_pieces {
            return Err(RecordError::SecretLeft { field: field.to_owned() });
        }
    }
    Ok(())
}
