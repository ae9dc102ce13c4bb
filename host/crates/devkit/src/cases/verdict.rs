//! Verdicts written as lines: a plugin's verdict and a case file's, in the same words.

use super::file::ExpectFile;
use keyferry_sandbox::{FailureKind, Verdict, VerificationFailure, Verified};

/// The verdict that a case file expects.
#[derive(Debug, Clone)]
pub(super) struct Expected {
    /// The verdict's name: `verified`, `rejected`.
    pub(super) name: String,
    lines: Vec<String>,
    /// Compared only where it is given.
    detail: Option<String>,
}

/// Each verdict, and the details that go with it.
const VERDICTS: [(&str, &[&str]); 10] = [
    ("verified", &["account-id", "display-name", "scopes", "expires-at", "warnings", "config"]),
    ("rejected", &["fields", "detail"]),
    ("insufficient-scope", &["scopes", "detail"]),
    ("wrong-tenant", &["fields", "detail"]),
    ("account-suspended", &["detail"]),
    ("rate-limited", &["retry-after", "detail"]),
    ("unreachable", &["why", "detail"]),
    ("provider-error", &["status", "detail"]),
    ("unexpected-answer", &["detail"]),
    ("not-verifiable", &["detail"]),
];

impl Expected {
    /// Reads `[expect]`.
    ///
    /// # Errors
    /// The first mistake in it.
    pub(super) fn parse(file: &ExpectFile) -> Result<Self, String> {
        let names = || VERDICTS.map(|(name, _)| name);
        let Some((_, allowed)) = VERDICTS.iter().find(|(name, _)| *name == file.verdict) else {
            return Err(super::suggestion::unknown("verdict", &file.verdict, &names()));
        };
        for given in given(file) {
            if !allowed.contains(&given) {
                return Err(format!(
                    "`{given}` does not go with the verdict `{}`, which has {}",
                    file.verdict,
                    allowed.join(", ")
                ));
            }
        }
        let mut lines = vec![file.verdict.clone()];
        let list = |name: &str, values: &Option<Vec<String>>| {
            values.as_ref().filter(|values| !values.is_empty()).map(|values| listed(name, values))
        };
        lines.extend(file.account_id.as_ref().map(|id| format!("account-id: {id}")));
        lines.extend(file.display_name.as_ref().map(|name| format!("display-name: {name}")));
        lines.extend(list("scopes", &file.scopes));
        lines.extend(file.expires_at.as_ref().map(time).transpose()?.map(expires_at));
        lines.extend(file.warnings.iter().flatten().map(|warning| format!("warning: {warning}")));
        lines.extend(file.config.iter().flatten().map(|(name, value)| format!("config {name} = {value}")));
        lines.extend(list("fields", &file.fields));
        lines.extend(file.retry_after.map(|seconds| format!("retry-after: {seconds}")));
        lines.extend(file.why.as_ref().map(|why| format!("why: {why}")));
        lines.extend(file.status.map(|status| format!("status: {status}")));
        Ok(Self { name: file.verdict.clone(), lines, detail: file.detail.clone() })
    }

    /// The expected and the found verdict as lines, with the detail if the file has one.
    pub(super) fn compared(&self, verdict: &Verdict) -> (Vec<String>, Vec<String>) {
        let (mut expected, mut found) = (self.lines.clone(), verdict_lines(verdict));
        if let (Some(detail), Verdict::Failed(failure)) = (&self.detail, verdict) {
            expected.push(format!("detail: {detail}"));
            found.push(format!("detail: {}", failure.detail));
        }
        (expected, found)
    }
}

/// The names of the details that a file sets.
fn given(file: &ExpectFile) -> Vec<&'static str> {
    [
        ("account-id", file.account_id.is_some()),
        ("display-name", file.display_name.is_some()),
        ("scopes", file.scopes.is_some()),
        ("expires-at", file.expires_at.is_some()),
        ("warnings", file.warnings.is_some()),
        ("config", file.config.is_some()),
        ("fields", file.fields.is_some()),
        ("retry-after", file.retry_after.is_some()),
        ("why", file.why.is_some()),
        ("status", file.status.is_some()),
        ("detail", file.detail.is_some()),
    ]
    .into_iter()
    .filter_map(|(name, is_given)| is_given.then_some(name))
    .collect()
}

/// The name that a verdict has in a case file.
pub(crate) fn name(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Verified(_) => "verified".to_owned(),
        Verdict::Failed(failure) => failure.kind.code().replace('_', "-"),
    }
}

/// A verdict in lines, in the words of a case file, without its detail.
pub fn verdict_lines(verdict: &Verdict) -> Vec<String> {
    let mut lines = vec![name(verdict)];
    match verdict {
        Verdict::Verified(verified) => {
            let Verified { provider_account_id, display_name, scopes, expires_at: end, warnings, config, contact: _ } =
                verified;
            lines.extend(provider_account_id.as_ref().map(|id| format!("account-id: {id}")));
            lines.extend(display_name.as_ref().map(|name| format!("display-name: {name}")));
            lines.extend((!scopes.is_empty()).then(|| listed("scopes", scopes)));
            lines.extend(end.map(|ms| expires_at(i64::try_from(ms).unwrap_or(i64::MAX))));
            lines.extend(warnings.iter().map(|warning| format!("warning: {warning}")));
            let mut config: Vec<_> = config.iter().map(|(name, value)| format!("config {name} = {value}")).collect();
            config.sort();
            lines.extend(config);
        }
        Verdict::Failed(VerificationFailure { kind, .. }) => match kind {
            FailureKind::Rejected(fields) | FailureKind::WrongTenant(fields) => {
                lines.extend((!fields.is_empty()).then(|| listed("fields", fields)));
            }
            FailureKind::InsufficientScope(scopes) => {
                lines.extend((!scopes.is_empty()).then(|| listed("scopes", scopes)));
            }
            FailureKind::RateLimited(seconds) => lines.extend(seconds.map(|s| format!("retry-after: {s}"))),
            FailureKind::Unreachable(why) => lines.push(format!("why: {}", why.code())),
            FailureKind::ProviderError(status) => lines.push(format!("status: {status}")),
            FailureKind::AccountSuspended | FailureKind::UnexpectedAnswer | FailureKind::NotVerifiable => {}
        },
    }
    lines
}

/// `[expect]` for this verdict.
pub(crate) fn to_file(verdict: &Verdict) -> ExpectFile {
    let some = |list: &Vec<String>| (!list.is_empty()).then(|| list.clone());
    let mut file = ExpectFile { verdict: name(verdict), ..ExpectFile::default() };
    match verdict {
        Verdict::Verified(verified) => {
            file.account_id.clone_from(&verified.provider_account_id);
            file.display_name.clone_from(&verified.display_name);
            file.scopes = some(&verified.scopes);
            file.warnings = some(&verified.warnings);
            file.config = (!verified.config.is_empty()).then(|| verified.config.iter().cloned().collect());
            file.expires_at = verified.expires_at.map(|ms| {
                let ms = i64::try_from(ms).unwrap_or(i64::MAX);
                let time = jiff::Timestamp::from_millisecond(ms).map(|time| toml::Value::String(time.to_string()));
                time.unwrap_or(toml::Value::Integer(ms))
            });
        }
        Verdict::Failed(failure) => {
            file.detail = Some(failure.detail.clone());
            match &failure.kind {
                FailureKind::Rejected(fields) | FailureKind::WrongTenant(fields) => file.fields = some(fields),
                FailureKind::InsufficientScope(scopes) => file.scopes = some(scopes),
                FailureKind::RateLimited(seconds) => file.retry_after = *seconds,
                FailureKind::Unreachable(why) => file.why = Some(why.code().to_owned()),
                FailureKind::ProviderError(status) => file.status = Some(*status),
                FailureKind::AccountSuspended | FailureKind::UnexpectedAnswer | FailureKind::NotVerifiable => {}
            }
        }
    }
    file
}

fn listed(name: &str, values: &[String]) -> String {
    format!("{name}: {}", values.join(", "))
}

fn expires_at(ms: i64) -> String {
    match jiff::Timestamp::from_millisecond(ms) {
        Ok(time) => format!("expires-at: {time}"),
        Err(_) => format!("expires-at: {ms} ms"),
    }
}

/// A time in a case file, in milliseconds since 1970.
pub(super) fn time(value: &toml::Value) -> Result<i64, String> {
    let text = match value {
        toml::Value::Integer(ms) => return Ok(*ms),
        toml::Value::String(text) => text.clone(),
        toml::Value::Datetime(time) => time.to_string(),
        other => {
            return Err(format!("a time is text like 2026-01-01T00:00:00Z, and this is of type {}", other.type_str()));
        }
    };
    let parsed: Result<jiff::Timestamp, _> = text.parse();
    parsed
        .map(|time| time.as_millisecond())
        .map_err(|error| format!("`{text}` is not a time like 2026-01-01T00:00:00Z: {error}"))
}
