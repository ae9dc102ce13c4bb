//! Verdicts written as lines: a plugin's verdict and a case file's, in the same words.

use super::expected::{Expected, TIMES, listed, moment, only, time};
use super::file::{ExpectFile, FieldsFile};
use keyferry_sandbox::{FailureKind, Verdict, VerificationFailure, Verified};

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

/// Reads `[expect]` of a case of a verification.
///
/// # Errors
/// The first mistake in it.
pub(super) fn expected(file: &ExpectFile) -> Result<Expected, String> {
    let verdict = match &file.verdict {
        Some(verdict) => verdict,
        None if file.renewed.is_some() || file.failure.is_some() => {
            return Err(
                "`renewed` and `failure` are for a case with a table [renewal]; this one needs a `verdict`".to_owned()
            );
        }
        None => return Err("it needs a `verdict`".to_owned()),
    };
    let names = || VERDICTS.map(|(name, _)| name);
    let Some((_, allowed)) = VERDICTS.iter().find(|(name, _)| name == verdict) else {
        return Err(super::suggestion::unknown("verdict", verdict, &names()));
    };
    only(file, allowed, &format!("the verdict `{verdict}`"))?;
    let mut lines = vec![verdict.clone()];
    let list = |name: &str, values: &Option<Vec<String>>| {
        values.as_ref().filter(|values| !values.is_empty()).map(|values| listed(name, values))
    };
    let fields = match &file.fields {
        None => None,
        Some(FieldsFile::Names(names)) => Some(names.clone()),
        Some(FieldsFile::Values(_)) => return Err("`fields` of a verdict is a list of names".to_owned()),
    };
    lines.extend(file.account_id.as_ref().map(|id| format!("account-id: {id}")));
    lines.extend(file.display_name.as_ref().map(|name| format!("display-name: {name}")));
    lines.extend(list("scopes", &file.scopes));
    lines.extend(file.expires_at.as_ref().map(time).transpose()?.map(expires_at));
    lines.extend(file.warnings.iter().flatten().map(|warning| format!("warning: {warning}")));
    lines.extend(file.config.iter().flatten().map(|(name, value)| format!("config {name} = {value}")));
    lines.extend(list("fields", &fields));
    lines.extend(file.retry_after.map(|seconds| format!("retry-after: {seconds}")));
    lines.extend(file.why.as_ref().map(|why| format!("why: {why}")));
    lines.extend(file.status.map(|status| format!("status: {status}")));
    Ok(Expected::new(verdict, lines, file.detail.clone()))
}

/// The line for people of a failure.
pub(super) fn detail(verdict: &Verdict) -> Option<&str> {
    match verdict {
        Verdict::Verified(_) => None,
        Verdict::Failed(failure) => Some(&failure.detail),
    }
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
    let mut file = ExpectFile { verdict: Some(name(verdict)), ..ExpectFile::default() };
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
                FailureKind::Rejected(fields) | FailureKind::WrongTenant(fields) => {
                    file.fields = some(fields).map(FieldsFile::Names);
                }
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

fn expires_at(ms: i64) -> String {
    let [name, _] = TIMES;
    moment(name, ms)
}
