//! The verdict and the exchanges of one verification, for programs.

use serde_json::{Map, Value, json};

use keyferry_devkit::{Live, LiveExchange};
use keyferry_sandbox::{FailureKind, LogLine, Verdict, VerificationFailure, Verified};

/// The verdict, with each of its details.
pub(super) fn verdict(verdict: &Verdict) -> Map<String, Value> {
    let members = match verdict {
        Verdict::Verified(verified) => {
            let Verified { provider_account_id, display_name, scopes, expires_at, warnings, config, contact: _ } =
                verified;
            let end = expires_at.and_then(|ms| jiff::Timestamp::from_millisecond(i64::try_from(ms).ok()?).ok());
            let config: Map<_, _> = config.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
            json!({
                "verdict": "verified", "account_id": provider_account_id, "display_name": display_name, "scopes": scopes,
                "expires_at": end.map(|end| end.to_string()), "warnings": warnings, "config": config,
            })
        }
        Verdict::Failed(VerificationFailure { kind, detail, contact: _ }) => {
            let (mut fields, mut scopes, mut retry_after, mut why, mut status) = (None, None, None, None, None);
            match kind {
                FailureKind::Rejected(named) | FailureKind::WrongTenant(named) => fields = Some(named),
                FailureKind::InsufficientScope(named) => scopes = Some(named),
                FailureKind::RateLimited(seconds) => retry_after = *seconds,
                FailureKind::Unreachable(reason) => why = Some(reason.code()),
                FailureKind::ProviderError(code) => status = Some(code),
                FailureKind::AccountSuspended | FailureKind::UnexpectedAnswer | FailureKind::NotVerifiable => {}
            }
            json!({
                "verdict": kind.code(), "detail": detail, "fields": fields, "scopes": scopes, "retry_after": retry_after,
                "why": why, "status": status,
            })
        }
    };
    match members {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

/// The verdict, and all that was exchanged and logged, without secrets.
pub(super) fn call(live: &Live, found: &Verdict) -> Map<String, Value> {
    let exchanges: Vec<_> = live.exchanges.iter().map(|exchange| one(live, exchange)).collect();
    let line = |line: &LogLine| json!({ "level": line.level.to_string().to_lowercase(), "text": line.text });
    let log: Vec<_> = live.recorded.log.iter().map(line).collect();
    let mut members = verdict(found);
    members.insert("exchanges".to_owned(), Value::Array(exchanges));
    members.insert("log".to_owned(), Value::Array(log));
    members
}

fn one(live: &Live, exchange: &LiveExchange) -> Value {
    let request: Vec<_> = exchange.lines.iter().map(|line| live.redact(line)).collect();
    match &exchange.result {
        Err(error) => json!({ "request": request, "error": error.to_string() }),
        Ok(response) => {
            let header = |(name, value): &(String, String)| json!([name, live.redact(value)]);
            let headers: Vec<_> = response.headers.iter().map(header).collect();
            let body = live.redact(&String::from_utf8_lossy(&response.body));
            json!({ "request": request, "status": response.status, "headers": headers, "body": body })
        }
    }
}
